"""How a registry's rows describe an implementation, without importing it.

A row names its class as "module:Class" and declares its hyperparameters, so that listing,
validating and documenting a method loads no torch. `OBJECTIVES`, `WEIGHTINGS`, `MODELS` and
`DATASETS` hold such rows; to all but the weightings installed packages can add (`Registry`).
"""

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from paretoib.errors import SpecError

_log = logging.getLogger(__name__)


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


class Registry(MutableMapping[str, Row]):
    """Rows by their names: paretoib's `own`, and those that installed packages add.

    Packages add rows by entry points of `group`: an entry point's name is the row's, and its object
    a row of type `kind`, in a module that should load no more than paretoib's own rows do. One that
    cannot be had is left out with a warning, and so is one whose name is taken.

    Entry points are read when a row is first asked for: a package that is being imported, and has
    not got its rows yet, can import the registry.
    """

    def __init__(self, group: str, kind: type[Row], own: Mapping[str, Row]) -> None:
        self.group = group
        self.kind = kind
        self._own = own

    @cached_property
    def _rows(self) -> dict[str, Row]:
        rows = dict(self._own)
        for point in entry_points(group=self.group):
            try:
                if point.name in rows:
                    raise SpecError("the name is taken")
                row = point.load()
                if not isinstance(row, self.kind):
                    raise SpecError(f"should be a {self.kind.__name__}; found {row!r}")
            except Exception as error:
                _log.warning("%s = %s left out: %s", point.name, point.value, error)
            else:
                rows[point.name] = row
        return rows

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def __setitem__(self, name: str, row: Row) -> None:
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def lookup(registry: Mapping[str, Row], name: object, what: str) -> Row:
    """The row called `name`; a `SpecError` that lists what there is, and guesses at a typo."""
    if isinstance(name, str) and name in registry:
        return registry[name]
    close = get_close_matches(str(name), registry, n=1)
    guess = f"; did you mean `{close[0]}`?" if close else ""
    known = ", ".join(registry)
    raise SpecError(f"unknown {what}: should be one of {known}; found `{name}`{guess}")
