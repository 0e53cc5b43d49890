"""The spec of one trial."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, SerializeAsAny, field_validator, model_validator
from pydantic.config import JsonDict

from paretoib.data import DATASETS
from paretoib.documents import Document, preview
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.specs._sections import REGISTRIES, Section, is_per_trial, parse_section
from paretoib.specs._unknown_fields import ambiguous_field, unknown_field
from paretoib.weighting import WEIGHTINGS

_PER_TRIAL: JsonDict = {"per_trial": True}


class Training(Document):
    """Optimiser, schedule and length of a trial's training."""

    epochs: int = Field(50, ge=1, le=100_000, description="passes over the training data")
    batch_size: int = Field(128, ge=1, le=1_000_000, description="examples for each step")
    optimiser: Literal["adam", "adadelta", "adagrad", "sgd"] = Field(
        "adam", description="imb uses adadelta and adagrad; adadelta needs a learning rate near 1"
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=10, description="the optimiser's step size", json_schema_extra=_PER_TRIAL
    )
    schedule: Literal["constant", "exponential", "step", "plateau"] = Field(
        "constant",
        description="multiplies the learning rate by `decay` after each epoch (exponential), every "
        "`patience` epochs (step), or after more than `patience` epochs without a lower mean "
        "training loss (plateau)",
    )
    decay: float = Field(0.97, gt=0, lt=1, description="factor on the learning rate")
    patience: int = Field(
        10,
        ge=1,
        description="step: epochs between decays; plateau: tolerated epochs without improvement",
    )
    adam_beta1: float = Field(
        0.9, ge=0, lt=1, description="β₁ of adam, the decay of its mean gradient"
    )
    weight_average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay of an exponential average of the model's weights, which is measured "
        "instead of the weights; 0: no average; 0.999 in Alemi et al. 2017",
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of a gradient")
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="bf16: mixed precision, only on CUDA"
    )


