"""The flags that describe a sweep, and the `SweepSpec` that they make."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paretoib.cli import _render
from paretoib.errors import SpecError

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

Method = Annotated[
    str | None, typer.Option(metavar="NAME", help="A method (`paretoib methods`). Default: mib.")
]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A data set (`paretoib datasets`). Default: depends on the method, usually digits.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A model (`paretoib models`). Default: depends on the method, the objective and the "
        "data set.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Take the defaults from the protocol of a paper's table or figure, such as mib-table1 "
        "(`paretoib presets`).",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read the sweep from a YAML file. Flags override the file."),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Passes over the training data in each trial. In a sweep that varies the "
        "initialisation, such as mib_exact, this is the maximum: trials use a quarter, a half or "
        "all of it.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Set a field of every trial, such as latent=8 (`paretoib methods NAME` lists the "
        "fields). May be repeated.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The name of the sweep, for other commands. Default: METHOD-DATASET."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the sweep with all defaults, and run nothing.")
]

# Fields of a sweep that no trial has, and the flags that set them.
_FLAG_OF_FIELD = {
    "method": "--method",
    "preset": "--preset",
    "dataset": "--dataset",
    "name": "--name",
    "search": "--search",
    "trials": "--trials",
    "seeds": "--seeds",
    "grid": "--grid",
    "space": "--space",
    "objectives": "--objectives",
    "population": "--population",
    "budget.seconds": "--budget-seconds",
    "budget.device_seconds": "--budget-device-seconds",
    "trial_seconds": "--trial-seconds",
    "prune": "--prune",
    "plateau": "--stop-on-plateau",
}
# Sections of a sweep in which some fields have no flag.
_CONFIG_SECTIONS = ("budget", "prune", "plateau", "reference")


def spec_from_flags(
    method: Method = None,
    preset: Preset = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How trials are proposed (`paretoib searches`). Default: depends on the method.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of trials. With --search grid or adaptive, it must be a multiple of the "
            "number of seeds (3 for mib).",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="SEED,SEED...",
            help="The seeds themselves, such as 0,1,2 for three seeds. Default: depends on the "
            "method and the search.",
        ),
    ] = None,
    epochs: Epochs = None,
    set_: Set = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUES",
            help="An axis of the grid: beta=1e-4:1:16 (16 log-spaced values), mu=lin:0.1:1:4, "
            "latent=2,8,32. May be repeated.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=RANGE",
            help="A range for searches other than grid: beta=1e-5:1 (logarithmic), "
            "mu=lin:0.1:1, latent=int:2:64, or values such as latent=2,8. May be repeated.",
        ),
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME...",
            help="The values that the search minimises: two or more of rate, lost, error, cost.",
        ),
    ] = None,
    population: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Trials that the search proposes at once."),
    ] = None,
    budget_seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Start no new trial after this time."),
    ] = None,
    budget_device_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Start no new trial after this much training time, summed over workers.",
        ),
    ] = None,
    trial_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time after which a trial fails. A pack of n trials gets n times as long.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Stop a trial early if many others dominate it after a quarter or half of the "
            "epochs.",
        ),
    ] = False,
    stop_on_plateau: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT:TRIALS",
            help="End the sweep when the hypervolume grows by no more than PERCENT % in TRIALS "
            "trials, such as 1:20.",
        ),
    ] = None,
    name: Name = None,
) -> "SweepSpec":
    """The sweep that these flags describe; raises `SpecError` for invalid or unused flags."""
    flags = {
        "method": method,
        "preset": preset,
        "data": dataset,
        "model": model,
        "search": search,
        "trials": trials,
        "name": name,
        "seeds": None if seeds is None else _seeds(seeds),
        "objectives": None if objectives is None else [o.strip() for o in objectives.split(",")],
        "population": population,
        "trial_seconds": trial_seconds,
        "budget": _budget(seconds=budget_seconds, device_seconds=budget_device_seconds),
        "prune": {} if prune else None,
        "plateau": None if stop_on_plateau is None else _plateau(stop_on_plateau),
    }
    axes, ranges = parse_pairs(grid, "--grid"), parse_pairs(space, "--space")
    spec = build_spec(config, flags, field_values(set_, epochs), axes, ranges)
    _refuse_ignored_flags(spec, flags)
    return spec


def with_sweep_flags(command: Callable[..., int]) -> Callable[..., int]:
    """Add the flags of `spec_from_flags` to a command; its first argument is the resulting spec.

    With `--dry-run` the spec is printed, and the command is not called.
    """
    sweep_flags = signature(spec_from_flags).parameters
    _, *own_flags = signature(command).parameters.values()

    @wraps(command)
    def call(*, dry_run: DryRun, **arguments: Any) -> int:
        spec = spec_from_flags(**{name: arguments.pop(name) for name in sweep_flags})
        if dry_run:
            _render.spec(spec, arguments["as_json"])
            return 0
        return command(spec, **arguments)

    dry = Parameter("dry_run", Parameter.KEYWORD_ONLY, default=False, annotation=DryRun)
    flags = [
        flag.replace(kind=Parameter.KEYWORD_ONLY)
        for flag in (*sweep_flags.values(), *own_flags, dry)
    ]
    # typer reads the flags from the signature.
    call.__signature__ = signature(command).replace(parameters=flags)  # type: ignore[attr-defined]
    call.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return call


def build_spec(
    config: Path | None,
    flags: dict[str, Any],
    fields: dict[str, Any],
    grid: dict[str, str] | None = None,
    space: dict[str, str] | None = None,
) -> "SweepSpec":
    """The sweep of a config file, overridden by flags, single fields, axes and ranges."""
    from paretoib.specs import with_overrides, with_seed_count, without_defaults

    # Drop values that only repeat defaults, so that the defaults of a new --method apply.
    document = without_defaults(_read_config(config))
    if seeds := flags.get("seeds"):
        document = with_seed_count(document, len(seeds))
    if fields or grid or space or any(flags[name] for name in flags if name != "name"):
        # The history of an extended sweep belongs to the sweep as it is in the file.
        document.pop("extensions", None)
    if grid:
        # `trials` in the file counts the trials of the file's own axes.
        document.pop("trials", None)
    document |= {key: value for key, value in flags.items() if value is not None}
    return with_overrides(document, fields, grid, space)


def field_values(set_: list[str] | None, epochs: int | None) -> dict[str, Any]:
    """The fields of a trial that `--set` and `--epochs` set."""
    from paretoib.specs import parse_value

    fields = {field: parse_value(text) for field, text in parse_pairs(set_, "--set").items()}
    for field in fields:
        if flag := _FLAG_OF_FIELD.get(field):
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use {flag}")
        if field.partition(".")[0] in _CONFIG_SECTIONS:
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use --config")
    if epochs is None:
        return fields
    for field in ("epochs", "training.epochs"):
        if field in fields:
            raise SpecError(f"--epochs: should be given once; found --set {field} too")
    return fields | {"training.epochs": epochs}


def parse_pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    """The FIELD=VALUE pairs of an option that may be repeated."""
    values: dict[str, str] = {}
    for pair in pairs or ():
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise SpecError(f"{option}: should be FIELD=VALUE; found `{pair}`")
        if field in values:
            raise SpecError(f"{option}: `{field}` should be given once; found it twice")
        values[field] = value
    return values


def _read_config(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    import yaml

    from paretoib.documents import load_yaml, preview

    try:
        document = load_yaml(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"--config {config}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise SpecError(f"--config {config}: should be YAML; found {line}") from error
    if not isinstance(document, dict):
        raise SpecError(
            f"--config {config}: should be a mapping of fields; found {preview(document)}"
        )
    return document


def _refuse_ignored_flags(spec: "SweepSpec", flags: dict[str, Any]) -> None:
    """Raise `SpecError` for flags that the search of the sweep ignores."""
    from paretoib.specs import SEARCHES

    uses_results = SEARCHES[spec.search].uses_results
    for flag, used in (
        ("objectives", uses_results),
        ("population", uses_results or bool(spec.gap_field)),
    ):
        if flags[flag] and not used:
            raise SpecError(
                f"--{flag}: should be used with a search that supports it, such as optuna-tpe; "
                f"found search `{spec.search}`"
            )


def _seeds(text: str) -> list[str]:
    seeds = text.split(",")
    if not all(seed.strip().isdecimal() for seed in seeds):
        raise SpecError(
            f"--seeds: should be whole numbers and commas, such as 0,1,2; found `{text}`"
        )
    return seeds


def _budget(**limits: float | None) -> dict[str, float] | None:
    return {name: limit for name, limit in limits.items() if limit is not None} or None


def _plateau(text: str) -> dict[str, str]:
    percent, colon, trials = text.partition(":")
    if not colon:
        raise SpecError(
            f"--stop-on-plateau: should be PERCENT:TRIALS, such as 1:20; found `{text}`"
        )
    return {"percent": percent, "trials": trials}
