"""Trains packs of trials: `run_trials`, and `plan_packs`, which says what goes into one.

Both are loaded when first asked for, and torch with them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretoib.training._plan import plan_packs
    from paretoib.training._run import run_trials

__all__ = ["plan_packs", "run_trials"]


def __getattr__(name: str) -> Any:
    if name == "run_trials":
        from paretoib.training._run import run_trials

        return run_trials
    if name == "plan_packs":
        from paretoib.training._plan import plan_packs

        return plan_packs
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
