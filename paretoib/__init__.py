"""paretoib: Pareto fronts of information-bottleneck methods, all measured in the same way.

import paretoib
paretoib.sweep({"method": "vib", "data": "digits", "name": "linear"})
paretoib.sweep({"method": "mib", "data": "digits", "name": "adaptive"})
print(paretoib.compare("adaptive", "linear").verdict)
print(paretoib.pick("adaptive", max_rate=5))
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from paretoib.lazy import lazy_names

if TYPE_CHECKING:
    from os import PathLike

    import torch

    from paretoib.backends import Backend, Best, SweepReference
    from paretoib.evaluation import measure
    from paretoib.records import Comparison, Front, OnProgress, Pick, SweepState, TrialRecord
    from paretoib.specs import SweepSpec
    from paretoib.trained import TrainedModel

    Side = SweepReference | Front | Sequence[SweepReference | Front]

__version__ = version("paretoib")
__all__ = [
    "compare",
    "connect",
    "export",
    "extend",
    "front",
    "list",
    "load_model",
    "measure",
    "pick",
    "resume",
    "sweep",
]

__getattr__ = lazy_names(__name__, {"measure": "evaluation"})


def connect(server: str | None = None) -> "Backend":
    """A backend, which lists, runs and compares sweeps on a service or on this machine.

    `server` is the URL of the service. None means the URL in `PARETOIB_SERVER`, and an empty URL
    means this machine. `PARETOIB_TOKEN` holds the token. The other functions of this module use
    `connect()`.

    Raises:
        ServiceError: the URL or the token cannot be used.
    """
    from paretoib.backends import connect

    return connect(server)


def sweep(
    spec: "SweepSpec | Mapping[str, Any]",
    *,
    data: Any = None,
    encoder: Any = None,
    on_progress: "OnProgress | None" = None,
) -> "Front":
    """Run a sweep to its end and return its front.

    `spec` is a `SweepSpec`, or a mapping with the fields of a `paretoib sweep --config` file.
    `data` is a pair of arrays (x, y), or a mapping of arrays with the names of an .npz file; the
    arrays are saved in the data folder. `encoder` is a class or function that makes a torch module:
    with the number of outputs as its argument, or without arguments. The mapping `spec` then names
    no data set and no model. Both are for this machine only (docs/own.md).

    `on_progress` gets each new state of the sweep. By default, a line on stderr shows the progress
    every ten seconds; `on_progress=lambda state: None` turns this off.

    Raises:
        SpecError: the spec is invalid, or the encoder cannot be trained.
        DataError: the data set cannot be loaded, or the arrays do not fit.
        StoreError: the store cannot be written.
        ClusterError: the cluster cannot be joined, or its nodes are too small.
        ServiceError: the service of `connect` cannot be reached, or refuses the sweep.
        ParetoIBError: the sweep ended on a service before any of its trials had ended.
    """
    from paretoib.specs import SweepSpec, check_own_parts, with_own_parts

    if data is not None or encoder is not None:
        _check_local("data and encoder")
        spec = with_own_parts(spec, data, encoder)
    checked = spec if isinstance(spec, SweepSpec) else SweepSpec.from_document(spec)
    if encoder is not None:
        check_own_parts(checked)
    backend = connect()
    run = partial(backend.run, checked)
    return _front_at_end(run, checked.name, backend.starting, on_progress)


def resume(sweep: str, *, encoder: Any = None, on_progress: "OnProgress | None" = None) -> "Front":
    """Resume a sweep, run it to its end and return its front.

    `sweep` is an id, a unique prefix of an id, or a name (the newest sweep of that name). A sweep
    with an `encoder` needs the same encoder again. `on_progress` is as for `sweep`.

    Raises:
        NotFoundError: there is no such sweep.
        SpecError, DataError, StoreError, ClusterError, ServiceError, ParetoIBError: as for `sweep`.
    """
    backend = connect()
    state = _found(backend, sweep, encoder)
    return _front_at_end(partial(backend.resume, state), state.name, backend.starting, on_progress)


def extend(
    sweep: str,
    *,
    trials: int | str | None = None,
    seeds: "Sequence[int] | str | None" = None,
    grid: "Mapping[str, Any] | None" = None,
    space: "Mapping[str, Any] | None" = None,
    encoder: Any = None,
    on_progress: "OnProgress | None" = None,
) -> "Front":
    """Add trials, seeds or values to a sweep that has ended, and return its front with them.

    The arguments mean what the flags of `paretoib extend` mean: `trials="+16"` for 16 more or
    `trials=48` for the new number, `seeds=[3, 4]` or `seeds="+2"`, `grid={"beta": [0.3, 0.5]}`,
    `space={"beta": "1e-6:1"}`. Nothing is trained twice. `sweep`, `encoder` and `on_progress` are
    as for `resume`, which continues an extension that was interrupted.

    Raises:
        NotFoundError: there is no such sweep.
        SpecError: the sweep cannot have these additions, or nothing is added.
        StoreError: the sweep runs, or another process has extended it at the same time; also as
            for `sweep`.
        DataError, ClusterError, ServiceError, ParetoIBError: as for `sweep`.
    """
    from paretoib.specs import Additions

    given = {"trials": trials, "seeds": seeds, "grid": grid, "space": space}
    additions = Additions.from_document({k: v for k, v in given.items() if v is not None})
    backend = connect()
    state = _found(backend, sweep, encoder)
    run = partial(backend.extend, state, additions)
    return _front_at_end(run, state.name, backend.starting, on_progress)


def list(
    *, archived: bool = False, tags: "Mapping[str, str | None] | None" = None
) -> "Sequence[SweepState]":
    """The state of every sweep, newest first; archived sweeps only if `archived` is set.

    With `tags`, only sweeps that have all these tags; None stands for any value of a tag.

    Raises:
        StoreError: the store cannot be read.
        ServiceError: the service of `connect` cannot be reached.
    """
    return connect().list(archived=archived, tags=tags or {})


def front(sweep: str, *, where: "Sequence[str]" = ()) -> "Front":
    """The current front of a sweep; `sweep` is an id, a prefix of an id, or a name.

    `where` are conditions such as `beta<0.1` and `accuracy>=0.95`: the front has only trials that
    satisfy all of them. A measure in a condition is the mean of a setting over its seeds.

    Raises:
        NotFoundError: there is no such sweep, or none of its trials has ended.
        FilterError: a condition is invalid, or no trial satisfies all of them.
        StoreError, ServiceError: as for `list`.
    """
    return connect().front(sweep, where=where)


def compare(left: "Side", right: "Side", *, where: "Sequence[str]" = ()) -> "Comparison":
    """Compare two sides. A side is a sweep, or several sweeps, whose trials are pooled.

    A sweep is an id, a unique prefix of an id, a name, a `SweepInfo` or a `Front`. `where` is as
    for `front`.

    Raises:
        ComparisonError: a side has no point with a finite rate, or the sweeps' data differ.
        NotFoundError, FilterError, StoreError, ServiceError: as for `front`.
    """
    from paretoib import fronts

    return fronts.compare(_fronts(left), _fronts(right), where=where)


def pick(
    sweeps: "Side",
    *,
    max_rate: float | None = None,
    min_accuracy: float | None = None,
    knee: bool = False,
    prefer: float | None = None,
    where: "Sequence[str]" = (),
) -> "Pick":
    """Choose one setting from the fronts of one or more sweeps, by exactly one of these rules.

    `max_rate` (bits): the fewest lost bits at this rate or less. `min_accuracy` (0 to 1): the
    lowest rate with this accuracy or more. `knee`: the knee of the front. `prefer` (0 to 1): this
    weight for few lost bits, and the rest for a low rate. Settings are means over seeds. The choice
    is made on the validation split, so measures in `where` are those of this split; the values in
    the result are those of the test split.

    Raises:
        ChoiceError: none or several rules are given, or no setting satisfies the rule.
        ComparisonError: the sweeps' data differ.
        NotFoundError, FilterError, StoreError, ServiceError: as for `front`.
    """
    from paretoib import fronts
    from paretoib.records import PickRule

    rule = PickRule.of(max_rate=max_rate, min_accuracy=min_accuracy, knee=knee, prefer=prefer)
    return fronts.pick(_fronts(sweeps), rule, where=where)


def export(
    sweep: str,
    folder: "str | PathLike[str]",
    *,
    trial: str | None = None,
    best: "Best" = "validation",
    overwrite: bool = False,
) -> "TrialRecord":
    """Write the model of a trial to a folder, for `load_model`; returns the trial's record.

    `trial` is a trial key or a unique prefix of one; None means the `best` trial on the validation
    split: `validation` has the highest accuracy, `lost` the fewest lost bits.

    Raises:
        NotFoundError: there is no such sweep or trial, or the model is not kept; the text says why.
        ParetoIBError: the folder has files, and `overwrite` is not set.
        StoreError, ServiceError: as for `list`.
    """
    return connect().export(sweep, folder, trial=trial, best=best, overwrite=overwrite)


def load_model(
    path: "str | PathLike[str]", *, map_location: "torch.device | str" = "cpu"
) -> "TrainedModel":
    """The trained model in a folder of `export`, as a torch module on the device `map_location`.

    `encode(x)` returns the mean and the scale of p(z|x), `sample(x)` a sample of z, and
    `predict(x)` the class probabilities; see `paretoib.trained.TrainedModel`. Loading needs neither
    the store nor the data set, and runs no code from the folder.

    Raises:
        DataError: the folder has no model file, or one of another version.
        SpecError: the model is that of a plugin which is not installed.
    """
    from paretoib.trained import load_model

    return load_model(path, map_location=map_location)


def _fronts(side: "Side") -> "Sequence[Front]":
    from paretoib.records import Front, SweepInfo

    sweeps = [side] if isinstance(side, str | Front | SweepInfo) else side
    return [sweep if isinstance(sweep, Front) else connect().front(sweep) for sweep in sweeps]


def _found(backend: "Backend", sweep: str, encoder: Any) -> "SweepState":
    """A stored sweep; raises `SpecError` for an encoder that is not the sweep's."""
    state = backend.find(sweep)
    if encoder is not None:
        from paretoib.models import check_same_encoder

        _check_local("encoder")
        check_same_encoder(state.spec["model"], encoder)
    return state


def _check_local(names: str) -> None:
    """Raise `SpecError` if a service would run the sweep."""
    from paretoib.errors import SpecError
    from paretoib.settings import settings

    if server := settings().server:
        raise SpecError(
            f"{names}: should be used on this machine, because a service runs registered names "
            f"only; found PARETOIB_SERVER = {server}"
        )


def _front_at_end(
    run: "Callable[..., Front | None]",
    name: str,
    starting: str,
    on_progress: "OnProgress | None",
) -> "Front":
    """The front of a sweep that `run` runs to its end; `ParetoIBError` if no trial has ended."""
    from paretoib.errors import ParetoIBError
    from paretoib.progress import ProgressText, progress_lines

    text = ProgressText(name, starting)

    def show(state: "SweepState") -> None:
        text.show(state)
        if on_progress:
            on_progress(state)

    with nullcontext() if on_progress else progress_lines(text):
        front = run(on_progress=show)
    if front:
        return front
    assert text.state is not None
    reason = text.state.reason or "no trial has ended"
    raise ParetoIBError(f"{text.state.name} is {text.state.status}: {reason}")
