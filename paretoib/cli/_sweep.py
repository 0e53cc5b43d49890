"""`paretoib sweep` and `paretoib train`: what is asked for becomes one `SweepSpec`, and runs."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paretoib.cli import _render, _tables
from paretoib.errors import SpecError

if TYPE_CHECKING:
    from paretoib.records import Front, SweepInfo
    from paretoib.specs import SweepSpec
    from paretoib.tracking import Tracker

Method = Annotated[str | None, typer.Option(help="One of `paretoib methods`. Default: mib.")]
Dataset = Annotated[
    str | None, typer.Option(help="One of `paretoib datasets`. Default: the method's.")
]
Model = Annotated[str | None, typer.Option(help="One of `paretoib models`. Default: the data's.")]
Config = Annotated[Path | None, typer.Option(help="A YAML file with a sweep; flags go over it.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training data.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Set any field; can be repeated."),
]
Name = Annotated[str | None, typer.Option(help="A name to find the sweep by.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, no more.")]


def sweep(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    search: Annotated[str | None, typer.Option(help="One of `paretoib searches`.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, over all seeds.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Such as 0,1,2.")] = None,
    epochs: Epochs = None,
    set_: Set = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=SPEC",
            help="An axis: beta=1e-4:1:16 (log-spaced), mu=lin:0.1:1:4, latent=2,8,32. "
            "Can be repeated.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=RANGE",
            help="What a search varies: beta=1e-5:1 (logarithmic), mu=lin:0.1:1, "
            "latent=int:2:64, or values. Can be repeated.",
        ),
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(help="What a search minimises, of rate,lost,error,cost.")
    ] = None,
    population: Annotated[
        int | None, typer.Option(min=1, help="Trials that a search proposes at a time.")
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(help="Start no trial after so much time.")
    ] = None,
    budget_device_seconds: Annotated[
        float | None, typer.Option(help="Nor after so much training, summed over workers.")
    ] = None,
    trial_seconds: Annotated[
        float | None, typer.Option(help="Most that one trial may take.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Stop trials early that others are far ahead of.")
    ] = False,
    stop_on_plateau: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT:TRIALS",
            help="End when hypervolume has grown by no more than this in so many trials, as 1:20.",
        ),
    ] = None,
    name: Name = None,
    as_json: AsJSON = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the filled-in sweep; run nothing.")
    ] = False,
) -> int:
    """Run a sweep and show its front."""
    flags = {
        "method": method,
        "data": dataset,
        "model": model,
        "search": search,
        "trials": trials,
        "name": name,
        "seeds": None if seeds is None else seeds.split(","),
        "objectives": None if objectives is None else objectives.split(","),
        "population": population,
        "trial_seconds": trial_seconds,
        "budget": _given(seconds=budget_seconds, device_seconds=budget_device_seconds),
        "prune": {} if prune else None,
        "plateau": None if stop_on_plateau is None else _plateau(stop_on_plateau),
    }
    axes, ranges = _pairs(grid, "--grid"), _pairs(space, "--space")
    spec = _assemble(config, flags, _settings(set_, epochs), axes, ranges)
    if dry_run:
        _render.spec(spec, as_json)
        return 0
    from jobs.sweep import run_sweep

    return _run(partial(run_sweep, spec), as_json)


def train(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    seed: Annotated[int, typer.Option(help="Of weights, data order and noise.")] = 0,
    epochs: Epochs = None,
    set_: Set = None,
    name: Name = None,
    as_json: AsJSON = False,
) -> int:
    """Train one trial in this process, without Ray."""
    flags = {"method": method, "data": dataset, "model": model}
    one = {"search": "grid", "seeds": [seed], "trials": 0}
    base = _assemble(config, flags | one, _settings(set_, epochs))
    axes = {f: [base.template.get(f)] for f in ("beta",) if f in base.weighting.params}
    # A name of its own, lest it be found instead of the sweep that is called so.
    one |= {"grid": axes, "name": name or f"train-{base.name}"}
    spec = _assemble(config, flags | one, _settings(set_, epochs))
    from jobs.sweep import train as train_one

    record = train_one(spec)
    if as_json:
        typer.echo(record.to_json(indent=2))
    else:
        _render.record(record)
    return 0 if record.status == "finished" else 1


def resume(
    sweep: Annotated[str, typer.Argument(help="Id, unique prefix of one, or name.")],
    as_json: AsJSON = False,
) -> int:
    """Go on with a sweep that was interrupted; what it has is not run again."""
    from jobs.sweep import resume_sweep

    return _run(partial(resume_sweep, sweep), as_json)


def cancel(
    sweep: Annotated[str, typer.Argument(help="Id, unique prefix of one, or name.")],
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until the sweep has ended.")
    ] = 60.0,
) -> int:
    """End a running sweep, wherever it runs; what it has is kept, and `resume` goes on with it."""
    import time

    from paretoib.tracking import tracker

    store = tracker()
    info = store.find(sweep)
    if info.status != "running":
        _render.say(f"{info.name} does not run: it is {info.status}")
        return 0
    store.cancel(info.id)
    deadline = time.monotonic() + wait
    while (status := store.find(info.id).status) == "running":
        if time.monotonic() > deadline:
            _render.say(f"{info.name} was asked to end, and still runs after {wait:g} s")
            return 1
        time.sleep(0.5)
    ended = len(store.records(info.id))
    _render.say(f"{info.name} is {status}: {ended} of {info.spec['trials']} trials are kept")
    return 0


def _run(run: "Callable[..., Front]", as_json: bool) -> int:
    """Run a sweep under a progress bar, then show its front; the command's exit code."""
    from paretoib.cli._progress import progress_bar
    from paretoib.tracking import tracker

    store = cache(tracker)
    with progress_bar() as bar:
        front = run(store=store, on_progress=bar.show)
    if as_json:
        typer.echo(front.to_json(indent=2))
    else:
        _tables.front(front)
        _say_where(front.sweep, store())
    ended, trials = len(front.points) + len(front.failed), front.sweep.spec["trials"]
    if front.sweep.status == "interrupted":
        _render.say(f"interrupted: {ended} of {trials} trials had ended and are kept")
        _render.say(f"go on:    paretoib resume {front.sweep.id[:8]}")
        return 130
    if bar.ended:
        _render.say(f"ended after {ended} of {trials} trials: {bar.ended}")
    return 0 if front.points else 1


