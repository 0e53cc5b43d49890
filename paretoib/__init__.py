"""paretoib: Pareto fronts of information-bottleneck methods, all measured in the same way.

import paretoib
paretoib.sweep({"method": "vib", "data": "digits", "name": "linear"})
paretoib.sweep({"method": "mib", "data": "digits", "name": "adaptive"})
print(paretoib.compare("adaptive", "linear").verdict)
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretoib.backends import Backend, SweepReference
    from paretoib.records import Comparison, Front, SweepState
    from paretoib.specs import SweepSpec

    Side = SweepReference | Front | Sequence[SweepReference | Front]

__version__ = version("paretoib")
__all__ = ["compare", "connect", "front", "list", "resume", "sweep"]


def connect(server: str | None = None) -> "Backend":
    """A backend, which lists, runs and compares sweeps on a service or on this machine.

    `server` is the URL of the service. None means the URL in `PARETOIB_SERVER`, and an empty URL
    means this machine. `PARETOIB_TOKEN` holds the token. The other functions of this module use no
    service: they use the store and the cluster in the settings.

    Raises:
        ServiceError: the URL or the token cannot be used.
    """
    from paretoib.backends import connect

    return connect(server)


def sweep(spec: "SweepSpec | Mapping[str, Any]") -> "Front":
    """Run a sweep on this machine, or on the Ray cluster in the settings, and return its front.

    `spec` is a `SweepSpec`, or a mapping with the fields of a `paretoib sweep --config` file.

    Raises:
        SpecError: the spec is invalid.
        DataError: the data set cannot be loaded.
        StoreError: the store cannot be written.
        ClusterError: the cluster cannot be joined, or its nodes are too small.
    """
    from jobs.sweep import run_sweep
    from paretoib.specs import SweepSpec

    return run_sweep(spec if isinstance(spec, SweepSpec) else SweepSpec.from_document(spec))


def resume(sweep: str) -> "Front":
    """Resume an interrupted sweep of the store and return its front.

    `sweep` is an id, a unique prefix of an id, or a name (the newest sweep of that name).

    Raises:
        NotFoundError: there is no such sweep.
        SpecError, DataError, StoreError, ClusterError: as for `sweep`.
    """
    from jobs.sweep import resume_sweep

    return resume_sweep(sweep)


def list() -> "Sequence[SweepState]":
    """The state of every sweep in the store, newest first.

    Raises:
        StoreError: the store cannot be read.
    """
    return connect("").list()


def front(sweep: str) -> "Front":
    """The current front of a sweep in the store; `sweep` is an id, a prefix or a name.

    Raises:
        NotFoundError: there is no such sweep, or none of its trials has ended.
        StoreError: the store cannot be read.
    """
    return connect("").front(sweep)


def compare(left: "Side", right: "Side") -> "Comparison":
    """Compare two sides. A side is a sweep, or several sweeps, whose trials are pooled.

    A sweep is an id, a unique prefix of an id, a name, a `SweepInfo` or a `Front`.

    Raises:
        ComparisonError: a side has no point with a finite rate, or the sweeps' data differ.
        NotFoundError, StoreError: as for `front`.
    """
    from paretoib import fronts

    return fronts.compare(_fronts(left), _fronts(right))


def _fronts(side: "Side") -> "Sequence[Front]":
    from paretoib.records import Front, SweepInfo

    sweeps = [side] if isinstance(side, str | Front | SweepInfo) else side
    backend = connect("")
    return [sweep if isinstance(sweep, Front) else backend.front(sweep) for sweep in sweeps]
