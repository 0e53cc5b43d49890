"""The options that describe a sweep, and the `SweepSpec` that is built from them."""

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

Method = Annotated[str | None, typer.Option(help="A name from `paretoib methods`. Default: mib.")]
Dataset = Annotated[
    str | None,
    typer.Option(help="A name from `paretoib datasets`. Default: the method's data set."),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="A name from `paretoib models`. Default: the model of the method or the data set."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="A YAML file that describes a sweep. Other options override its fields."),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training data.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Set a field of the trials; `paretoib methods NAME` lists the fields. Can be "
        "repeated.",
    ),
]
Name = Annotated[
    str | None, typer.Option(help="A name for the sweep; commands find the sweep by its name.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the sweep with all defaults; do not run it.")
]

# Fields of a sweep, which trials do not have, and the options that set them.
_SWEEP_FIELDS = {
    "method": "--method",
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
# Sections of a sweep with fields that no option sets.
_SWEEP_SECTIONS = ("budget", "prune", "plateau", "reference")


def spec_from_options(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    search: Annotated[
        str | None,
        typer.Option(help="A name from `paretoib searches`. Default: the method's search."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of trials. For the searches grid and adaptive, a multiple of the number "
            "of seeds. Default: that of the method or the search.",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Comma-separated seeds: 0,1,2. Default: the method's seeds.")
    ] = None,
    epochs: Epochs = None,
    set_: Set = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUES",
            help="An axis of search grid: beta=1e-4:1:16 (16 values, log-spaced), mu=lin:0.1:1:4 "
            "(4 values, evenly spaced), latent=2,8,32. Can be repeated.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=RANGE",
            help="A range for searches other than grid: beta=1e-5:1 (logarithmic), mu=lin:0.1:1 "
            "(linear), latent=int:2:64 (whole numbers), latent=2,8,32. Can be repeated.",
        ),
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            help="The objectives that the search minimises: two or more of rate,lost,error,cost. "
            "Default: rate,lost."
        ),
    ] = None,
    population: Annotated[
        int | None, typer.Option(min=1, help="Number of trials that the search proposes at a time.")
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(help="Start no new trial after this many seconds.")
    ] = None,
    budget_device_seconds: Annotated[
        float | None,
        typer.Option(
            help="Start no new trial after this many seconds of training, summed over the workers."
        ),
    ] = None,
    trial_seconds: Annotated[
        float | None, typer.Option(help="Time limit of one trial, in seconds.")
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Stop trials early that many others dominate at a quarter or at half of the "
            "epochs.",
        ),
    ] = False,
    stop_on_plateau: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT:TRIALS",
            help="End the sweep when the hypervolume has grown by at most PERCENT over the last "
            "TRIALS trials: 1:20.",
        ),
    ] = None,
    name: Name = None,
) -> "SweepSpec":
    """The sweep that these options describe; raises `SpecError` if they are invalid."""
    options = {
        "method": method,
        "data": dataset,
        "model": model,
        "search": search,
        "trials": trials,
        "name": name,
        "seeds": None if seeds is None else _parse_seeds(seeds),
        "objectives": None if objectives is None else objectives.split(","),
        "population": population,
        "trial_seconds": trial_seconds,
        "budget": _budget(seconds=budget_seconds, device_seconds=budget_device_seconds),
        "prune": {} if prune else None,
        "plateau": None if stop_on_plateau is None else _parse_plateau(stop_on_plateau),
    }
    axes, ranges = _parse_pairs(grid, "--grid"), _parse_pairs(space, "--space")
    spec = build_spec(config, options, field_values(set_, epochs), axes, ranges)
    _check_used(spec, options)
    return spec


def with_sweep_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of `spec_from_options` to a command, which gets the spec as first argument.

    Also adds `--dry-run`, which prints the spec instead of calling the command.
    """
    sweep_options = signature(spec_from_options).parameters
    _, *own_options = signature(command).parameters.values()

    @wraps(command)
    def call(*, dry_run: DryRun, **options: Any) -> int:
        spec = spec_from_options(**{name: options.pop(name) for name in sweep_options})
        if dry_run:
            _render.spec(spec, options["as_json"])
            return 0
        return command(spec, **options)

    dry_run = Parameter("dry_run", Parameter.KEYWORD_ONLY, default=False, annotation=DryRun)
    parameters = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for parameter in (*sweep_options.values(), *own_options, dry_run)
    ]
    # typer reads the options from the signature and the annotations.
    call.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def build_spec(
    config: Path | None,
    options: dict[str, Any],
    fields: dict[str, Any],
    grid: dict[str, str] | None = None,
    space: dict[str, str] | None = None,
) -> "SweepSpec":
    """The sweep of a config file, overridden by options, single fields, axes and ranges.

    `options` are top-level fields of the sweep; None leaves a field as it is. Raises `SpecError`.
    """
    from paretoib.specs import with_overrides, with_seed_count, without_defaults

    # A file from --dry-run contains all defaults. Without them, an option such as --method brings
    # its own defaults.
    document = without_defaults(_read_config(config))
    if seeds := options.get("seeds"):
        document = with_seed_count(document, len(seeds))
    if grid:
        # The file's number of trials follows from the file's axes.
        document.pop("trials", None)
    document |= {key: value for key, value in options.items() if value is not None}
    return with_overrides(document, fields, grid, space)


def field_values(pairs: list[str] | None, epochs: int | None) -> dict[str, Any]:
    """The values of single fields, from `--set` and `--epochs`; raises `SpecError`."""
    from paretoib.specs import parse_value

    values = {field: parse_value(text) for field, text in _parse_pairs(pairs, "--set").items()}
    for field in values:
        if option := _SWEEP_FIELDS.get(field):
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use {option}")
        if field.partition(".")[0] in _SWEEP_SECTIONS:
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use --config")
    if epochs is None:
        return values
    for field in ("epochs", "training.epochs"):
        if field in values:
            raise SpecError(f"--epochs: should be set once; found --set {field} too")
    return values | {"training.epochs": epochs}


def _parse_pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    """Repeated FIELD=VALUE as a mapping."""
    values: dict[str, str] = {}
    for pair in pairs or ():
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise SpecError(f"{option}: should be FIELD=VALUE; found `{pair}`")
        if field in values:
            raise SpecError(f"{option}: should set `{field}` once; found it twice")
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


def _check_used(spec: "SweepSpec", options: dict[str, Any]) -> None:
    """Refuse options that the search of the sweep does not use."""
    from paretoib.specs import SEARCHES

    learns = SEARCHES[spec.search].learns
    for option, used in (("objectives", learns), ("population", learns or spec.by_beta)):
        if options[option] and not used:
            raise SpecError(
                f"--{option}: should be set only for a search that uses it, such as "
                f"--search optuna-tpe; found search `{spec.search}`"
            )


def _parse_seeds(text: str) -> list[str]:
    seeds = text.split(",")
    if not all(seed.strip().isdecimal() for seed in seeds):
        raise SpecError(
            f"--seeds: should be comma-separated whole numbers, such as 0,1,2; found `{text}`"
        )
    return seeds


def _parse_plateau(text: str) -> dict[str, str]:
    percent, colon, trials = text.partition(":")
    if not colon:
        raise SpecError(f"--stop-on-plateau: should be PERCENT:TRIALS, as 1:20; found `{text}`")
    return {"percent": percent, "trials": trials}


def _budget(**limits: float | None) -> dict[str, float] | None:
    return {name: limit for name, limit in limits.items() if limit is not None} or None
