"""What the command line prints: tables on stdout, progress and hints on stderr."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from paretoib.records import Comparison, Front, Point, SweepInfo, TrialRecord
    from paretoib.specs import SweepSpec

# Parameters under short names in tables; the others by the last part of their own.
_SHORT = {"beta": "β", "mu": "μ", "prior_width": "σ", "learning_rate": "lr"}


def run_sweep(spec: "SweepSpec", as_json: bool) -> int:
    """Run a sweep under a progress bar, then show its front; the command's exit code."""
    from jobs.sweep import run_sweep as run
    from paretoib.cli._progress import progress_bar

    with progress_bar(spec) as on_progress:
        result = run(spec, on_progress=on_progress)
    if as_json:
        typer.echo(result.to_json(indent=2))
    else:
        front(result)
        _say_where(result)
    if result.sweep.status == "interrupted":
        done = len(result.points) + len(result.failed)
        _say(f"interrupted: {done} of {spec.trials} trials had ended and are kept")
        return 130
    return 0 if result.points else 1


def front(front: "Front") -> None:
    """A front as a table: the points on it, then how many are not."""
    swept = front.sweep
    table = _table("rate", "at least", "relevance", "lost", "accuracy", "chosen by β", "trial")
    on_front = [p for p in front.points if p.on_front]
    for point in on_front:
        table.add_row(
            f"{point.rate_bits:.2f}",
            f"{point.rate_lower_bits:.2f}",
            f"{point.relevance_bits:.3f}",
            f"{point.lost_bits:.3f}",
            "–" if point.accuracy is None else f"{100 * point.accuracy:.1f} %",
            _support(point),
            _params(point),
        )
    console = _console()
    console.print(f"[b]{swept.name}[/b]: {swept.method} on {swept.dataset}, {swept.status}")
    if on_front:
        console.print(table)
        console.print(f"Bits, on the {front.split} split. {_counts(front)}")
        console.print(
            f"Hypervolume {front.hypervolume:.2f} bits² of {_most(front):.2f}, from rate "
            f"{front.reference.rate_bits:.2f} and lost {front.reference.lost_bits:.2f}."
        )
    elif front.points:
        console.print(
            "No trial has a finite rate (an encoder without noise), so there is no front."
        )
        for point in front.points:
            accuracy = "" if point.accuracy is None else f", accuracy {100 * point.accuracy:.1f} %"
            console.print(f"  seed {point.seed}: lost {point.lost_bits:.3f} bits{accuracy}")
    for failed in front.failed:
        console.print(f"  trial {failed.trial} has no result: {failed.reason}", markup=False)


def comparison(comparison: "Comparison") -> None:
    """The verdict and the indicators, side by side."""
    console, shown = _console(), comparison.indicators
    table = _table("", comparison.left.label, comparison.right.label, "better")
    rows = [
        ("hypervolume, bits²", shown.hypervolume, "more", 2),
        ("… at equal cost", shown.hypervolume_at_equal_cost, "more", 2),
        ("additive ε, bits", shown.epsilon, "less", 3),
        ("IGD+, bits", shown.igd_plus, "less", 3),
        ("coverage of the other", shown.coverage, "more", 2),
        ("gap to the exact curve, bits", shown.exact_gap_bits, "less", 3),
    ]
    for name, sides, better, digits in rows:
        table.add_row(name, _number(sides.left, digits), _number(sides.right, digits), better)
    left, right = comparison.left, comparison.right
    table.add_row("points on the front", str(left.on_front), str(right.on_front), "")
    table.add_row("… that no β reaches", str(left.unsupported), str(right.unsupported), "")
    cost = comparison.cost
    table.add_row("trials", str(cost.left.trials), str(cost.right.trials), "")
    table.add_row("training, s", f"{cost.left.seconds:.1f}", f"{cost.right.seconds:.1f}", "")
    console.print(table)
    console.print(comparison.verdict, markup=False)


def record(record: "TrialRecord") -> None:
    """One trial's metrics on both splits."""
    console = _console()
    console.print(
        f"trial {record.trial}: {record.status}, {record.seconds:.1f} s on {record.device}"
    )
    if record.reason:
        console.print(record.reason, markup=False)
    if record.test is None or record.validation is None:
        return
    table = _table("", "validation", "test")
    for name, value in record.test:
        table.add_row(
            name.replace("_", " "),
            _number(getattr(record.validation, name), 4),
            _number(value, 4),
        )
    console.print(table)


