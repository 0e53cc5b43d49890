"""Counts validations of `SweepSpec`. The program runs two small sweeps and prints their counts.

The sweeps share one Ray instance.
"""

import json
import sys
from typing import Any

import paretoib
from jobs.cluster import ray_instance
from paretoib import cli
from paretoib.settings import settings
from paretoib.specs import SweepSpec

SMALL = {"name": "mlp", "hidden": [4], "latent": 2}


class CountingValidator:
    """The validator that pydantic calls for `SweepSpec`, with a count of its calls."""

    def __init__(self) -> None:
        self.validator: Any = SweepSpec.__pydantic_validator__
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("validate_"):
            self.calls += 1
        return getattr(self.validator, name)


def main() -> None:
    """Run a sweep from flags and one from a document; print both counts as JSON."""
    counter = CountingValidator()
    SweepSpec.__pydantic_validator__ = counter  # type: ignore[assignment]
    flags = ("--method", "vib", "--trials", "2", "--epochs", "1", "--set", "hidden=[4]", "--json")
    with ray_instance(settings()):
        try:
            cli.main(["sweep", *flags])
        except SystemExit as end:
            if end.code:
                raise
        from_flags, counter.calls = counter.calls, 0
        paretoib.sweep({"method": "vib", "trials": 2, "training": {"epochs": 1}, "model": SMALL})
    print(json.dumps([from_flags, counter.calls]), file=sys.stderr)


if __name__ == "__main__":
    main()
