"""Drivers: what proposes the trials of a sweep, by ask and tell. `DRIVERS` lists them all.

No library of a search is loaded before a sweep asks for it.
"""

from paretoib.registry import load_target
from paretoib.search._driver import Driver
from paretoib.specs import SweepSpec

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
    """A new driver for a sweep, told nothing yet; `SpecError` for a spec that it cannot serve."""
    made: Driver = load_target(DRIVERS[spec.search])(spec)
    return made


__all__ = ["DRIVERS", "Driver", "driver"]
