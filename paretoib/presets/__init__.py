"""Presets: the protocols of the papers' tables and figures. `PRESETS` lists them by name.

Each preset is a YAML file of this package, `PAPER-TABLE.yaml`, with the keys of `Preset`. A file
with the key `base` starts from another preset: its `sweep` and `ours` are merged into those of the
base, and its other keys replace those of the base. Papers have the short names of
`paretoib.objectives`.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import Field

from paretoib.documents import Document, load_yaml

__all__ = ["PRESETS", "Preset", "PresetData", "PresetMethod", "by_field", "merged"]


class PresetData(Document):
    """What differs on one data set, for all methods (`sweep`) and for single `methods`."""

    sweep: Mapping[str, Any] = {}
    methods: Mapping[str, Mapping[str, Any]] = {}


class PresetMethod(Document):
    """The rows of one method, by the paper's labels, each with the values that differ from `sweep`.

    A sweep has the values of the first row. `ours` are the fields of these rows whose values the
    paper does not give, by full name, with the reasons for the values.
    """

    rows: Mapping[str, Mapping[str, Any]] = Field(min_length=1)
    ours: Mapping[str, str] = {}


class Preset(Document):
    """The protocol of a table or a figure.

    - `title`: what the table shows. `paper`, `table` and `source`: the paper, its table or figure,
      and the parts of the paper that give the protocol.
    - `sweep`: the values that all methods and data sets share.
    - `data`: the data sets; the first is the default. On a data set that is not listed, a sweep
      has the values of the first, without its `data` section.
    - `methods`: the methods of the table.
    - `ours`: the fields whose values the paper does not give, by full name, with the reasons for
      the values.
    - `differs`: what the paper does and paretoib does not.
    """

    title: str
    paper: str
    table: str
    source: str
    sweep: Mapping[str, Any]
    data: Mapping[str, PresetData] = Field(min_length=1)
    methods: Mapping[str, PresetMethod] = Field(min_length=1)
    ours: Mapping[str, str] = {}
    differs: tuple[str, ...] = ()

    @property
    def citation(self) -> str:
        """The paper and its table or figure, such as `mib table 1`."""
        return f"{self.paper} {self.table}"

    def values(
        self, method: str, data: str | None = None, row: str | None = None
    ) -> dict[str, Any]:
        """The preset's part of the document of a sweep.

        `method` should be one of `methods`, and `row` one of its rows. Without `row`, the values
        are those of the first row; without `data`, those of the first data set.
        """
        listed = data if data and data in self.data else next(iter(self.data))
        of_data, rows = self.data[listed], self.methods[method].rows
        values = merged(
            {"data": {"name": listed}},
            self.sweep,
            of_data.sweep,
            rows[row] if row else next(iter(rows.values())),
            of_data.methods.get(method, {}),
        )
        return values if data in (None, listed) else {**values, "data": {"name": data}}

    def reasons(self, method: str) -> dict[str, str]:
        """The fields of a sweep of this method whose values the paper does not give: reasons."""
        return {**self.ours, **self.methods[method].ours}


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge documents of sweeps, field by field; later values win.

    A section with another name replaces the section and all its fields.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if isinstance(value, Mapping) and isinstance(old, Mapping):
                replaced = {"name"} <= value.keys() & old.keys() and value["name"] != old["name"]
                result[key] = dict(value) if replaced else {**old, **value}
            else:
                result[key] = value
    return result


def by_field(document: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a sweep's document by field, such as `model.latent`.

    A section's own name, such as `model`, stands for the name in the section. The value of a varied
    field is the list of its values, a single value, or a range.
    """
    values: dict[str, Any] = {}
    axes = {**(document.get("grid") or {}), **(document.get("space") or {})}
    for key, value in document.items():
        if key not in ("grid", "space") and isinstance(value, Mapping):
            values |= {key if f == "name" else f"{key}.{f}": v for f, v in value.items()}
        elif key not in ("grid", "space"):
            values[key] = value
    for field, axis in axes.items():
        values[field] = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    return values


class _Files(Mapping[str, Preset]):
    """The presets in the YAML files of this package; a file is read at first use."""

    def __getitem__(self, name: str) -> Preset:
        if name not in _files():
            raise KeyError(name)
        return _preset(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_files())

    def __len__(self) -> int:
        return len(_files())


PRESETS = _Files()


@cache
def _files() -> dict[str, Traversable]:
    found = {file.name: file for file in files(__name__).iterdir()}
    return {n.removesuffix(".yaml"): found[n] for n in sorted(found) if n.endswith(".yaml")}


@cache
def _preset(name: str) -> Preset:
    return Preset.from_document(_document(name))


def _document(name: str) -> dict[str, Any]:
    """The document of a preset, with what it takes from its base."""
    document: dict[str, Any] = load_yaml(_files()[name].read_text(encoding="utf-8"))
    if not (base := document.pop("base", None)):
        return document
    inherited = _document(base)
    for key in ("sweep", "ours"):
        document[key] = merged(inherited.get(key, {}), document.get(key, {}))
    return {**inherited, **document}
