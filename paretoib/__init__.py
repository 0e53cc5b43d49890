"""paretoib: Pareto fronts of information-bottleneck objectives, on one ruler.

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
    """The sweeps of a service at this URL, or of this machine: list, submit, run, watch, compare.

    None stands for the URL in `PARETOIB_SERVER`, an empty URL for this machine; the token is that
    in `PARETOIB_TOKEN`. The functions of this module act on this machine.

    Raises:
        ServiceError: the URL or the token cannot be used.
    """
    from paretoib.backends import connect

    return connect(server)


def sweep(spec: "SweepSpec | Mapping[str, Any]") -> "Front":
    """Run a sweep on this machine, or on the cluster of the settings, and return its front.

    `spec` is a `SweepSpec`, or a document for one as `paretoib sweep --config` reads it.

    Raises:
        SpecError: the spec is invalid.
        DataError: its data set cannot be loaded.
        StoreError: the store cannot be written.
        ClusterError: the cluster cannot be joined, or its nodes are too small.
    """
    from jobs.sweep import run_sweep
    from paretoib.specs import SweepSpec

    return run_sweep(spec if isinstance(spec, SweepSpec) else SweepSpec.from_document(spec))


def resume(sweep: str) -> "Front":
    """Resume an interrupted sweep of the store and return its front; raises as `sweep` does.

    `sweep` is an id, a unique prefix of an id, or a name (the newest of several).
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
    """The current front of a sweep in the store, named as for `resume`.

    Raises:
        NotFoundError: there is no such sweep, or none of its trials has ended.
        StoreError: the store cannot be read.
    """
    return connect("").front(sweep)


def compare(left: "Side", right: "Side") -> "Comparison":
    """Compare two sides on one ruler; a side is a sweep (by name or front), or several, pooled.

    Raises:
        ComparisonError: a side has no finite rate, or the sweeps are on different data.
        NotFoundError, StoreError: as for `front`.
    """
    from paretoib import fronts

    return fronts.compare(_fronts(left), _fronts(right))


def _fronts(side: "Side") -> "Sequence[Front]":
    from paretoib.records import Front, SweepInfo

    sweeps = [side] if isinstance(side, str | Front | SweepInfo) else side
    backend = connect("")
    return [sweep if isinstance(sweep, Front) else backend.front(sweep) for sweep in sweeps]
