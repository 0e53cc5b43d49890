"""Registries of implementations, whose entries can be read without importing torch.

An entry names its class as "module:Class" and declares its hyperparameters. `OBJECTIVES`,
`WEIGHTINGS`, `MODELS` and `DATASETS` are registries. Installed packages can add objectives, models
and data sets, but no weightings.
"""

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, TypeVar

from paretoib.errors import SpecError

_log = logging.getLogger(__name__)


# The noise of p(z|x). `learned`: a width for each input and dimension; `scale`: one learned width
# for all; `zero_entropy`: the fixed width with differential entropy 0; `bernoulli`: Z is random
# bits; `categorical`: Z is a random symbol; `none`: Z is a function of x. The type is declared here
# because objectives and models both need it, and may not import each other.
Noise = Literal["learned", "scale", "zero_entropy", "bernoulli", "categorical", "none"]


@dataclass(frozen=True)
class Param:
    """A hyperparameter: its type, default and bounds.

    A `per_trial` parameter may differ between the trials of a pack; the implementation gets it as
    a tensor with one value for each trial. All other parameters are equal in a pack. A parameter
    that is `along_front` moves the trained model along the front, as β does: the rate changes with
    it in one direction, up to noise and the ends of its range. A parameter with `only_with`, a
    field and a value, has an effect only if that field of the same section has the value. A
    parameter with `sets_noise` belongs to an objective but only chooses the noise of the model
    (`ObjectiveEntry.noise_of`); the objective's constructor does not get it.
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
    along_front: bool = False
    only_with: tuple[str, Any] | None = None
    sets_noise: bool = False

    def has_effect(self, section: Mapping[str, Any]) -> bool:
        """Whether the parameter has an effect in a section with these fields."""
        return self.only_with is None or section.get(self.only_with[0]) == self.only_with[1]

    @property
    def constraints(self) -> dict[str, Any]:
        """The declared bounds, under pydantic's names."""
        names = ("gt", "ge", "lt", "le", "min_length")
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}


def load_target(target: str) -> Any:
    """Import a target "module:name" and return the object."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Entry:
    """A registry entry: the target "module:Class", a summary, its paper, its hyperparameters.

    A `local` entry needs a file or code that only this machine has; a service does not offer it.
    `complete` names a function ("module:name") that gets the fields of a section and returns them
    with further fields, such as facts of a file.
    """

    target: str
    summary: str
    paper: str = ""
    params: tuple[Param, ...] = field(default=(), kw_only=True)
    local: bool = field(default=False, kw_only=True)
    complete: str = field(default="", kw_only=True)

    def load(self) -> Any:
        """Import the target and return it."""
        return load_target(self.target)

    def build(self, params: Mapping[str, Any]) -> Any:
        """An instance of the target for all trials of a pack.

        The constructor gets the hyperparameters that the trials share, except those that only
        choose the model's noise.
        """
        names = [p.name for p in self.params if not (p.per_trial or p.sets_noise)]
        return self.load()(**{name: params[name] for name in names if name in params})


EntryT = TypeVar("EntryT")


class Registry(MutableMapping[str, EntryT]):
    """Entries by name: paretoib's own (`own`) and those of installed packages.

    An installed package adds entries by entry points of the `group`. An entry point has the name of
    its entry and loads an instance of `kind`, from a module that should not import torch. Entry
    points that cannot be loaded, or whose name is taken, are logged and ignored.

    Entry points are loaded on the first access, so that the module of an entry may itself import
    the registry.
    """

    def __init__(self, group: str, kind: type[EntryT], own: Mapping[str, EntryT]) -> None:
        self.group = group
        self.kind = kind
        self._own = own

    @cached_property
    def _entries(self) -> dict[str, EntryT]:
        entries = dict(self._own)
        for point in entry_points(group=self.group):
            try:
                if point.name in entries:
                    raise SpecError("the name is taken")
                entry = point.load()
                if not isinstance(entry, self.kind):
                    raise SpecError(f"should be a {self.kind.__name__}; found {entry!r}")
            except Exception as error:
                _log.warning("%s = %s ignored: %s", point.name, point.value, error)
            else:
                entries[point.name] = entry
        return entries

    def __getitem__(self, name: str) -> EntryT:
        return self._entries[name]

    def __setitem__(self, name: str, entry: EntryT) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def lookup(registry: Mapping[str, EntryT], name: object, label: str) -> EntryT:
    """The entry called `name`; raises `SpecError` with the known names and a similar one.

    `label` says in the message what the registry holds, such as "model".
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    close = get_close_matches(str(name), registry, n=1)
    suggestion = f"; did you mean `{close[0]}`?" if close else ""
    known = ", ".join(registry)
    raise SpecError(f"unknown {label}: should be one of {known}; found `{name}`{suggestion}")
