"""Drivers: what proposes the trials of a sweep, by ask and tell."""

from paretoib.search._driver import Driver
from paretoib.search._planned import Adaptive, Grid
from paretoib.specs import SweepSpec

DRIVERS: dict[str, type[Driver]] = {
    "grid": Grid,
    "adaptive": Adaptive,
}


def driver(spec: SweepSpec) -> Driver:
    """A new driver for a sweep, told nothing yet."""
    return DRIVERS[spec.search](spec)


__all__ = ["DRIVERS", "Driver", "driver"]
