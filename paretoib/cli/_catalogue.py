"""`paretoib methods`, `datasets`, `models`, `searches` and `presets`: print the catalogue."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from paretoib.backends import connect
from paretoib.cli import _presets, _render
from paretoib.cli._options import AsJSON, Server, command_line

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Show only this entry, with all its fields.")
]


def methods(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the methods.

    A method is an objective, a weighting and a search under one name.
    """
    _show("method", name, as_json, server)
    if name and not as_json:
        from paretoib.specs import SweepSpec

        _render.method(SweepSpec.from_document({"method": name}))


def datasets(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the data sets."""
    _show("dataset", name, as_json, server)


def models(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the models."""
    _show("model", name, as_json, server)


def searches(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the searches, which propose the trials of a sweep."""
    _show("search", name, as_json, server)


def presets(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the presets, which are the protocols of tables and figures of the papers.

    `paretoib sweep --method METHOD --preset NAME` takes its defaults from a preset.
    """
    entries = _entries("preset", name, server)
    if as_json:
        _render.print_json({"schema": 1, "presets": entries})
        return
    for preset, entry in entries.items():
        _render.catalogue({preset: entry}, fields=name is not None)
        if name:
            _presets.preset(entry)
        else:
            typer.echo(f"  methods {', '.join(entry['methods'])}")
    method = next(iter(entries[name]["methods"])) if name else "METHOD"
    words = f"sweep --method {method} --preset {name or 'NAME'}"
    _render.message(f"run:      {command_line(words, server)}")


def _show(noun: str, name: str | None, as_json: bool, server: str | None) -> None:
    kind, entries = _kind(noun), _entries(noun, name, server)
    if as_json:
        _render.print_json({"schema": 1, kind: entries})
        return
    _render.catalogue(entries, fields=name is not None and noun != "method")
    if not name and any(entry["fields"] for entry in entries.values()):
        _render.message(f"fields:   {command_line(f'{kind} NAME', server)}")


def _entries(noun: str, name: str | None, server: str | None) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a catalogue, or only the entry called `name`; raises `SpecError`."""
    from paretoib.registry import lookup

    entries = connect(server).catalogue(_kind(noun))
    return {name: lookup(entries, name, noun)} if name else entries


def _kind(noun: str) -> str:
    return "searches" if noun == "search" else f"{noun}s"


COMMANDS = (methods, datasets, models, searches, presets)
