"""Functions on the documents of sweeps: apply overrides, drop defaults, change seed counts."""

from collections.abc import Mapping
from typing import Any

from paretoib.documents import preview
from paretoib.errors import SpecError
from paretoib.specs._defaults import (
    SearchDefaults,
    TrialsAndSeeds,
    fill_in,
    fill_sections,
    trials_per_seed,
)
from paretoib.specs._limits import Resources
from paretoib.specs._methods import SEARCHES
from paretoib.specs._presets import with_preset
from paretoib.specs._sections import REGISTRIES, as_mapping
from paretoib.specs._sweep import SweepSpec

# The defaults of a group of fields depend on the groups above it.
_ORDER_OF_DEFAULTS = (
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
    """The spec of a document in which some fields, axes and ranges are overridden.

    Fields are given by full or bare name. The name of a section (`objective=vib_squared`) replaces
    the section, and the other fields then belong to the new section. A field that is set here is
    no longer varied by the default grid or the default space. `epochs` is an exception: a search
    may vary it up to the value that is set.

    Raises `SpecError` for an unknown field, for a field that is both set and varied, and for an
    invalid spec.
    """
    filled, fields = dict(document), dict(fields or {})
    for kind in REGISTRIES:
        if kind in fields:
            filled[kind] = fields.pop(kind)
    filled = with_preset(filled)
    # Resources belong to the sweep; trials do not have them.
    for field in [f for f in fields if f.startswith("resources.")]:
        resources = filled.get("resources") or {}
        filled["resources"] = {**resources, field.partition(".")[2]: fields.pop(field)}
    if not (fields or grid or space):
        return SweepSpec.from_document(filled)

    # Names are looked up in the trial that the sections describe, before any axis is read.
    defaults = SearchDefaults.of(fill_sections(filled))
    template = defaults.template
    others = (*REGISTRIES, *(f"resources.{name}" for name in Resources.model_fields))
    fields = template.full_names(fields, "fields", others)
    axes = template.full_names(grid or {}, "grid")
    ranges = template.full_names(space or {}, "space")
    for field, value in fields.items():
        kind, _, name = field.partition(".")
        if not name:
            rule = "should be set as `seeds` of the sweep"
            raise SpecError(f"{field}: {rule}; found {preview(value)}")
        section = as_mapping(filled.get(kind, template.document[kind]))
        filled[kind] = {**section, name: value}
    if both := fields.keys() & {*axes, *ranges}:
        raise SpecError(f"{min(both)}: should be set, or be varied; found both")

    fixed = {f: [v] for f, v in fields.items() if f in defaults.varied and f != "training.epochs"}
    axes = fixed | axes
    overridden = {*fields, *axes, *ranges}
    for kind, new in (("grid", axes), ("space", ranges)):
        existing = filled.get(kind, {})
        if overridden and isinstance(existing, Mapping):
            existing = template.full_names(existing, kind)
            filled[kind] = {f: v for f, v in existing.items() if f not in overridden} | new
    return SweepSpec.from_document(filled)


def without_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the fields of a document that only repeat defaults; the sweep stays the same.

    After a change of method, data set, model or search, the dropped fields then take the defaults
    of the new one. Fields whose default is unknown, because other fields are invalid, are kept.
    """
    kept = dict(document)
    base = {key: document[key] for key in ("preset", "method", "data") if key in document}
    for group in _ORDER_OF_DEFAULTS:
        keys = kept.keys() & set(group)
        if not keys:
            continue
        try:
            defaults = fill_in(base)
        except SpecError:
            break
        for key in keys:
            value = as_mapping(kept[key]) if key in REGISTRIES else kept[key]
            if key in (*REGISTRIES, "training") and isinstance(value, Mapping):
                value = _section_without_defaults(value, defaults[key])
            if value is None or value == defaults[key]:
                del kept[key]
            else:
                kept[key] = base[key] = value
    return kept


def with_seed_count(document: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    """Change the number of trials of a document in proportion to a new number of seeds.

    Only searches that train each setting for every seed need the change. Raises `SpecError` if the
    trials are not a multiple of the document's own seeds.
    """
    if "trials" not in document:
        return dict(document)
    filled = fill_sections(document)
    if not SEARCHES[filled["search"]].every_seed:
        return dict(document)
    counts = TrialsAndSeeds.of(filled)
    return {**document, "trials": trials_per_seed(counts.trials, len(counts.seeds)) * seeds}


def _section_without_defaults(
    section: Mapping[str, Any], default: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The name of a section and its fields that differ from the default; None if none differ.

    The whole section, if the default has another name.
    """
    if section.get("name") != default.get("name"):
        return dict(section)
    changed = {field: value for field, value in section.items() if value != default.get(field)}
    return {k: v for k, v in section.items() if k == "name" or k in changed} if changed else None
