"""The defaults of a sweep: they follow from its method, data set, model and search."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, count, pairwise
from math import comb
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_jsonable_python

from paretoib.data import DATASETS
from paretoib.documents import Document
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import lookup
from paretoib.specs._axes import log_spaced
from paretoib.specs._methods import METHODS, SEARCHES, Method, check_method
from paretoib.specs._sections import REGISTRIES, parse_section
from paretoib.specs._space import Choices, Range, default_space
from paretoib.specs._trial import TrialSpec

MAX_TRIALS = 100_000
Axis = tuple[Any, ...]
Trials = Annotated[int, Field(ge=0, le=MAX_TRIALS)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1)]


class Counts(Document):
    """The trials of a sweep (0: as many as its search has by default) and its seeds."""

    trials: Trials = 0
    seeds: Seeds

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Counts":
        """The counts of a document that has seeds; raises `SpecError`."""
        return cls.from_document({k: document[k] for k in ("trials", "seeds") if k in document})


def fill_sections(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the sections, search and seeds that its method stands for."""
    filled = dict(document)
    method = lookup(METHODS, filled.setdefault("method", "mib"), "method")
    filled["data"] = data = parse_section("data", _data(filled.get("data", method.data), method))
    row = DATASETS[data.name]
    filled.setdefault("objective", method.objective)
    objective = parse_section("objective", filled["objective"])
    entry = OBJECTIVES[objective.name]
    model = (row.tasks and method.task_model) or method.model or entry.model or row.model
    filled.setdefault("model", model)
    rate = MODELS[parse_section("model", filled["model"]).name].learning_rate
    filled.setdefault("weighting", method.weighting)
    filled.setdefault("training", {})
    for field, value in {
        **row.field_defaults,
        **entry.field_defaults,
        **method.field_defaults,
    }.items():
        section, _, name = field.partition(".")
        held = filled[section]
        if isinstance(held, str):
            held = {"name": held}
        if isinstance(held, Mapping) and _takes(section, held, name):
            filled[section] = {name: value, **held}
    if isinstance(training := filled["training"], Mapping):
        filled["training"] = {"learning_rate": rate, **training}
    filled.setdefault("search", method.search)
    search = lookup(SEARCHES, filled["search"], "search")
    filled.setdefault("seeds", method.seeds if search.every_seed else (0,))
    return filled


def _data(given: Any, method: Method) -> Any:
    """The data; of several tasks the first, where the method learns one and none is named."""
    named = {"name": given} if isinstance(given, str) else given
    tasks = DATASETS[named["name"]].tasks if _known(named) else ()
    if method.one_task and tasks:
        return {"task": tasks[0], **named}
    return given


def _takes(section: str, held: Mapping[str, Any], field: str) -> bool:
    """Whether what a section names has the field."""
    if section not in REGISTRIES:
        return True
    name = held.get("name")
    named = REGISTRIES[section].get(name) if isinstance(name, str) else None
    return named is not None and field in (param.name for param in named.params)


def _known(named: Any) -> bool:
    name = named.get("name") if isinstance(named, Mapping) else None
    return isinstance(name, str) and name in DATASETS


