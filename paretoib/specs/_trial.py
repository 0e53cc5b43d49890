"""One trial, fully written out."""

import hashlib
import json
from collections.abc import Iterable, Mapping
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
from paretoib.specs._unknown_fields import unknown_field
from paretoib.weighting import WEIGHTINGS

_PER_TRIAL: JsonDict = {"per_trial": True}


class Training(Document):
    """How a trial is trained: the optimisers and schedules that the papers use."""

    epochs: int = Field(50, ge=1, le=100_000, description="passes over the training data")
    batch_size: int = Field(128, ge=1, le=1_000_000, description="examples a step")
    optimiser: Literal["adam", "adadelta", "adagrad", "sgd"] = Field(
        "adam", description="adadelta and adagrad: as imb; a learning rate near 1 suits adadelta"
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=10, description="the optimiser's step size", json_schema_extra=_PER_TRIAL
    )
    schedule: Literal["constant", "exponential", "step", "plateau"] = Field(
        "constant",
        description="of the learning rate: times `decay` each epoch (exponential), every "
        "`patience` epochs (step), or when validation has not improved for more of them (plateau)",
    )
    decay: float = Field(0.97, gt=0, lt=1, description="factor of the schedule")
    patience: int = Field(10, ge=1, description="epochs between two decays (step, plateau)")
    clip_norm: float | None = Field(None, gt=0, description="most that a step's gradient norm is")
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="bf16: mixed precision, on CUDA alone"
    )


class TrialSpec(Document):
    """What fixes a trial's result: data, model, objective, weighting, training, seed."""

    schema_version: Literal[1] = Field(1, alias="schema")
    data: SerializeAsAny[Section]
    model: SerializeAsAny[Section]
    objective: SerializeAsAny[Section]
    weighting: SerializeAsAny[Section]
    training: Training = Training()
    seed: int = Field(0, ge=0, lt=2**31)

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @model_validator(mode="after")
    def _combination(self) -> Self:
        check_combination(self.data, self.model, self.objective, self.weighting)
        return self

    @cached_property
    def key(self) -> str:
        """The trial's identity: a hash of everything that fixes its result."""
        return _digest(self.document)

    @cached_property
    def pack_key(self) -> str:
        """Equal for trials that one pack can train together."""
        document = {k: v for k, v in self.document.items() if k != "seed"}
        for kind in (*REGISTRIES, "training"):
            section = type(getattr(self, kind))
            # Of a list that may differ, the length may not: it is a tensor's shape.
            document[kind] = {
                k: len(v) if is_per_trial(section, k) else v
                for k, v in document[kind].items()
                if isinstance(v, list) or not is_per_trial(section, k)
            }
        return _digest(document)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that Y is made of; none where it is one."""
        return DATASETS[self.data.name].tasks_of(self.data.params)

    @property
    def weighs_compression(self) -> bool:
        """Whether the weighting has a β, and the objective a loss for it."""
        return "beta" in self.weighting.params and len(OBJECTIVES[self.objective.name].losses) > 1

    @property
    def least_epochs(self) -> int:
        """Epochs that training takes at least: one a layer, where layers are trained in turn."""
        greedy = OBJECTIVES[self.objective.name].greedy
        return MODELS[self.model.name].layers_of(self.model.params) if greedy else 1

    def resolve(self, field: str, beside: Iterable[str] = ()) -> str:
        """The full name `section.field` of a field given by either name; `SpecError` if none.

        The bare name is enough wherever one section alone has it. What the caller takes `beside`
        the trial's fields is named in the error.
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
            raise unknown_field(field, sorted(matches), "is in several sections: name one")
        names = sorted({name for _, name in self._fields()} | {"seed", *beside})
        where = f"of {self._described()}"
        if field in ("beta", "weighting.beta") and WEIGHTINGS[self.weighting.name].losses[1] > 1:
            where += f", where weighting `{self.weighting.name}` sets the weights itself"
        raise unknown_field(field, names, where)

    def full_names(
        self, fields: Mapping[Any, Any], what: str, beside: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The same fields under their full names; `SpecError` for one that the trial has not.

        `what` the fields are for, and what may stand `beside` them, are named in errors.
        """
        full = {self.resolve(str(name), beside): value for name, value in fields.items()}
        if len(full) < len(fields):
            raise SpecError(f"{what}: should name each field once; found {preview(list(fields))}")
        return full

    def get(self, field: str) -> Any:
        """The value of a field, by its full or bare name."""
        section, _, name = self.resolve(field).partition(".")
        return getattr(getattr(self, section), name) if name else self.seed

    def with_fields(self, changes: Mapping[str, Any]) -> "TrialSpec":
        """The same trial with some fields changed, validated anew."""
        document = self.document
        for field, value in changes.items():
            section, _, name = self.resolve(field).partition(".")
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

    def _described(self) -> str:
        return f"{self.objective.name} + {self.weighting.name} on {self.data.name}"


def check_combination(
    data: Section, model: Section, objective: Section, weighting: Section
) -> None:
    """Refuse sections that make no sense together (`ValueError`, for a validator)."""
    tasks = DATASETS[data.name].tasks_of(data.params)
    if tasks and not OBJECTIVES[objective.name].several_tasks:
        raise ValueError(
            f"objective `{objective.name}` needs one task; data set `{data.name}` has "
            f"{len(tasks)} ({', '.join(tasks)}): choose one as `task`"
        )
    smoothed = [k for k in ("label_smoothing", "confidence_penalty") if objective.params.get(k)]
    if DATASETS[data.name].continuous and (OBJECTIVES[objective.name].classes or smoothed):
        what = " with ".join([f"objective `{objective.name}`", *smoothed[:1]])
        raise ValueError(f"{what} needs classes; data set `{data.name}` has a continuous Y")
    way = WEIGHTINGS[weighting.name]
    losses = OBJECTIVES[objective.name].losses_of(tasks if way.each_task else ())
    least, most = way.losses
    if not least <= len(losses) <= most:
        span = str(least) if least == most else f"{least} to {most}"
        raise ValueError(
            f"weighting `{weighting.name}` weighs {span} losses; "
            f"objective `{objective.name}` has {len(losses)} ({', '.join(losses)})"
        )
    kind, inputs = DATASETS[data.name].kind, MODELS[model.name].inputs
    if kind not in inputs:
        raise ValueError(
            f"model `{model.name}` takes inputs of kind {' or '.join(inputs)}; "
            f"data set `{data.name}` has kind {kind}"
        )
    noise = OBJECTIVES[objective.name].noise_of(objective.params)
    if MODELS[model.name].sigmoid and noise not in ("bernoulli", "none"):
        raise ValueError(
            f"model `{model.name}` takes objectives whose noise is bernoulli or none; "
            f"objective `{objective.name}` has {noise}"
        )
    chosen = weighting.params
    if (weights := chosen.get("task_weights")) and len(weights) != max(1, len(tasks)):
        raise ValueError(
            f"weighting.task_weights: should be {max(1, len(tasks))}, one a task; "
            f"found {preview(list(weights))}"
        )
    if chosen.get("gradient") == "latent" and MODELS[model.name].layers_of(model.params) > 1:
        raise ValueError(
            f"weighting.gradient: should be parameters where model `{model.name}` has hidden "
            "layers, which are between the encoder's output and Z; found latent"
        )
    if chosen.get("gradient") == "latent" and chosen.get("over") == "all":
        raise ValueError(
            "weighting.over: should be shared where weighting.gradient is latent; found all"
        )


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
