"""Prints trials, sweeps, specs and the catalogue; `_tables` prints fronts and comparisons."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from paretoib.cli._presets import commented
from paretoib.cli._tables import console, field_value, number, table

if TYPE_CHECKING:
    from paretoib.records import Metrics, ModelFiles, SweepState, TrialRecord
    from paretoib.specs import Choices, PresetUse, Range, SweepSpec


def record(record: "TrialRecord") -> None:
    """Print the metrics of a trial on both splits; with several tasks, also those of each task."""
    out = console()
    out.print(f"trial {record.trial}: {record.status}, {record.seconds:.1f} s on {record.device}")
    if record.reason:
        out.print(record.reason)
    if record.test is None or record.validation is None:
        return
    metrics = table("", "validation", "test")
    validation = dict(_named_metrics(record.validation))
    for name, value in _named_metrics(record.test):
        metrics.add_row(name, number(validation[name], 4), number(value, 4))
    out.print(metrics)


def _named_metrics(metrics: "Metrics") -> Iterator[tuple[str, float | None]]:
    """The metrics of a split with readable names, then the metrics of each task."""
    for name, value in metrics:
        if name != "tasks":
            yield name.replace("_", " "), value
    for task, task_metrics in metrics.tasks.items():
        for name, value in task_metrics:
            yield f"{task}: {name.replace('_', ' ')}", value


def sweeps(states: "Sequence[SweepState]", as_json: bool) -> None:
    """Print a table of sweeps."""
    if as_json:
        print_json({"schema": 1, "sweeps": [state.document for state in states]})
        return
    if not states:
        message("no sweeps yet: `paretoib sweep` creates one")
        return
    volume = "hyper-\nvolume"  # on two lines, so that the table fits into 80 columns
    names = ("id", "name", "method", "data set", "status", "trials", volume, "started")
    rows = table(*names)
    for column in rows.columns:
        column.justify = "right" if column.header in ("trials", volume) else "left"
        # A narrow terminal folds names, never numbers and statuses.
        column.no_wrap = column.header not in ("name", "method", "data set")
    for state in states:
        rows.add_row(
            state.id[:8],
            state.name,
            state.method,
            state.dataset,
            f"{state.status}, archived" if state.archived else state.status,
            f"{state.trials.ended}/{state.trials.total}",
            number(state.hypervolume, 2),
            _time(state.started.astimezone()),
        )
    console().print(rows)


def _time(time: datetime) -> str:
    """Day and time of this year, or the date of an earlier year."""
    this_year = time.year == datetime.now(UTC).astimezone().year
    return f"{time:%d %b %H:%M}" if this_year else f"{time:%Y-%m-%d}"


def sweep(state: "SweepState", page: str, models: "ModelFiles", as_json: bool) -> None:
    """Print the state of a sweep, its models, its page and its spec."""
    if as_json:
        use = _preset_use(state.spec)
        preset = {"preset": use.document} if use else {}
        document = {"schema": 1, "sweep": state.document, "address": page, **preset}
        print_json({**document, "models": models.summary})
        return
    trials = state.trials
    reason = f" ({state.reason})" if state.reason else ""
    stopped = f", {trials.stopped} stopped early" if trials.stopped else ""
    typer.echo(f"{state.name} ({state.id}): {state.status}{reason}")
    finished = f"{trials.finished} of {trials.total} trials finished"
    typer.echo(f"{finished}{stopped}, {trials.failed} failed")
    if state.workers:
        typer.echo(str(state.workers))
    typer.echo(f"models: {models}")
    for line in state.extension_lines:
        typer.echo(line)
    if state.tags:
        typer.echo(f"tags: {', '.join(f'{name}={value}' for name, value in state.tags.items())}")
    if state.note:
        typer.echo(f"note: {state.note}")
    typer.echo(f"look: {page}\n")
    typer.echo(_spec_text(state.spec))


def submitted(state: "SweepState", page: str, as_json: bool) -> None:
    """Print the id of a submitted sweep, and its page on stderr."""
    if as_json:
        print_json({"schema": 1, "sweep": state.document, "address": page})
        return
    typer.echo(state.id)
    message(f"look:     {page}")


def spec(spec: "SweepSpec", as_json: bool) -> None:
    """Print a spec with all defaults, in a form that `--config` reads."""
    if as_json:
        print_json(spec.document)
    else:
        typer.echo(_spec_text(spec.document))


def _spec_text(document: Mapping[str, Any]) -> str:
    """A spec as YAML, with comments on its preset."""
    text = _yaml(dict(document))
    use = _preset_use(document)
    return commented(text, use, list(document["grid"])) if use else text


def _preset_use(document: Mapping[str, Any]) -> "PresetUse | None":
    """How a sweep uses its preset; None without one, and for a preset of another version."""
    if not document.get("preset"):
        return None
    from paretoib.errors import SpecError
    from paretoib.specs import preset_use

    try:
        return preset_use(document)
    except SpecError as error:
        message(f"preset `{document['preset']}` is not compared with the sweep: {error}")
        return None


def catalogue(entries: Mapping[str, Mapping[str, Any]], *, fields: bool) -> None:
    """Print catalogue entries, each with its fields if `fields` is set."""
    for name, entry in entries.items():
        source = f" ({entry['paper']})" if entry["paper"] else ""
        console().print(f"{name}: {entry['summary']}{source}", style="bold" if fields else None)
        if fields:
            _print_fields({n: (f["default"], f["description"]) for n, f in entry["fields"].items()})


def method(spec: "SweepSpec") -> None:
    """Print the default sweep of a method, with every field that `--set` accepts."""
    out = console()
    seeds = "seed" if len(spec.seeds) == 1 else "seeds"
    numbers = ", ".join(map(str, spec.seeds))
    out.print(f"search {spec.search}: {spec.trials} trials, {seeds} {numbers}")
    for name, values in spec.varied.items():
        out.print(f"varies {name}: {_varied(values)}")
    for kind in ("objective", "weighting", "training", "model", "data"):
        section = getattr(spec, kind)
        out.print(f"{kind} {getattr(section, 'name', '')}".rstrip(), style="bold")
        fields = type(section).model_fields.items()
        _print_fields(
            {n: (getattr(section, n), f.description or "") for n, f in fields if n != "name"}
        )


def _varied(values: "Range | Choices") -> str:
    if isinstance(values, tuple):
        return ", ".join(map(field_value, values))
    return f"{values.low:g} to {values.high:g} ({values.scale})"


def _print_fields(fields: Mapping[str, tuple[Any, str]]) -> None:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for name, (default, description) in fields.items():
        grid.add_row(f"  {name}", field_value(default), description)
    if fields:
        console().print(grid)


def message(line: str) -> None:
    """Print a line on stderr; stdout is for results."""
    typer.echo(line, err=True)


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document as JSON, in ASCII where stdout cannot encode every character."""
    typer.echo(json.dumps(document, ensure_ascii=not _prints_unicode(), indent=2))


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=_prints_unicode())
    return text.rstrip()


def _prints_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
