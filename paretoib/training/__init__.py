"""Trains packs of trials: `run_trials`, and what goes into one: `plan_packs`, `saved_packs`.

All are loaded when first asked for, and torch with them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretoib.training._checkpoint import saved_packs
    from paretoib.training._plan import plan_packs
    from paretoib.training._run import run_trials

__all__ = ["plan_packs", "run_trials", "saved_packs"]


def __getattr__(name: str) -> Any:
    if name == "run_trials":
        from paretoib.training._run import run_trials

        return run_trials
    if name == "plan_packs":
        from paretoib.training._plan import plan_packs

        return plan_packs
    if name == "saved_packs":
        from paretoib.training._checkpoint import saved_packs

        return saved_packs
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
