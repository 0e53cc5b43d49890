"""Presets in text: one preset, and the comments on a sweep that has one."""

import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from paretoib.cli._tables import console, field_value

if TYPE_CHECKING:
    from paretoib.specs import PresetUse

_WIDTH = 100  # characters of a comment's line
_KEY = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):")


def preset(entry: Mapping[str, Any]) -> None:
    """Print a preset's entry in the catalogue: its rows, and its values with the reasons."""
    out = console()
    out.print(f"protocol: {entry['source']}")
    out.print(f"data sets: {', '.join(entry['data'])}")
    _print_values("all methods", entry["sweep"], entry["ours"])
    for name, of_data in entry["data"].items():
        _print_values(f"on {name}", of_data["sweep"], entry["ours"])
    for name, method in entry["methods"].items():
        reasons = {**entry["ours"], **method["ours"]}
        for row, values in method["rows"].items():
            _print_values(f"{name}, row {row}", values, reasons)
        for data, of_data in entry["data"].items():
            if values := of_data["methods"].get(name):
                _print_values(f"{name} on {data}", values, reasons)
    if entry["differs"]:
        out.print("differs from the paper", style="bold")
    for sentence in entry["differs"]:
        out.print(f"  - {sentence}")


def _print_values(heading: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
    """Print the values of a part of a preset under a heading."""
    from rich.table import Table

    from paretoib.presets import by_field

    console().print(heading, style="bold")
    grid = Table.grid(padding=(0, 2))
    for field, value in by_field(values).items():
        reason = f"ours: {reasons[field]}" if field in reasons else ""
        grid.add_row(f"  {field}", field_value(value), reason)
    if grid.rows:
        console().print(grid)


def commented(text: str, use: "PresetUse", varied: Sequence[str]) -> str:
    """The YAML text of a sweep, with comments on its preset and above the values that are ours.

    `varied` are the fields of the sweep's grid.
    """
    lines = _comment(f"preset {use}")
    lines += _comment(f"{use.preset.title}. Protocol: {use.preset.paper} {use.preset.source}.")
    if use.preset.differs:
        lines += _comment("Differs from the paper:")
    for sentence in use.preset.differs:
        lines += _comment(f"- {sentence}", hanging="  ")
    section = ""
    for line in text.splitlines():
        if match := _KEY.match(line):
            if not match["indent"]:
                section = match["key"]
            reason = _reason(match["key"], section if match["indent"] else "", use.ours, varied)
            lines += _comment(f"ours: {reason}", match["indent"]) if reason else []
        lines.append(line)
    return "\n".join(lines)


def _reason(
    key: str, section: str, reasons: Mapping[str, str], varied: Sequence[str]
) -> str | None:
    """The reason for the value of a key; the grid has the values of a varied field."""
    if section == "grid":
        return reasons.get(key)
    field = f"{section}.{key}" if section else key
    return None if field in varied else reasons.get(field)


def _comment(text: str, indent: str = "", hanging: str = "") -> list[str]:
    """A text as lines of comments; `hanging` is the indent of all lines but the first."""
    width = _WIDTH - len(indent) - 2
    return [f"{indent}# {line}" for line in wrap(text, width, subsequent_indent=hanging)]
