"""What a document says beyond the defaults of its method and data set."""

from collections.abc import Callable, Mapping
from typing import Any

from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES

# The defaults of each row follow from the rows before it, and from `_GIVEN`.
_GIVEN = ("method", "data")
_ROWS = (
    ("objective", "weighting", "search"),
    ("model",),
    ("training", "seeds", "name"),
    ("trials",),
    ("grid", "space", "population"),
)


def chosen(
    filled_in: Callable[[Mapping[str, Any]], Mapping[str, Any]], document: Mapping[str, Any]
) -> dict[str, Any]:
    """The document without what its sweep has in any case; `filled_in` gives one every default.

    What cannot be filled in is left, for whoever reads it to refuse.
    """
    kept, base = dict(document), {key: document[key] for key in _GIVEN if key in document}
    for row in _ROWS:
        try:
            default = filled_in(base)
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


def _fields(section: Any) -> Any:
    return {"name": section} if isinstance(section, str) else section


def _beyond(section: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a section that differ from the default's, with its name; None: none do."""
    if section.get("name") != default.get("name"):
        return dict(section)
    own = {field: value for field, value in section.items() if value != default.get(field)}
    return {**{k: v for k, v in section.items() if k == "name"}, **own} if own else None
