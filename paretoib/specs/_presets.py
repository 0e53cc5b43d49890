"""The values of a preset as defaults: below the user's own values, above those of the method."""

from collections.abc import Mapping
from typing import Any

from paretoib.errors import SpecError
from paretoib.presets import PRESETS, Preset, merged
from paretoib.registry import lookup
from paretoib.specs._axes import parse_axis
from paretoib.specs._methods import METHODS
from paretoib.specs._sections import REGISTRIES, Section, as_mapping


def with_preset(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a sweep, in which its preset fills the fields that are missing.

    A document without a preset, and one that has all fields, stays as it is. A `grid` in the
    document replaces the grid of the preset, and another search removes it. A field that the
    document sets is not varied by the grid of the preset.

    Raises `SpecError` for an unknown preset or method, and for a method that the preset lacks.
    """
    if not document.get("preset"):
        return dict(document)
    preset = lookup(PRESETS, document["preset"], "preset")
    method = _method_of(preset, document)
    own = {kind: _own_section(document, kind) for kind in (*REGISTRIES, "training")}
    data = own["data"].get("name")
    values = preset_values(preset, method, data if isinstance(data, str) else None)
    sections = {kind: section for kind, section in own.items() if section}
    filled = {"method": method, **merged(values, {**document, **sections})}
    if "grid" in document:
        filled["grid"] = document["grid"]
    elif filled["search"] != values["search"]:
        del filled["grid"]
    else:
        axes = values["grid"].items()
        filled["grid"] = {field: _set_value(own, field, axis) for field, axis in axes}
    return filled


def preset_values(
    preset: Preset, method: str, data: str | None = None, row: str | None = None
) -> dict[str, Any]:
    """The values of a preset (`Preset.values`) with a search, a grid, and a name in every section.

    A β that the preset sets has an axis of one value, so that the default grid does not vary it.
    """
    known = METHODS[method]
    names = {"objective": {"name": known.objective}, "weighting": {"name": known.weighting}}
    values = merged({"search": known.search, **names}, preset.values(method, data, row))
    grid = {field: parse_axis(axis) for field, axis in values.get("grid", {}).items()}
    if "beta" in values["weighting"]:
        grid = {"weighting.beta": [values["weighting"]["beta"]], **grid}
    return {**values, "grid": grid}


def _method_of(preset: Preset, document: Mapping[str, Any]) -> str:
    """The method of a document, if the preset has it."""
    method: str = document.get("method", "mib")
    lookup(METHODS, method, "method")
    if method not in preset.methods:
        found = f"`{method}`" if "method" in document else f"none, which stands for `{method}`"
        raise SpecError(
            f"method: should be one of {', '.join(preset.methods)} with preset "
            f"`{document['preset']}`; found {found}"
        )
    return method


def _own_section(document: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The fields that a document sets in a section; empty if the section is invalid."""
    section = as_mapping(document.get(kind))
    if isinstance(section, Section):
        return {"name": section.name, **section.params}
    return section if isinstance(section, Mapping) else {}


def _set_value(own: Mapping[str, Mapping[str, Any]], field: str, axis: Any) -> Any:
    """The axis of a field, or the single value that the document sets."""
    section, _, name = field.partition(".")
    return [own[section][name]] if name in own[section] else axis
