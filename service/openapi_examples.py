"""Example responses for OpenAPI, built from the same records as the real responses."""

from datetime import UTC, datetime
from typing import Any

from paretoib.fronts import build_front, compare, pick
from paretoib.records import (
    Front,
    Metrics,
    ModelFile,
    ModelFiles,
    PickRule,
    ReferencePoint,
    SweepState,
    TrialCounts,
    TrialRecord,
)
from paretoib.specs import SweepSpec
from service.schemas import Sweeps, Trial, Trials

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def add_examples(schema: dict[str, Any]) -> None:
    """Add an example to each successful JSON response of the schema."""
    linear, adaptive = _sweep("vib", "a" * 32), _sweep("mib", "b" * 32)
    archived = linear.model_copy(update={"archived": True})
    noted = linear.model_copy(update={"note": "the first run", "tags": {"project": "digits"}})
    records = _records(linear)
    fronts = [_front(sweep) for sweep in (linear, adaptive)]
    page = {"total": 1, "offset": 0, "limit": 50}
    model = ModelFile(trial=records[0].trial, bytes=398_484)
    history = {"history": {"train/prediction": (1.2, 0.4)}}
    documents = {
        ("/sweeps", "post", "202"): linear,
        ("/sweeps", "get", "200"): Sweeps(sweeps=(linear,), **page),
        ("/sweeps/{sweep}", "get", "200"): linear,
        ("/sweeps/{sweep}", "delete", "202"): linear,
        ("/sweeps/{sweep}/resume", "post", "202"): linear,
        ("/sweeps/{sweep}/extend", "post", "202"): linear,
        ("/sweeps/{sweep}/note", "put", "200"): noted,
        ("/sweeps/{sweep}/tags", "patch", "200"): noted,
        ("/sweeps/{sweep}/archive", "post", "200"): archived,
        ("/sweeps/{sweep}/archive", "delete", "200"): linear,
        ("/sweeps/{sweep}/delete", "post", "200"): linear,
        ("/sweeps/{sweep}/restore", "post", "200"): linear,
        ("/sweeps/{sweep}/trials", "get", "200"): Trials(trials=tuple(records[:1]), **page),
        ("/sweeps/{sweep}/trials/{trial}", "get", "200"): Trial(
            **{**dict(records[0]), **history}, address=None, model=model
        ),
        ("/sweeps/{sweep}/models", "get", "200"): ModelFiles(limit_mb=500, files=(model,)),
        ("/sweeps/{sweep}/front", "get", "200"): fronts[0],
        ("/sweeps/{sweep}/pick", "get", "200"): pick(fronts[:1], PickRule.of(max_rate=5)),
        ("/compare", "get", "200"): compare(fronts[:1], fronts[1:]),
    }
    for (path, method, status), document in documents.items():
        content = schema["paths"][path][method]["responses"][status]["content"]
        content["application/json"]["example"] = document.document


def _sweep(method: str, sweep_id: str) -> SweepState:
    spec = SweepSpec.from_document({"method": method, "seeds": [0], "trials": 2})
    return SweepState(
        id=sweep_id,
        name=spec.name,
        method=method,
        dataset=spec.data.name,
        status="finished",
        spec=spec.document,
        started=_NOON,
        ended=_NOON.replace(minute=1),
        trials=TrialCounts(total=2, finished=2),
        hypervolume=101.5,
    )


def _records(sweep: SweepState) -> list[TrialRecord]:
    template = SweepSpec.from_document(sweep.spec).template
    records = []
    for seed, (rate, lost) in enumerate(((0.4, 2.9), (3.5, 0.2))):
        trial = template.with_fields({"seed": seed})
        metrics = Metrics(
            examples=360,
            rate_bits=rate,
            rate_lower_bits=0.9 * rate,
            rate_se_bits=0.01,
            relevance_bits=3.3 - lost,
            relevance_se_bits=0.02,
            ceiling_bits=3.3,
            lost_bits=lost,
            cross_entropy_bits=lost,
            prediction_cross_entropy_bits=0.9 * lost,
            accuracy=0.9,
            accuracy_sampled=0.91,
            accuracy_one_sample=0.88,
            label_probability=0.86,
            samples=12,
        )
        records.append(
            TrialRecord(
                trial=trial.key,
                spec=trial.document,
                status="finished",
                validation=metrics,
                test=metrics,
                seconds=1.5,
                device="cpu",
            )
        )
    return records


def _front(sweep: SweepState) -> Front:
    reference = ReferencePoint(rate_bits=33.0, lost_bits=3.3)
    return build_front(sweep.info, _records(sweep), reference=reference, label_entropy_bits=3.3)
