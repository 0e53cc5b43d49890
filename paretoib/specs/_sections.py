"""Sections of a spec: the name of a registry entry, and values of its hyperparameters.

The pydantic model of a section is created from the entry. A new objective therefore has validated
fields without a change in this package. In JSON and YAML a section is
`{"name": "vib", "prior_width": 1.0}`, or only the name, or `npz:PATH` for the data set `npz`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from paretoib.data import DATASETS
from paretoib.documents import Document, as_spec_error, preview
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Entry, Param, load_target, lookup
from paretoib.weighting import WEIGHTINGS

REGISTRIES: dict[str, Mapping[str, Entry]] = {
    "data": DATASETS,
    "model": MODELS,
    "objective": OBJECTIVES,
    "weighting": WEIGHTINGS,
}
_LABELS = {"data": "dataset", "model": "model", "objective": "objective", "weighting": "weighting"}
_SHORT_NAMES = {
    "weighting.beta": "β",
    "weighting.mu": "μ",
    "weighting.preference": "λ",
    "objective.prior_width": "σ",
    "training.learning_rate": "lr",
    "model.initial_scale": "init",
    "model.initial_noise": "noise",
}


class Section(Document):
    """Base class of sections: the name of a registry entry; subclasses add the parameters."""

    name: str

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters, without the name."""
        return {k: getattr(self, k) for k in type(self).model_fields if k != "name"}

    def __getitem__(self, param: str) -> Any:
        return getattr(self, param)

    def is_per_trial(self, param: str) -> bool:
        """Whether the parameter may differ between the trials of a pack."""
        return is_per_trial(type(self), param)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is created at run time, so pickle cannot import it by name.
        kind = type(self).__name__.partition(":")[0]
        return parse_section, (kind, {"name": self.name, **self.params})


def param_field(param: Param) -> Any:
    """The pydantic field of a hyperparameter."""
    return Field(
        param.default,
        description=param.doc,
        json_schema_extra={"per_trial": param.per_trial},
        **param.constraints,
    )


@cache
def section_model(kind: str, name: str) -> type[Section]:
    """The pydantic model of section `kind` for entry `name`; `SpecError` for an unknown name."""
    entry = lookup(REGISTRIES[kind], name, _LABELS[kind])
    fields: dict[str, Any] = {"name": (Literal[name], name)}
    fields |= {p.name: (p.kind, param_field(p)) for p in entry.params}
    return create_model(
        f"{kind}:{name}",
        __base__=Section,
        __doc__=entry.summary,
        **fields,
    )


def as_mapping(section: Any) -> Any:
    """A mapping for a section that is given as text; any other value unchanged.

    The text is a name, or NAME:PATH for a section with a field `path`.
    """
    if not isinstance(section, str):
        return section
    name, colon, path = section.partition(":")
    return {"name": name, "path": path} if colon else {"name": name}


def parse_section(kind: str, value: Any) -> Any:
    """Validate a section from a name, a mapping with a name, or a section; raises `SpecError`."""
    if isinstance(value, Section):
        value = {"name": value.name, **value.params}
    value = as_mapping(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise SpecError(
            f"{kind}: should be a name or a mapping with a `name`; found {preview(value)}"
        )
    model = section_model(kind, value["name"])
    if complete := REGISTRIES[kind][value["name"]].complete:
        value = load_target(complete)(value)
    with as_spec_error(model, f"{kind}."):
        return model.model_validate(dict(value))


def is_per_trial(model: type[BaseModel], field: str) -> bool:
    """Whether a field of a section may differ between the trials of a pack."""
    extra = model.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("per_trial"))


def short_name(field: str) -> str:
    """A name for tables and pictures, such as β for `weighting.beta`, or else the bare name."""
    return _SHORT_NAMES.get(field, field.rpartition(".")[2])