def _say_where(swept: "SweepInfo", store: "Tracker") -> None:
    name = swept.id[:8]
    _render.say(f"\nlook:     {store.address(swept.id)}")
    _render.say(f"again:    paretoib front {name}")
    others = [s for s in store.sweeps() if _comparable(s, swept)]
    if others:
        _render.say(f"compare:  paretoib compare {name} --against {others[0].id[:8]}")
        return
    other = "vib" if swept.method != "vib" else "mib"
    data = " ".join(f"--set {f}={v}" for f, v in swept.spec["data"].items() if _unusual(swept, f))
    options = f"--method {other} --dataset {swept.dataset} {data}".rstrip()
    _render.say(f"compare:  paretoib sweep {options}, then")
    _render.say(f"          paretoib compare {name} --against {other}-{swept.dataset}")


def _comparable(other: "SweepInfo", swept: "SweepInfo") -> bool:
    """Whether a finished sweep of several trials is on the same data by another method."""
    same = other.spec["data"] == swept.spec["data"] and other.method != swept.method
    return same and other.status == "finished" and other.spec["trials"] > 1


def _unusual(swept: "SweepInfo", field: str) -> bool:
    """Whether a field of a sweep's data is not what the data set has by default."""
    from paretoib.data import DATASETS

    defaults = {p.name: p.default for p in DATASETS[swept.dataset].params}
    return field in defaults and swept.spec["data"][field] != defaults[field]


def _assemble(
    config: Path | None,
    flags: dict[str, Any],
    settings: dict[str, Any],
    grid: dict[str, str] | None = None,
    space: dict[str, str] | None = None,
) -> "SweepSpec":
    from paretoib.specs import SweepSpec

    document = _document(config)
    if grid or flags.get("seeds"):
        # What the file's own axes and seeds came to says nothing of others.
        document.pop("trials", None)
    document |= {key: value for key, value in flags.items() if value is not None}
    return SweepSpec.assemble(document, settings, grid, space)


def _document(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    import yaml

    try:
        document = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"--config {config}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise SpecError(f"--config {config}: should be YAML; found {line}") from error
    if not isinstance(document, dict):
        raise SpecError(f"--config {config}: should be a mapping of fields; found {document!r}")
    return document


def _given(**limits: float | None) -> dict[str, float] | None:
    return {name: limit for name, limit in limits.items() if limit is not None} or None


def _plateau(text: str) -> dict[str, str]:
    percent, colon, trials = text.partition(":")
    if not colon:
        raise SpecError(f"--stop-on-plateau: should be PERCENT:TRIALS, as 1:20; found `{text}`")
    return {"percent": percent, "trials": trials}


def _settings(pairs: list[str] | None, epochs: int | None) -> dict[str, Any]:
    from paretoib.specs import parse_value

    settings = {field: parse_value(text) for field, text in _pairs(pairs, "--set").items()}
    return settings if epochs is None else settings | {"training.epochs": epochs}


def _pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for pair in pairs or ():
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise SpecError(f"{option}: should be FIELD=VALUE; found `{pair}`")
        if field in parsed:
            raise SpecError(f"{option}: `{field}` should be given once; found it twice")
        parsed[field] = value
    return parsed


COMMANDS = (sweep, train, resume, cancel)