class TrialSpec(Document):
    """Everything that determines a trial: data, model, objective, weighting, training, seed."""

    schema_version: Literal[1] = Field(1, alias="schema")
    data: SerializeAsAny[Section]
    model: SerializeAsAny[Section]
    objective: SerializeAsAny[Section]
    weighting: SerializeAsAny[Section]
    training: Training = Training()
    seed: int = Field(0, ge=0, lt=2**31)

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse_section(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_combination(self.data, self.model, self.objective, self.weighting)
        if self.objective.params.get("covariance") == "full":
            check_batch_size(self.objective.name, self.model["latent"], self.training.batch_size)
        return self

    @cached_property
    def key(self) -> str:
        """The trial key: a hash of the spec."""
        return _hash(self.document)

    @cached_property
    def pack_key(self) -> str:
        """A hash that is equal for all trials that can train in one pack."""
        document = {k: v for k, v in self.document.items() if k != "seed"}
        for kind in (*REGISTRIES, "training"):
            section = type(getattr(self, kind))
            # A list may differ within a pack, but its length may not: it is a tensor's shape.
            document[kind] = {
                k: len(v) if is_per_trial(section, k) else v
                for k, v in document[kind].items()
                if isinstance(v, list) or not is_per_trial(section, k)
            }
        return _hash(document)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks; empty if Y is a single task."""
        return DATASETS[self.data.name].tasks_of(self.data.params)

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of the losses, predictions first."""
        return _losses(self.objective, self.model, self.tasks)

    @property
    def weighs_compression(self) -> bool:
        """Whether the weighting has a β and the objective a compression loss that β weighs."""
        return "beta" in self.weighting.params and len(OBJECTIVES[self.objective.name].losses) > 1

    @property
    def min_epochs(self) -> int:
        """The minimum number of epochs: one for each layer if the objective is greedy, else one."""
        greedy = OBJECTIVES[self.objective.name].greedy
        return MODELS[self.model.name].layers_of(self.model.params) if greedy else 1

    def full_name(self, field: str, others: Iterable[str] = ()) -> str:
        """The full name `section.field` of a field.

        The bare name is enough if only one section has the field. Raises `SpecError` for an unknown
        field; the text lists the trial's fields, and `others`, which are further names that the
        caller accepts.
        """
        if field == "seed":
            return field
        known = {f"{kind}.{name}" for kind, name in self._fields()}
        if field in known:
            return field
        matches = [full for full in known if full.partition(".")[2] == field]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ambiguous_field(field, sorted(matches))
        names = sorted({name for _, name in self._fields()} | {"seed", *others})
        raise unknown_field(field, names, {kind: getattr(self, kind).name for kind in REGISTRIES})

    def full_names(
        self, fields: Mapping[Any, Any], label: str, others: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The same values under the full names of their fields.

        Raises `SpecError` for an unknown field, as `full_name` does, and for a field that is given
        under its full and its bare name. The text of the second error begins with `label`.
        """
        full = {self.full_name(str(name), others): value for name, value in fields.items()}
        if len(full) < len(fields):
            raise SpecError(f"{label}: should name each field once; found {preview(list(fields))}")
        return full

    def get(self, field: str) -> Any:
        """The value of a field, by its full or bare name."""
        section, _, name = self.full_name(field).partition(".")
        return getattr(getattr(self, section), name) if name else self.seed

    def with_fields(self, changes: Mapping[str, Any]) -> "TrialSpec":
        """A trial with some fields changed; raises `SpecError` for invalid values."""
        document = self.document
        for field, value in changes.items():
            section, _, name = self.full_name(field).partition(".")
            if name:
                document[section][name] = value
            else:
                document["seed"] = value
        return TrialSpec.from_document(document)

    def _fields(self) -> list[tuple[str, str]]:
        sections: dict[str, type[BaseModel]] = {
            kind: type(getattr(self, kind)) for kind in (*REGISTRIES, "training")
        }
        return [(k, n) for k, s in sections.items() for n in s.model_fields if n != "name"]


def check_combination(
    data: Section, model: Section, objective: Section, weighting: Section
) -> None:
    """Refuse sections that do not fit together; raises `SpecError`."""
    tasks = DATASETS[data.name].tasks_of(data.params)
    if tasks and not OBJECTIVES[objective.name].several_tasks:
        raise SpecError(
            f"objective `{objective.name}` needs one task; data set `{data.name}` has "
            f"{len(tasks)} ({', '.join(tasks)}): choose one as `task`"
        )
    smoothed = [k for k in ("label_smoothing", "confidence_penalty") if objective.params.get(k)]
    if DATASETS[data.name].continuous and (OBJECTIVES[objective.name].classes or smoothed):
        option = " with ".join([f"objective `{objective.name}`", *smoothed[:1]])
        raise SpecError(f"{option} needs classes; data set `{data.name}` has a continuous Y")
    weighting_entry = WEIGHTINGS[weighting.name]
    losses = _losses(objective, model, tasks if weighting_entry.each_task else ())
    low, high = weighting_entry.losses
    if not low <= len(losses) <= high:
        span = str(low) if low == high else f"{low} to {high}"
        raise SpecError(
            f"weighting `{weighting.name}` weighs {span} losses; "
            f"objective `{objective.name}` has {len(losses)} ({', '.join(losses)})"
        )
    kind, inputs = DATASETS[data.name].kind_of(data.params), MODELS[model.name].inputs
    if kind not in inputs:
        raise SpecError(
            f"model `{model.name}` takes inputs of kind {' or '.join(inputs)}; "
            f"data set `{data.name}` has kind {kind}"
        )
    noise = OBJECTIVES[objective.name].noise_of(objective.params)
    if MODELS[model.name].sigmoid and noise not in ("bernoulli", "none"):
        raise SpecError(
            f"model `{model.name}` takes objectives whose noise is bernoulli or none; "
            f"objective `{objective.name}` has noise {noise}"
        )
    _check_layers(model, objective)
    params = weighting.params
    if (weights := params.get("task_weights")) and len(weights) != max(1, len(tasks)):
        raise SpecError(
            f"weighting.task_weights: should have {max(1, len(tasks))} values, one for each task; "
            f"found {preview(list(weights))}"
        )
    if params.get("gradient") == "latent" and MODELS[model.name].layers_of(model.params) > 1:
        raise SpecError(
            f"weighting.gradient: should be `parameters`, because model `{model.name}` has hidden "
            "layers between the encoder's output and Z; found `latent`"
        )
    if params.get("gradient") == "latent" and params.get("over") == "all":
        raise SpecError(
            "weighting.over: should be `shared` if weighting.gradient is `latent`; found `all`"
        )


def check_batch_size(objective: str, latent: int, batch_size: int) -> None:
    """Refuse batches from which a full covariance of Z cannot be estimated; raises `SpecError`."""
    if batch_size <= latent:
        raise SpecError(
            f"training.batch_size: should be above {latent}, the dimensions of the latent, because "
            f"objective `{objective}` with covariance `full` estimates a covariance from each "
            f"batch; found {batch_size}: use larger batches or covariance `diagonal`"
        )


def _losses(objective: Section, model: Section, tasks: Sequence[str]) -> tuple[str, ...]:
    """The names of the losses on data with these tasks."""
    layers = MODELS[model.name].layers_of(model.params)
    return OBJECTIVES[objective.name].losses_of(tasks, objective.params, layers)


def _check_layers(model: Section, objective: Section) -> None:
    """Refuse weights of the losses of layers unless there is one for each layer."""
    layers = MODELS[model.name].layers_of(model.params)
    counts = {
        "relative_betas": (layers, f"one for each of the {layers} binary layers"),
        "gammas": (layers + 1, f"one for each l = 0, …, {layers}"),
    }
    for name, (count, meaning) in counts.items():
        values = objective.params.get(name)
        if values and len(values) != count:
            raise SpecError(
                f"objective.{name}: should be empty or have {count} values, {meaning}; "
                f"found {preview(list(values))}"
            )


def _hash(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
