"""Drivers, which propose the trials of a sweep by `ask` and `tell`; `DRIVERS` lists them.

`field_importance` says which fields mattered. Optuna and pymoo are imported lazily, on first use.
"""

from typing import TYPE_CHECKING

from paretoib.lazy import lazy_names
from paretoib.registry import load_target
from paretoib.search._driver import Driver
from paretoib.specs import SweepSpec

if TYPE_CHECKING:
    from paretoib.search._importance import field_importance

DRIVERS: dict[str, str] = {
    "grid": "paretoib.search._planned:Grid",
    "random": "paretoib.search._random:Random",
    "adaptive": "paretoib.search._adaptive:adaptive",
    "optuna-tpe": "paretoib.search._optuna:TPE",
    "optuna-nsga2": "paretoib.search._optuna:NSGA2",
    "optuna-nsga3": "paretoib.search._optuna:NSGA3",
    "optuna-gp": "paretoib.search._optuna:GP",
    "pymoo-nsga2": "paretoib.search._pymoo:NSGA2",
    "pymoo-nsga3": "paretoib.search._pymoo:NSGA3",
    "pymoo-moead": "paretoib.search._pymoo:MOEAD",
    "pymoo-sms": "paretoib.search._pymoo:SMSEMOA",
}


def driver(spec: SweepSpec) -> Driver:
    """A new driver for a sweep.

    Raises:
        SpecError: the driver cannot run the spec.
    """
    new: Driver = load_target(DRIVERS[spec.search])(spec)
    return new


__all__ = ["DRIVERS", "Driver", "driver", "field_importance"]

__getattr__ = lazy_names(__name__, {"field_importance": "_importance"})
