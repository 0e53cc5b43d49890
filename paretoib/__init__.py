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
    from paretoib.records import Comparison, Front
    from paretoib.specs import SweepSpec

__version__ = version("paretoib")
__all__ = ["compare", "front", "resume", "sweep"]


def sweep(spec: "SweepSpec | Mapping[str, Any]") -> "Front":
    """Run a sweep on this machine, or the cluster of the settings, and return its front.

    `spec` is a `SweepSpec` or a document for one, as `paretoib sweep --config` takes it.

    Raises:
        SpecError: the spec is none, or cannot be run.
        DataError: its data set cannot be had.
        StoreError: the store cannot be written.
        ClusterError: the cluster cannot be joined, or has no room.
    """
    from jobs.sweep import run_sweep
    from paretoib.specs import SweepSpec

    return run_sweep(spec if isinstance(spec, SweepSpec) else SweepSpec.from_document(spec))


def resume(sweep: str) -> "Front":
    """Go on with an interrupted sweep of the store, and return its front; raises as `sweep` does.

    `sweep` is an id, a unique prefix of one, or a name (of several: the latest).
    """
    from jobs.sweep import resume_sweep

    return resume_sweep(sweep)


def front(sweep: str) -> "Front":
    """The front of a sweep in the store as it is now, named as for `resume`.

    Raises:
        NotFoundError: there is no such sweep, or none of its trials has ended.
        StoreError: the store cannot be read.
    """
    from paretoib.tracking import read_front, reader

    store = reader()
    return read_front(store, store.find(sweep))


def compare(
    left: "str | Front | Sequence[str | Front]", right: "str | Front | Sequence[str | Front]"
) -> "Comparison":
    """Both sides' fronts on one ruler; a side is a sweep, by name or front, or several, pooled.

    Raises:
        ComparisonError: a side has no finite rate, or the sweeps are on different data.
        NotFoundError, StoreError: as for `front`.
    """
    from paretoib import fronts

    return fronts.compare(_side(left), _side(right))


def _side(sweeps: "str | Front | Sequence[str | Front]") -> "list[Front]":
    from paretoib.records import Front

    several = [sweeps] if isinstance(sweeps, str | Front) else sweeps
    return [front(one) if isinstance(one, str) else one for one in several]
