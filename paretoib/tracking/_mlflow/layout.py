"""How sweeps and trials map to MLflow runs: names, tags, params and metrics.

MLflow's UI hides tags whose names begin with "mlflow.", so the tags that only this program reads
have such names.
"""

import json
import re
from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any
from uuid import uuid4

from paretoib.records import (
    ModelFile,
    Point,
    ReferencePoint,
    RunningPacks,
    TrialRecord,
    Workers,
)
from paretoib.specs import SweepSpec, distinct_digits, range_digits, short_name
from paretoib.tracking._annotations import is_reserved
from paretoib.tracking._mlflow.runs import Condition
from paretoib.tracking._tracker import Ruler, Tags
from paretoib.trained import MODEL_FILE

_KIND = "mlflow.paretoib.kind"
_SPEC = "mlflow.paretoib.spec"
_SPEC_NAME = "mlflow.paretoib.spec_name"
_RULER = "mlflow.paretoib.ruler"
_WORKERS = "mlflow.paretoib.workers"
_PACKS = "mlflow.paretoib.packs"
_MODELS_MB = "mlflow.paretoib.models_mb"
_MODEL = "mlflow.paretoib.model"
_RECORD = "mlflow.paretoib.record"
_ORDER = "mlflow.paretoib.order"
_TRIAL = "mlflow.paretoib.trial"
_PARENT = "mlflow.parentRunId"
_ARCHIVED = "mlflow.paretoib.archived"
HISTORY = "history.json"
MODEL_FOLDER = "model"
MODEL = f"{MODEL_FOLDER}/{MODEL_FILE}"
# MLflow's UI shows how to load the models that this tag lists.
LOGGED_MODELS = "mlflow.log-model.history"
REASON = "reason"  # visible in MLflow's UI
_EXTENDED = "extended"  # visible in MLflow's UI
LONGEST_REASON = 500  # characters
SWEEPS = Condition({_KIND: "sweep"})

_HISTORY_STEPS = 8
_TAG_LENGTH = 5000
_NAME_LENGTH, _PARAM_LENGTH = 250, 6000  # characters, as PostgreSQL and MLflow limit them
ACCURACIES = ("accuracy", "accuracy_sampled", "accuracy_one_sample")
_FINAL_METRICS = (
    "rate_bits",
    "rate_lower_bits",
    "relevance_bits",
    "lost_bits",
    "cross_entropy_bits",
    "prediction_cross_entropy_bits",
    *ACCURACIES,
    "label_probability",
)
_ON_FRONT, _HULL_GAP = "on_front", "hull_gap_bits"
_TASK_METRICS = ("relevance_bits", "lost_bits", "prediction_cross_entropy_bits", *ACCURACIES)
# Fields that appear in a trial's name even if they do not vary.
NAMED_FIELDS = ("weighting.beta", "weighting.mu", "weighting.sqrted")


def experiment_name(dataset: str) -> str:
    """The name of a data set's experiment, which holds all sweeps on this data set.

    For the data set "" it is the beginning of all such names.
    """
    return f"paretoib-{dataset}"


def sweep_tags(spec: SweepSpec) -> dict[str, str]:
    """The tags of a new sweep's run."""
    return {_KIND: "sweep", **_as_tags(_SPEC, json.dumps(spec.document))}


def is_sweep(tags: Tags) -> bool:
    """Whether a run is a sweep."""
    return tags.get(_KIND) == "sweep"


def archived_tag(archived: bool) -> dict[str, str]:
    """The tag that says whether a sweep is archived."""
    return {_ARCHIVED: "true" if archived else ""}


def is_archived(tags: Tags) -> bool:
    """Whether a sweep is archived."""
    return bool(tags.get(_ARCHIVED))


def user_tags(tags: Tags) -> dict[str, str]:
    """The tags that users have set, in paretoib or in MLflow's UI, by name."""
    return {name: tags[name] for name in sorted(tags) if not is_reserved(name)}


def spec_of(tags: Tags) -> dict[str, Any]:
    """The sweep's spec, as JSON values."""
    document: dict[str, Any] = json.loads(_from_tags(tags.get(_SPEC_NAME, _SPEC), tags))
    return document


def extension_tags(spec: SweepSpec) -> tuple[dict[str, str], dict[str, str]]:
    """The tags that hold an extended spec, and those that make it the spec of its sweep.

    The spec gets a new name, and readers see it when the tags of the second group are written. So
    a process that is killed in between, and two processes that write at the same time, do no harm.
    """
    name = f"{_SPEC}-{len(spec.extensions)}-{uuid4().hex[:8]}"
    totals = [str(stage.trials) for stage in spec.stages]
    extended = f"{' → '.join(totals)} trials, last {spec.extensions[-1].at:%Y-%m-%d %H:%M} UTC"
    return _as_tags(name, json.dumps(spec.document)), {_SPEC_NAME: name, _EXTENDED: extended}


def ruler_tag(ruler: Ruler) -> dict[str, str]:
    """The tag that holds the ruler."""
    corner, entropy = ruler.reference.model_dump(), ruler.label_entropy_bits
    return {_RULER: json.dumps({"reference": corner, "label_entropy_bits": entropy})}


