"""Specs and trial records for tests of trackers, made without training."""

from datetime import UTC, datetime
from typing import Any

import torch

from paretoib.records import Metrics, ModelFile, ReferencePoint, TrialRecord
from paretoib.specs import Additions, SweepSpec, TrialSpec, extended
from paretoib.tracking import EndedTrial, Ruler, TrialModel
from paretoib.trained import ModelHeader, encode_model

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


def spec(**fields: object) -> SweepSpec:
    return SweepSpec.from_document({"method": "vib", "trials": 4, **fields})


def extension(of: SweepSpec, **additions: Any) -> SweepSpec:
    """The spec after an extension, by default with one more seed."""
    asked = Additions.from_document(additions or {"seeds": "+1"})
    return extended(of, asked, ended=1, at=datetime(2026, 1, 1, tzinfo=UTC))


def record(beta: float, *, status: str = "finished", reason: str | None = None) -> TrialRecord:
    trial = TrialSpec(
        data="digits",
        model="mlp",
        objective="vib",
        weighting={"name": "linear", "beta": beta},
        seed=3,
    )
    metrics = Metrics(
        examples=360,
        rate_bits=1 / 3 - beta,
        rate_lower_bits=None,
        rate_se_bits=0.1,
        relevance_bits=2.5,
        relevance_se_bits=0.1,
        ceiling_bits=3.3,
        lost_bits=0.8,
        cross_entropy_bits=0.8,
        accuracy=0.9,
    )
    measured = metrics if status == "finished" else None
    return TrialRecord(
        trial=trial.key,
        spec=trial.document,
        status=status,
        reason=reason,
        validation=measured,
        test=measured,
        history={"loss/prediction": (1.0, None, 0.5)},
        seconds=1.5,
        device="cpu",
        pack=4,
    )


def ended(*records: TrialRecord, hypervolume: float = 1.0) -> list[EndedTrial]:
    return [EndedTrial(record, hypervolume) for record in records]


def model_of(record: TrialRecord, size: int = 50) -> TrialModel:
    """A model file of the trial with `size` numbers, whose values depend on the trial."""
    header = ModelHeader(
        trial=record.trial, spec=record.spec, shape=(1, 8, 8), input_range=(0.0, 1.0), classes=10
    )
    content = encode_model(
        header, {"weights": torch.full((size,), float(record.trial.encode()[0]))}
    )
    return TrialModel(ModelFile(trial=record.trial, bytes=len(content)), content)


def ended_with_models(*records: TrialRecord) -> list[EndedTrial]:
    return [EndedTrial(record, 1.0, model_of(record)) for record in records]
