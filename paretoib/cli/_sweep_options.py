"""What the flags of a sweep ask for, as one `SweepSpec`."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paretoib.cli import _render
from paretoib.cli._fields import pairs, settings
from paretoib.errors import SpecError

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the filled-in sweep; run nothing.")]


def asked(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    search: Annotated[str | None, typer.Option(help="One of `paretoib searches`.")] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trials in all; by grid or adaptive a multiple of the seeds, 3 of mib."
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Such as 0,1,2. Default: the method's.")] = None,
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
) -> "SweepSpec":
    """The sweep that these flags describe; `SpecError` for one that cannot be."""
    flags = {
        "method": method,
        "data": dataset,
        "model": model,
        "search": search,
        "trials": trials,
        "name": name,
        "seeds": None if seeds is None else _seeds(seeds),
        "objectives": None if objectives is None else objectives.split(","),
        "population": population,
        "trial_seconds": trial_seconds,
        "budget": _given(seconds=budget_seconds, device_seconds=budget_device_seconds),
        "prune": {} if prune else None,
        "plateau": None if stop_on_plateau is None else _plateau(stop_on_plateau),
    }
    axes, ranges = pairs(grid, "--grid"), pairs(space, "--space")
    spec = assembled(config, flags, settings(set_, epochs), axes, ranges)
    _check_effect(spec, flags)
    return spec


def with_flags(command: Callable[..., int]) -> Callable[..., int]:
    """The command with the flags of `asked`; its first argument is the sweep that they describe.

    With `--dry-run` the sweep is shown in its stead.
    """
    flags = signature(asked).parameters
    _, *own = signature(command).parameters.values()

    @wraps(command)
    def call(*, dry_run: DryRun, **given: Any) -> int:
        spec = asked(**{name: given.pop(name) for name in flags})
        if dry_run:
            _render.spec(spec, given["as_json"])
            return 0
        return command(spec, **given)

    dry = Parameter("dry_run", Parameter.KEYWORD_ONLY, default=False, annotation=DryRun)
    both = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*flags.values(), *own, dry)]
    # What the parser goes by.
    call.__signature__ = signature(command).replace(parameters=both)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in both}
    return call


def assembled(
    config: Path | None,
    flags: dict[str, Any],
    settings: dict[str, Any],
    grid: dict[str, str] | None = None,
    space: dict[str, str] | None = None,
) -> "SweepSpec":
    """A config's sweep with flags, single fields, axes and ranges over it."""
    from paretoib.specs import with_overrides, with_seed_count, without_defaults

    # What the file has by default alone, a flag that exchanges its reason takes with it.
    document = without_defaults(_document(config))
    if seeds := flags.get("seeds"):
        document = with_seed_count(document, len(seeds))
    if grid:
        # What the file's own axes came to says nothing of others.
        document.pop("trials", None)
    document |= {key: value for key, value in flags.items() if value is not None}
    return with_overrides(document, settings, grid, space)


def _document(config: Path | None) -> dict[str, Any]:
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


def _check_effect(spec: "SweepSpec", flags: dict[str, Any]) -> None:
    """Refuse flags that the sweep's search has no use for."""
    from paretoib.specs import SEARCHES

    learns = SEARCHES[spec.search].learns
    for flag, used in (("objectives", learns), ("population", learns or spec.by_beta)):
        if flags[flag] and not used:
            raise SpecError(
                f"--{flag}: should go with a search that uses it, such as --search optuna-tpe; "
                f"found search `{spec.search}`"
            )


def _seeds(text: str) -> list[str]:
    seeds = text.split(",")
    if not all(seed.strip().isdecimal() for seed in seeds):
        raise SpecError(f"--seeds: should be whole numbers and commas, as 0,1,2; found `{text}`")
    return seeds


def _given(**limits: float | None) -> dict[str, float] | None:
    return {name: limit for name, limit in limits.items() if limit is not None} or None


def _plateau(text: str) -> dict[str, str]:
    percent, colon, trials = text.partition(":")
    if not colon:
        raise SpecError(f"--stop-on-plateau: should be PERCENT:TRIALS, as 1:20; found `{text}`")
    return {"percent": percent, "trials": trials}
