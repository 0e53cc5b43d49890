"""What the command line prints besides fronts: one trial, the sweeps, a spec, a catalogue."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from paretoib.cli._tables import console, field_value, number, table

if TYPE_CHECKING:
    from paretoib.records import Metrics, Progress, SweepInfo, TrialRecord
    from paretoib.specs import Choices, Range, SweepSpec


def record(record: "TrialRecord") -> None:
    """One trial's metrics on both splits, and those of each task of several."""
    out = console()
    out.print(f"trial {record.trial}: {record.status}, {record.seconds:.1f} s on {record.device}")
    if record.reason:
        out.print(record.reason)
    if record.test is None or record.validation is None:
        return
    metrics = table("", "validation", "test")
    validation = dict(_numbers(record.validation))
    for name, value in _numbers(record.test):
        metrics.add_row(name, number(validation[name], 4), number(value, 4))
    out.print(metrics)


def _numbers(metrics: "Metrics") -> Iterator[tuple[str, float | None]]:
    """A split's numbers by their names in words, and then those of each task."""
    for name, value in metrics:
        if name != "tasks":
            yield name.replace("_", " "), value
    for task, of_task in metrics.tasks.items():
        for name, value in of_task:
            yield f"{task}: {name.replace('_', ' ')}", value


def sweeps(infos: "Sequence[SweepInfo]", as_json: bool) -> None:
    """All sweeps."""
    if as_json:
        _print_json({"schema": 1, "sweeps": [info.model_dump(mode="json") for info in infos]})
        return
    if not infos:
        say("no sweeps yet: `paretoib sweep` makes one")
        return
    listed = table("id", "name", "method", "data set", "status")
    for column in listed.columns:
        column.justify = "left"
    for info in infos:
        listed.add_row(info.id[:8], info.name, info.method, info.dataset, info.status)
    console().print(listed)


def sweep(now: "Progress", address: str, as_json: bool) -> None:
    """One sweep: how it stands, its spec, where to look."""
    info = now.sweep
    if as_json:
        trials = {"finished": now.finished, "stopped": now.stopped, "failed": now.failed}
        _print_json({"schema": 1, "sweep": info.document, "trials": trials, "address": address})
        return
    import yaml

    typer.echo(f"{info.name} ({info.id}): {info.status}")
    stopped = f", {now.stopped} stopped early" if now.stopped else ""
    typer.echo(f"{now.finished} trials finished{stopped}, {now.failed} failed")
    typer.echo(f"look: {address}\n")
    typer.echo(yaml.safe_dump(dict(info.spec), sort_keys=False, allow_unicode=True).rstrip())


def submitted(info: "SweepInfo", address: str, as_json: bool) -> None:
    """A sweep that a service runs from now on: its id, and where to look."""
    if as_json:
        _print_json({"schema": 1, "sweep": info.document, "address": address})
        return
    typer.echo(info.id)
    say(f"look:     {address}")


def spec(spec: "SweepSpec", as_json: bool) -> None:
    """A filled-in sweep, as `--config` reads it."""
    typer.echo(spec.to_json() if as_json else spec.to_yaml().rstrip())


def catalogue(rows: Mapping[str, Mapping[str, Any]], *, fields: bool) -> None:
    """A registry's rows, with their fields if asked for."""
    for name, row in rows.items():
        source = f" ({row['paper']})" if row["paper"] else ""
        console().print(f"{name}: {row['summary']}{source}", style="bold" if fields else None)
        if fields:
            _fields({n: (f["default"], f["description"]) for n, f in row["fields"].items()})


def method(spec: "SweepSpec") -> None:
    """What a method's sweep is by default, with every field that `--set` takes."""
    out = console()
    seeds = ", ".join(map(str, spec.seeds))
    out.print(f"search {spec.search}: {spec.trials} trials, over seeds {seeds}")
    for name, values in spec.varied.items():
        out.print(f"varies {name}: {_varied(values)}")
    for kind in ("objective", "weighting", "training", "model", "data"):
        section = getattr(spec, kind)
        out.print(f"{kind} {getattr(section, 'name', '')}".rstrip(), style="bold")
        described = type(section).model_fields
        _fields(
            {
                n: (getattr(section, n), f.description or "")
                for n, f in described.items()
                if n != "name"
            }
        )


def _varied(values: "Range | Choices") -> str:
    if isinstance(values, tuple):
        return ", ".join(map(field_value, values))
    return f"{values.low:g} to {values.high:g} ({values.scale})"


def _fields(fields: Mapping[str, tuple[Any, str]]) -> None:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for name, (default, description) in fields.items():
        grid.add_row(f"  {name}", field_value(default), description)
    if fields:
        console().print(grid)


def say(line: str) -> None:
    """A line for people, kept off stdout."""
    typer.echo(line, err=True)


def _print_json(document: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
