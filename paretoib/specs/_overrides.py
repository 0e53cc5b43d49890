"""Sweeps from a document with overrides, and documents without their defaults."""

from collections.abc import Mapping
from typing import Any

from paretoib.documents import preview
from paretoib.errors import SpecError
from paretoib.specs._defaults import (
    Counts,
    SearchDefaults,
    fill_in,
    fill_sections,
    template_of,
    trials_per_seed,
)
from paretoib.specs._limits import Resources
from paretoib.specs._methods import SEARCHES
from paretoib.specs._sections import REGISTRIES
from paretoib.specs._sweep import SweepSpec

# The defaults of each row follow from the rows before it, and from `_GIVEN`.
_GIVEN = ("method", "data")
_ROWS = (
    ("objective", "weighting", "search"),
    ("model",),
    ("training", "seeds", "name"),
    ("trials",),
    ("grid", "space", "population"),
)


def with_overrides(
    document: Mapping[str, Any],
    fields: Mapping[str, Any] | None = None,
    grid: Mapping[str, Any] | None = None,
    space: Mapping[str, Any] | None = None,
) -> SweepSpec:
    """A document with single fields set over it, each by its full or bare name.

    A section's name (`objective=vib_squared`) exchanges the section; fields then set belong
    to the new one. What is set here, no search varies by itself: neither the default grid of
    β nor the default space, which has shorter training than `epochs` all the same.
    """
    filled, fields = dict(document), dict(fields or {})
    for kind in REGISTRIES:
        if kind in fields:
            filled[kind] = fields.pop(kind)
    # The sweep's own, which no trial has.
    for field in [f for f in fields if f.startswith("resources.")]:
        held = filled.get("resources") or {}
        filled["resources"] = {**held, field.partition(".")[2]: fields.pop(field)}
    if not (fields or grid or space):
        return SweepSpec.from_document(filled)
    named = fill_sections(filled)
    template = template_of(named)
    varied = SearchDefaults(named["method"], named["search"], template).varied
    own = (*REGISTRIES, *(f"resources.{name}" for name in Resources.model_fields))
    fields = template.full_names(fields, "fields", own)
    for field, value in fields.items():
        section, _, name = field.partition(".")
        if not name:
            raise SpecError(f"{field}: should be set as seeds of the sweep; found {preview(value)}")
        held = filled.get(section, template.document[section])
        filled[section] = {**({"name": held} if isinstance(held, str) else held), name: value}
    # What is set is no longer varied; of epochs it is the longest training that is set.
    fixed = {f: [v] for f, v in fields.items() if f in varied and f != "training.epochs"}
    axes = template.full_names(grid or {}, "grid")
    ranges = template.full_names(space or {}, "space")
    if both := fields.keys() & {*axes, *ranges}:
        raise SpecError(f"{min(both)}: should be set, or be varied; found both")
    axes = fixed | axes
    over = {*fields, *axes, *ranges}
    for kind, new in (("grid", axes), ("space", ranges)):
        held = filled.get(kind, {})
        if over and isinstance(held, Mapping):
            kept = {f: v for f, v in template.full_names(held, kind).items() if f not in over}
            filled[kind] = kept | new
    return SweepSpec.from_document(filled)


def without_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what follows from the rest of it: it fills in to the same sweep.

    Where its method, data set, model or search are exchanged, what is left takes the defaults
    of the new ones. What cannot be filled in is left, for whoever reads it to refuse.
    """
    kept, base = dict(document), {key: document[key] for key in _GIVEN if key in document}
    for row in _ROWS:
        try:
            default = fill_in(base)
        except SpecError:
            break
        for key in kept.keys() & set(row):
            own = _fields(kept[key]) if key in REGISTRIES else kept[key]
            if key in (*REGISTRIES, "training") and isinstance(own, Mapping):
                own = _beyond(own, default[key])
            if own in (default[key], None):
                del kept[key]
            else:
                kept[key] = base[key] = own
    return kept


def with_seed_count(document: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    """The document with its trials counted for so many seeds.

    Only a search that trains each setting for every seed has its trials counted anew. Raises
    `SpecError` for trials that are no multiple of the document's own seeds.
    """
    if "trials" not in document:
        return dict(document)
    filled = fill_sections(document)
    if not SEARCHES[filled["search"]].every_seed:
        return dict(document)
    counts = Counts.of(filled)
    return {**document, "trials": trials_per_seed(counts.trials, len(counts.seeds)) * seeds}


def _fields(section: Any) -> Any:
    return {"name": section} if isinstance(section, str) else section


def _beyond(section: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a section that differ from the default's, with its name; None: none do."""
    if section.get("name") != default.get("name"):
        return dict(section)
    own = {field: value for field, value in section.items() if value != default.get(field)}
    return {**{k: v for k, v in section.items() if k == "name"}, **own} if own else None
