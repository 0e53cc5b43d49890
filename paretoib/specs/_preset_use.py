"""What a sweep has from its preset, and what was changed from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoib.presets import PRESETS, Preset, by_field
from paretoib.registry import lookup
from paretoib.specs._presets import preset_values
from paretoib.specs._sweep import SweepSpec

# Fields that belong to no protocol, or that follow from others.
_NOT_COMPARED = {"schema", "name", "preset", "method", "resources", "trials", "population"}


@dataclass(frozen=True)
class PresetUse:
    """A sweep beside the row of its preset that is most like it.

    `changed` maps the fields that differ to their values in the row and in the sweep; None stands
    for a missing field. `ours` maps the unchanged fields whose values the paper does not give to
    the reasons for the values. Fields are those of `paretoib.presets.by_field`.
    """

    name: str
    preset: Preset
    row: str
    changed: Mapping[str, tuple[Any, Any]]
    ours: Mapping[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """The name, the row and the changed fields, as JSON values."""
        changed = {f: {"preset": old, "sweep": new} for f, (old, new) in self.changed.items()}
        return {"name": self.name, "row": self.row, "changed": changed}

    def __str__(self) -> str:
        """The preset, the row and the changed fields, in one line."""
        changes = ", ".join(
            f"{field} {_text(new)} (preset: {_text(old)})"
            for field, (old, new) in self.changed.items()
        )
        changed = f"changed: {changes}" if changes else "nothing changed"
        return f"{self.name} ({self.preset.citation}), row {self.row}; {changed}"


def preset_use(spec: Mapping[str, Any]) -> PresetUse | None:
    """How a sweep uses its preset; None without a preset. `spec` is a `SweepSpec.document`.

    Raises `SpecError` if this version has no such preset, or the preset no such method.
    """
    if not (name := spec.get("preset")):
        return None
    preset, method = lookup(PRESETS, name, "preset"), spec["method"]
    data = spec["data"]["name"] if spec["data"]["name"] in preset.data else None
    found = _compared(spec)
    uses = []
    for row in lookup(preset.methods, method, "method of the preset").rows:
        values = preset_values(preset, method, data, row)
        expected = SweepSpec.from_document({"method": method, **values}).document
        changed = _differences(_compared(expected), found)
        reasons = preset.reasons(method)
        ours = {f: reasons[f] for f in by_field(values) if f in reasons and f not in changed}
        uses.append(PresetUse(name, preset, row, changed, ours))
    return min(uses, key=lambda use: len(use.changed))


def _compared(document: Mapping[str, Any]) -> dict[str, Any]:
    return {f: v for f, v in by_field(document).items() if f.partition(".")[0] not in _NOT_COMPARED}


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that differ, with both values; of a section with another name, only the name."""
    pairs = {f: (expected.get(f), found.get(f)) for f in {**expected, **found}}
    differing = {f: pair for f, pair in pairs.items() if pair[0] != pair[1]}
    return {
        f: pair
        for f, pair in differing.items()
        if "." not in f or f.partition(".")[0] not in differing
    }


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