def fill_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of a document's sweep, as JSON values, with its default where it is left out.

    The document has no grid, space or population. It is not validated as a `SweepSpec`. Raises
    `SpecError` where a default cannot be found.
    """
    filled = fill_sections(document)
    template = template_of(filled)
    defaults = SearchDefaults(filled["method"], filled["search"], template)
    counts = Counts.of(filled)
    trials, seeds = counts.trials, len(counts.seeds)
    by_grid = defaults.search == "grid"
    grid = defaults.grid(trials, seeds) if by_grid else {}
    space = {} if by_grid else defaults.space({})
    by_beta = is_by_beta(defaults.search, space)
    document = {
        **template.document,
        "name": f"{defaults.method}-{template.data.name}",
        "search": defaults.search,
        "seeds": counts.seeds,
        "trials": defaults.trials(trials, seeds, grid, by_beta=by_beta),
        "grid": grid,
        "space": space,
        "population": defaults.population(seeds, by_beta=by_beta),
    }
    return dict(to_jsonable_python(document))


def template_of(filled: Mapping[str, Any]) -> TrialSpec:
    """The trial that a sweep varies, from a document with all its sections; raises `SpecError`."""
    sections = {kind: parse_section(kind, filled[kind]) for kind in REGISTRIES}
    check_method(filled["method"], sections["data"], sections["objective"], sections["weighting"])
    return TrialSpec.from_document({**sections, "training": filled["training"]})


def is_by_beta(search: str, space: Mapping[str, Any]) -> bool:
    """Whether `adaptive` places β, and not starts and settings."""
    return search == "adaptive" and isinstance(space.get("weighting.beta"), Range)


@dataclass(frozen=True)
class SearchDefaults:
    """The defaults of the fields that a search uses: grid, space, trials and population."""

    method: str
    search: str
    template: TrialSpec

    @property
    def varied(self) -> set[str]:
        """The fields that are varied where a document has neither grid nor space."""
        return set(self.grid(0, 1) if self.search == "grid" else self.space({}))

    def grid(self, trials: int, seeds: int) -> dict[str, Axis]:
        """The axes of a grid: of β, or of the tasks' weights.

        It has as many settings as `trials` gives to each of so many `seeds`; 0: the default. The
        weights may have a few more, so that they lie evenly.
        """
        template = self.template
        if template.weighs_compression:
            low, high = OBJECTIVES[template.objective.name].betas
            return {"weighting.beta": log_spaced(low, high, self._settings(trials, seeds))}
        if "task_weights" in template.weighting.params:
            tasks = max(1, len(template.tasks))
            return {"weighting.task_weights": weight_lattice(tasks, self._settings(trials, seeds))}
        return {}

    def space(self, varied: Mapping[str, Range | Choices]) -> dict[str, Range | Choices]:
        """The ranges and choices of a search beside a grid; `varied` are those that are given."""
        # Where β has values to choose from, `adaptive` spreads starts over them.
        chosen = not isinstance(varied.get("weighting.beta"), Range | None)
        space = default_space(self.template, starts=chosen and self.search == "adaptive")
        # A method's own defaults, such as the switches of an ablation, are not varied.
        return {f: r for f, r in space.items() if f not in METHODS[self.method].field_defaults}

    def trials(
        self, trials: int, seeds: int, grid: Mapping[str, Axis], *, by_beta: bool = False
    ) -> int:
        """The number of trials, where `trials` are asked for; 0: the default.

        Raises `SpecError` for a number that the grid and the seeds do not have.
        """
        if not SEARCHES[self.search].every_seed:
            return trials or SEARCHES[self.search].trials
        if self.search != "grid":
            return self._settings(trials, seeds, by_beta=by_beta) * seeds
        size = math.prod(len(values) for values in grid.values()) * seeds
        if size > MAX_TRIALS:
            raise SpecError(f"grid: should have at most {MAX_TRIALS} trials; found {size}")
        if trials not in (0, size):
            axes = " × ".join(str(len(values)) for values in grid.values()) or "1"
            raise SpecError(
                f"trials: should be {size}, the grid ({axes}) times the seeds ({seeds}), "
                f"or left out; found {trials}"
            )
        return size

    def population(self, seeds: int, *, by_beta: bool) -> int:
        """The number of trials that the search proposes at a time; 0: all of them."""
        default = SEARCHES[self.search].population
        return default * seeds * by_beta if self.search == "adaptive" else default

    def _settings(self, trials: int, seeds: int, *, by_beta: bool = False) -> int:
        default = SEARCHES[self.search].trials if by_beta else METHODS[self.method].trials
        return trials_per_seed(trials, seeds) or default


def trials_per_seed(trials: int, seeds: int) -> int:
    """The trials of each seed; raises `SpecError` where they are not equally many."""
    if trials % seeds:
        raise SpecError(
            f"trials: should be a multiple of the number of seeds ({seeds}), "
            f"so that each has the same settings; found {trials}"
        )
    return trials // seeds


def weight_lattice(tasks: int, least: int) -> tuple[tuple[float, ...], ...]:
    """At least so many sets of positive weights, one a task, that lie evenly and have mean 1."""
    parts = 1 if tasks == 1 else next(n for n in count(tasks) if comb(n - 1, tasks - 1) >= least)
    cuts = combinations(range(1, parts), tasks - 1)
    return tuple(
        tuple(round((b - a) * tasks / parts, 4) for a, b in pairwise((0, *cut, parts)))
        for cut in cuts
    )
