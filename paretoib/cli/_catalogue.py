"""`paretoib methods | datasets | models | searches`: what there is, with its hyperparameters."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from paretoib.cli import _render
from paretoib.registry import Entry, Param

AsJSON = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def methods(as_json: AsJSON = False) -> None:
    """List the methods: objective, weighting and search in one."""
    from paretoib.objectives import OBJECTIVES
    from paretoib.specs import METHODS
    from paretoib.weighting import WEIGHTINGS

    rows = {
        name: {
            "summary": method.summary,
            "paper": method.paper,
            "objective": method.objective,
            "weighting": method.weighting,
            "search": method.search,
            "fields": _fields(OBJECTIVES[method.objective], WEIGHTINGS[method.weighting]),
        }
        for name, method in METHODS.items()
    }
    _show("methods", rows, as_json)


def datasets(as_json: AsJSON = False) -> None:
    """List the data sets."""
    from paretoib.data import DATASETS

    _show("datasets", _rows(DATASETS), as_json)


def models(as_json: AsJSON = False) -> None:
    """List the models."""
    from paretoib.models import MODELS

    _show("models", _rows(MODELS), as_json)


def searches(as_json: AsJSON = False) -> None:
    """List the searches: how the trials of a sweep are proposed."""
    from paretoib.specs import SEARCHES

    rows = {n: {"summary": s.summary, "paper": "", "fields": {}} for n, s in SEARCHES.items()}
    _show("searches", rows, as_json)


def _rows(registry: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    return {
        name: {"summary": entry.summary, "paper": entry.paper, "fields": _fields(entry)}
        for name, entry in registry.items()
    }


def _fields(*entries: Entry) -> dict[str, dict[str, Any]]:
    params: list[Param] = [p for entry in entries for p in entry.params]
    return {p.name: {"default": p.default, "description": p.doc} for p in params}


def _show(what: str, rows: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"schema": 1, what: rows}, ensure_ascii=False, indent=2))
        return
    _render.catalogue(rows)


COMMANDS = (methods, datasets, models, searches)