def sweeps(infos: "Sequence[SweepInfo]", as_json: bool) -> None:
    """All sweeps."""
    if as_json:
        _print_json({"schema": 1, "sweeps": [info.model_dump(mode="json") for info in infos]})
        return
    if not infos:
        _say("no sweeps yet: `paretoib sweep` makes one")
        return
    table = _table("id", "name", "method", "data set", "status")
    for info in infos:
        table.add_row(info.id[:8], info.name, info.method, info.dataset, info.status)
    _console().print(table)


def sweep(info: "SweepInfo", records: "Sequence[TrialRecord]", address: str, as_json: bool) -> None:
    """One sweep: how it stands, its spec, where to look."""
    failed = sum(r.status != "finished" for r in records)
    if as_json:
        document = info.model_dump(mode="json")
        trials = {"finished": len(records) - failed, "failed": failed}
        _print_json({"schema": 1, "sweep": document, "trials": trials, "address": address})
        return
    import yaml

    typer.echo(f"{info.name} ({info.id}): {info.status}")
    typer.echo(f"{len(records) - failed} trials finished, {failed} failed")
    typer.echo(f"look: {address}\n")
    typer.echo(yaml.safe_dump(dict(info.spec), sort_keys=False, allow_unicode=True).rstrip())


def spec(spec: "SweepSpec", as_json: bool) -> None:
    """A filled-in sweep, as `--config` reads it."""
    typer.echo(spec.to_json() if as_json else spec.to_yaml().rstrip())


def catalogue(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A registry's rows with their fields."""
    from rich.table import Table

    console = _console()
    for name, row in rows.items():
        source = f" ({row['paper']})" if row["paper"] else ""
        console.print(f"[b]{name}[/b]: {row['summary']}{source}")
        fields = Table.grid(padding=(0, 2))
        for field, described in row["fields"].items():
            default = _field_value(described["default"])
            fields.add_row(f"  {field}", default, described["description"])
        console.print(fields, style="dim")


def _say_where(front: "Front") -> None:
    from paretoib.tracking import tracker

    store = tracker()
    name = front.sweep.id[:8]
    _say(f"\nlook:     {store.address(front.sweep.id)}")
    _say(f"again:    paretoib front {name}")
    others = [
        info
        for info in store.sweeps()
        if info.dataset == front.sweep.dataset and info.method != front.sweep.method
    ]
    if others:
        _say(f"compare:  paretoib compare {name} --against {others[0].id[:8]}")
    else:
        other = "vib" if front.sweep.method != "vib" else "mib"
        _say(
            f"compare:  paretoib sweep --method {other} --dataset {front.sweep.dataset}, "
            f"then paretoib compare {name} --against {other}-{front.sweep.dataset}"
        )


def _counts(front: "Front") -> str:
    finite = sum(p.rate_bits is not None for p in front.points)
    on_front = sum(p.on_front for p in front.points)
    unsupported = sum(p.on_front and not p.supported for p in front.points)
    text = f"{on_front} of {finite} trials are on the front"
    if unsupported:
        text += f", {unsupported} of them where no β reaches"
    return text + (f"; {len(front.failed)} failed." if front.failed else ".")


def _most(front: "Front") -> float:
    return front.reference.rate_bits * front.reference.lost_bits


def _support(point: "Point") -> str:
    if not point.supported or point.beta_interval is None:
        return f"none: {point.hull_gap_bits:.3f} bits above the hull"
    low, high = point.beta_interval
    return f"{low:.2g} – {'∞' if high is None else f'{high:.2g}'}"


def _params(point: "Point") -> str:
    shown = []
    for name, value in point.params.items():
        short = name.rpartition(".")[2]
        if not isinstance(value, str | bool | list | tuple | None) and short != "iterations":
            shown.append(f"{_SHORT.get(short, short)} {_field_value(value)}")
    return ", ".join([*shown, f"seed {point.seed}"])


def _field_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value)


def _number(value: float | None, digits: int) -> str:
    return (
        "–" if value is None else f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    )


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 or len(columns) == 3 else "right")
    return table


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _print_json(document: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