def ruler_of(tags: Tags) -> Ruler | None:
    """The sweep's ruler; None before the sweep has begun."""
    if _RULER not in tags:
        return None
    document = json.loads(tags[_RULER])
    return Ruler(ReferencePoint(**document["reference"]), document["label_entropy_bits"])


def workers_tag(workers: Workers | None) -> dict[str, str]:
    """The tag that holds the workers of a sweep."""
    return {_WORKERS: workers.to_json() if workers else ""}


def workers_of(tags: Tags) -> Workers | None:
    """The workers of the last process that ran the sweep; None if they are not known."""
    return Workers.from_json(tags[_WORKERS]) if tags.get(_WORKERS) else None


def packs_tag(packs: RunningPacks | None) -> dict[str, str]:
    """The tag that holds the packs in training."""
    return {_PACKS: packs.to_json() if packs else ""}


def packs_of(tags: Tags) -> RunningPacks | None:
    """The packs in training at the last heartbeat; None if they are not known."""
    return RunningPacks.from_json(tags[_PACKS]) if tags.get(_PACKS) else None


def models_mb_tag(megabytes: float | None) -> dict[str, str]:
    """The tag that holds the limit on the size of a sweep's model files; none for None."""
    return {} if megabytes is None else {_MODELS_MB: f"{megabytes:g}"}


def models_mb_of(tags: Tags) -> float | None:
    """The limit on the size of a sweep's model files in MB; None if it is not known."""
    return float(tags[_MODELS_MB]) if tags.get(_MODELS_MB) else None


def model_tags(file: ModelFile) -> dict[str, str]:
    """The tags of a trial with a model file; for a file that is not kept, with the reason."""
    kept = [{"artifact_path": MODEL_FOLDER, "flavors": {"python_function": {}}}]
    if file.missing:
        file = file.model_copy(update={"missing": file.missing[:LONGEST_REASON]})
    return {_MODEL: file.to_json(), LOGGED_MODELS: json.dumps(kept if file.kept else [])}


def model_of(tags: Tags) -> ModelFile | None:
    """The model file of a trial; None if it has none."""
    return ModelFile.from_json(tags[_MODEL]) if tags.get(_MODEL) else None


def trial_tags(
    sweep_id: str, record: TrialRecord, order: int, model: ModelFile | None
) -> dict[str, str]:
    """The tags of a trial's run: its record without history, so that one search reads all records.

    `order` is the trial's position among the ended trials of the sweep.
    """
    bare = record.model_copy(update={"history": {}})
    reason = {REASON: record.reason[:LONGEST_REASON]} if record.reason else {}
    return {
        _PARENT: sweep_id,
        _KIND: "trial",
        _ORDER: str(order),
        _TRIAL: record.trial,
        **_as_tags(_RECORD, bare.to_json()),
        **(model_tags(model) if model else {}),
        **reason,
    }


def is_trial(tags: Tags) -> bool:
    """Whether a run is a trial. Users may add child runs of their own to a sweep's run."""
    return tags.get(_KIND) == "trial"


def record_of(tags: Tags) -> TrialRecord:
    """The trial's record, without its history."""
    return TrialRecord.from_json(_from_tags(_RECORD, tags))


def trial_of(tags: Tags) -> str:
    """The trial's key."""
    return tags[_TRIAL]


def ended_trials(sweep_id: str, trial: str = "") -> Condition:
    """The runs of a sweep's ended trials, or of the ended trial with this key."""
    key = {_TRIAL: trial} if trial else {}
    return Condition({_PARENT: sweep_id, **key}, running=False)


def running_trials(sweep_id: str) -> Condition:
    """The runs of trials that are being written."""
    return Condition({_PARENT: sweep_id}, running=True)


def trials(sweep_id: str) -> Condition:
    """The runs of a sweep's trials, also of those that are being written."""
    return Condition({_PARENT: sweep_id, _KIND: "trial"})


def order_of(tags: Tags) -> int:
    """The trial's position among the ended trials of its sweep."""
    return int(tags[_ORDER])


def fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a trial's or sweep's spec by path, such as `weighting.beta`.

    The path of a section, such as `weighting`, stands for the name in the section.
    """
    leaves: dict[str, Any] = {}
    for kind in ("data", "model", "objective", "weighting", "training"):
        for name, value in spec.get(kind, {}).items():
            leaves[kind if name == "name" else f"{kind}.{name}"] = value
    if "seed" in spec:
        leaves["seed"] = spec["seed"]
    return leaves


def trial_name(spec: Mapping[str, Any], sweep: Mapping[str, Any], digits: Mapping[str, int]) -> str:
    """A trial's name, such as `β=0.001 seed 0`.

    It has the `NAMED_FIELDS`, the fields that vary in the sweep, and the seed. `digits` are those
    of `name_digits`, which takes too long to be called for each trial of a large sweep.
    """
    common, own = fields(sweep), fields(spec)
    varying = [f for f, v in own.items() if f in sweep["grid"] or common.get(f, v) != v]
    named = dict.fromkeys([*(f for f in NAMED_FIELDS if f in own), *varying])
    parts = [f"{short_name(f)}={_text(own[f], digits.get(f, 4))}" for f in named]
    seed = f"seed {own.get('seed', 0)}"
    # A name may be cut: the run's params have all values.
    return f"{_cut(' '.join(parts), _NAME_LENGTH - len(seed) - 1)} {seed}".strip()


def trial_params(record: TrialRecord) -> dict[str, str]:
    """The MLflow params of a trial."""
    return {name: _cut(str(value), _PARAM_LENGTH) for name, value in fields(record.spec).items()}


def name_digits(sweep: Mapping[str, Any]) -> dict[str, int]:
    """For each field that varies in a sweep, the significant digits at which its values differ."""
    digits: dict[str, int] = {}
    for field, values in {**(sweep.get("space") or {}), **sweep["grid"]}.items():
        if isinstance(values, Mapping):
            digits[field] = range_digits(values["low"], values["high"])
        else:
            digits[field] = distinct_digits(v for v in values if isinstance(v, float))
    return digits


def trial_metrics(record: TrialRecord) -> list[tuple[str, float, int]]:
    """(name, value, step) of every measurement of a trial.

    A history is thinned to 8 steps, spaced evenly from the first epoch (step 1) to the last: MLflow
    needs 0.1 ms for each value. `history.json` has the whole history. Final measurements (step 0)
    are rounded to six digits, to fit a column in MLflow's UI; the record has all digits. A trial
    with a result is not on the front until `front_metrics` say so.
    """
    found: list[tuple[str, float | None, int]] = []
    if record.test:
        found.append((_ON_FRONT, 0.0, 0))
    for prefix, metrics in (("", record.test), ("validation/", record.validation)):
        found += [
            (prefix + name, _rounded(getattr(metrics, name, None)), 0) for name in _FINAL_METRICS
        ]
        for task, task_metrics in metrics.tasks.items() if metrics else ():
            found += [
                (f"{prefix}{task}/{name}", _rounded(getattr(task_metrics, name)), 0)
                for name in _TASK_METRICS
            ]
    for name, values in record.history.items():
        key = "history/" + re.sub(r"[^/\w.\- :]", "_", name)
        found += [(key, values[i], i + 1) for i in _thinned(len(values))]
    return [(name, value, step) for name, value, step in found if value is not None]


def front_metrics(point: Point) -> dict[str, float]:
    """The metrics that say where a trial lies: `on_front` (1 or 0) and `hull_gap_bits`."""
    metrics = {_ON_FRONT: float(point.on_front)}
    if point.hull_gap_bits is not None:
        metrics[_HULL_GAP] = float(f"{point.hull_gap_bits:.6g}")
    return metrics


def logged_front_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The `front_metrics` that a trial's run has; empty if the run is not on the front."""
    if metrics.get(_ON_FRONT) != 1:
        return {}
    return {name: metrics[name] for name in (_ON_FRONT, _HULL_GAP) if name in metrics}


def sweep_params(spec: SweepSpec) -> dict[str, str]:
    """The MLflow params of a sweep."""
    axes = {f"grid.{field}": _axis(values) for field, values in spec.grid.items()}
    named = {kind: getattr(spec, kind).name for kind in ("model", "objective", "weighting")}
    preset = {"preset": spec.preset} if spec.preset else {}
    return {
        "method": spec.method,
        **preset,
        "search": spec.search,
        "trials": str(spec.trials),
        "seeds": _text(spec.seeds),
        "data": spec.data.name,
        **named,
        "training.epochs": str(spec.training.epochs),
        **axes,
    }


def ruler_params(ruler: Ruler) -> dict[str, str]:
    """The MLflow params of a ruler."""
    return {
        "reference_rate_bits": _text(ruler.reference.rate_bits),
        "reference_lost_bits": _text(ruler.reference.lost_bits),
        "label_entropy_bits": _text(ruler.label_entropy_bits),
    }


def _as_tags(name: str, text: str) -> dict[str, str]:
    """Split a text into tags `name`, `name.1` and so on: databases limit a tag's length."""
    parts = [text[i : i + _TAG_LENGTH] for i in range(0, len(text), _TAG_LENGTH)]
    return {f"{name}.{i}" if i else name: part for i, part in enumerate(parts)}


def _from_tags(name: str, tags: Tags) -> str:
    further = takewhile(tags.__contains__, (f"{name}.{i}" for i in count(1)))
    return tags[name] + "".join(tags[part] for part in further)


def _thinned(length: int) -> list[int]:
    if length <= _HISTORY_STEPS:
        return list(range(length))
    return [round(i * (length - 1) / (_HISTORY_STEPS - 1)) for i in range(_HISTORY_STEPS)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _axis(values: tuple[Any, ...]) -> str:
    if len(values) <= 4:
        return _text(values)
    return f"{_text(values[0])} … {_text(values[-1])} ({len(values)} values)"


def _cut(text: str, length: int) -> str:
    """The text, cut to a length that MLflow and every database accept."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _text(value: Any, digits: int = 4) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(v, digits) for v in value)
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)
