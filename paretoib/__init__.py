"""paretoib: Pareto fronts of information-bottleneck objectives, on one ruler.

import paretoib
front = paretoib.sweep({"method": "mib", "data": "digits"})
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretoib.records import Front
    from paretoib.specs import SweepSpec

__version__ = version("paretoib")


def sweep(spec: "SweepSpec | Mapping[str, Any]") -> "Front":
    """Run a sweep on this machine, or the cluster of the settings, and return its front.

    `spec` is a `SweepSpec` or a document for one. Raises what `jobs.sweep.run_sweep` raises.
    """
    from jobs.sweep import run_sweep
    from paretoib.specs import SweepSpec

    return run_sweep(spec if isinstance(spec, SweepSpec) else SweepSpec.from_document(spec))
