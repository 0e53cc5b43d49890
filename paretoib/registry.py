"""How a registry's rows describe an implementation, without importing it.

A row names its class as "module:Class" and declares its hyperparameters, so that listing,
validating and documenting a method loads no torch. `OBJECTIVES`, `WEIGHTINGS`, `MODELS` and
`DATASETS` are plain dicts of such rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

from paretoib.errors import SpecError


@dataclass(frozen=True)
class Param:
    """One hyperparameter: its type, default and range.

    `per_trial` marks one that may differ between the trials of a pack: it reaches the
    implementation as a tensor with one value a trial. All others fix a shape or a schedule.
    """

    name: str
    kind: Any
    default: Any
    doc: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int | None = None
    per_trial: bool = False

    @property
    def constraints(self) -> dict[str, Any]:
        """The bounds that are set, under pydantic's names."""
        names = ("gt", "ge", "lt", "le", "min_length")
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}


def load_target(target: str) -> Any:
    """Import and return what "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Entry:
    """A registry's row."""

    target: str
    summary: str
    paper: str = ""
    params: tuple[Param, ...] = field(default=(), kw_only=True)

    def load(self) -> Any:
        """Import and return what the row names."""
        return load_target(self.target)


Row = TypeVar("Row")


def lookup(registry: Mapping[str, Row], name: object, what: str) -> Row:
    """The row called `name`; a `SpecError` that lists what there is, and guesses at a typo."""
    if isinstance(name, str) and name in registry:
        return registry[name]
    close = get_close_matches(str(name), registry, n=1)
    guess = f"; did you mean `{close[0]}`?" if close else ""
    known = ", ".join(registry)
    raise SpecError(f"unknown {what}: should be one of {known}; found `{name}`{guess}")
