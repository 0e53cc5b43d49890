"""Training of packs: `run_trials` trains one pack, `plan_packs` groups trials into packs."""

from typing import TYPE_CHECKING

from paretoib.lazy import lazy_names

if TYPE_CHECKING:
    from paretoib.training._checkpoint import saved_packs
    from paretoib.training._device import check_precision
    from paretoib.training._plan import plan_packs
    from paretoib.training._run import run_trials
    from paretoib.training._stack import stack_trained

__all__ = ["check_precision", "plan_packs", "run_trials", "saved_packs", "stack_trained"]

__getattr__ = lazy_names(
    __name__,
    {
        "saved_packs": "_checkpoint",
        "check_precision": "_device",
        "plan_packs": "_plan",
        "run_trials": "_run",
        "stack_trained": "_stack",
    },
)
