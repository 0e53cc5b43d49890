"""Sections of a spec: a name from a registry, and the hyperparameters that its row declares.

A section's model is made from the row, so a new objective brings its own validated fields and
no class of specs changes. In JSON and YAML a section is `{"name": "vib", "prior_width": 1.0}`,
or just the name.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from paretoib.data import DATASETS
from paretoib.documents import Document, plain_errors, preview
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Entry, Param, lookup
from paretoib.weighting import WEIGHTINGS

REGISTRIES: dict[str, Mapping[str, Entry]] = {
    "data": DATASETS,
    "model": MODELS,
    "objective": OBJECTIVES,
    "weighting": WEIGHTINGS,
}
WHAT = {"data": "dataset", "model": "model", "objective": "objective", "weighting": "weighting"}
# Where there is little room: tables, pictures, names of trials.
_SHORT = {
    "weighting.beta": "β",
    "weighting.mu": "μ",
    "objective.prior_width": "σ",
    "training.learning_rate": "lr",
    "model.initial_scale": "init",
    "model.initial_noise": "noise",
}


class Section(Document):
    """A registry's name and its hyperparameters."""

    name: str

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters, without the name."""
        return {k: getattr(self, k) for k in type(self).model_fields if k != "name"}

    def __getitem__(self, param: str) -> Any:
        return getattr(self, param)

    def is_per_trial(self, param: str) -> bool:
        """Whether it may differ between the trials of one pack."""
        return is_per_trial(type(self), param)

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class is made from a registry's row: pickle finds it by no import.
        kind = type(self).__name__.partition(":")[0]
        return parse_section, (kind, {"name": self.name, **self.params})


def param_field(param: Param) -> Any:
    """The pydantic field of a declared hyperparameter."""
    return Field(
        param.default,
        description=param.doc,
        json_schema_extra={"per_trial": param.per_trial},
        **param.constraints,
    )


@cache
def section_model(kind: str, name: str) -> type[Section]:
    """The model of section `kind` when it names `name`; `SpecError` for an unknown name."""
    entry = lookup(REGISTRIES[kind], name, WHAT[kind])
    fields: dict[str, Any] = {"name": (Literal[name], name)}
    fields |= {p.name: (p.kind, param_field(p)) for p in entry.params}
    return create_model(
        f"{kind}:{name}",
        __base__=Section,
        __doc__=entry.summary,
        **fields,
    )


def parse_section(kind: str, value: Any) -> Any:
    """A section from a name, a mapping with a name, or a section; for a "before" validator."""
    if isinstance(value, Section):
        value = {"name": value.name, **value.params}
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise SpecError(
            f"{kind}: should be a name or a mapping with a `name`; found {preview(value)}"
        )
    model = section_model(kind, value["name"])
    with plain_errors(model, f"{kind}."):
        return model.model_validate(dict(value))


def is_per_trial(model: type[BaseModel], field: str) -> bool:
    """Whether a field may differ between the trials of one pack."""
    extra = model.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("per_trial"))


def short_name(field: str) -> str:
    """`weighting.beta` as β; a field without a short name by the last part of its own."""
    return _SHORT.get(field, field.rpartition(".")[2])
