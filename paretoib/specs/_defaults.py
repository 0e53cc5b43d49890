"""The defaults of a sweep, which depend on its method, data set, model and search.

The functions take plain documents, so that a caller gets the defaults of a document without
validating it as a `SweepSpec`.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_jsonable_python

from paretoib.data import DATASETS
from paretoib.documents import Document
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import lookup
from paretoib.specs._axes import distinct_digits, log_spaced
from paretoib.specs._methods import METHODS, SEARCHES, Method, check_method
from paretoib.specs._presets import with_preset
from paretoib.specs._sections import REGISTRIES, as_mapping, parse_section
from paretoib.specs._space import Choices, Range, default_space, field_along_front
from paretoib.specs._trial import TrialSpec

MAX_TRIALS = 100_000
_MAX_STEM = 100  # characters of a file's name in the name of a sweep
Axis = tuple[Any, ...]
Trials = Annotated[int, Field(ge=0, le=MAX_TRIALS)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1)]


class TrialsAndSeeds(Document):
    """The number of trials of a sweep (0: the default), and the seeds."""

    trials: Trials = 0
    seeds: Seeds

    @classmethod
    def of(cls, filled: Mapping[str, Any]) -> "TrialsAndSeeds":
        """Read both fields from a document of `fill_sections`; raises `SpecError`."""
        return cls.from_document({k: filled[k] for k in ("trials", "seeds") if k in filled})


def fill_sections(document: Mapping[str, Any]) -> dict[str, Any]:
    """Add the values of the preset, and the default method, sections, search and seeds.

    Raises `SpecError` for unknown names.
    """
    filled = with_preset(document)
    method = lookup(METHODS, filled.setdefault("method", "mib"), "method")
    data = parse_section("data", _with_task(filled.get("data", method.data), method))
    filled["data"] = data
    dataset = DATASETS[data.name]
    filled.setdefault("objective", method.objective)
    objective = OBJECTIVES[parse_section("objective", filled["objective"]).name]
    model = (dataset.tasks and method.task_model) or method.model
    filled.setdefault("model", model or objective.model or dataset.model)
    learning_rate = MODELS[parse_section("model", filled["model"]).name].learning_rate
    filled.setdefault("weighting", method.weighting)
    filled.setdefault("training", {})
    field_defaults = {
        **dataset.field_defaults,
        **objective.field_defaults,
        **method.field_defaults,
    }
    for field, value in field_defaults.items():
        kind, _, name = field.partition(".")
        section = as_mapping(filled[kind])
        if isinstance(section, Mapping) and _has_field(kind, section, name):
            filled[kind] = {name: value, **section}
    if isinstance(training := filled["training"], Mapping):
        filled["training"] = {"learning_rate": learning_rate, **training}
    filled.setdefault("search", method.search)
    search = lookup(SEARCHES, filled["search"], "search")
    filled.setdefault("seeds", method.seeds if search.every_seed else (0,))
    return filled


def fill_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of the sweep that a document describes, with defaults, as JSON values.

    The document should have no space or population, and no grid but that of its preset. It is not
    validated as a `SweepSpec`.
    Raises `SpecError` for an invalid section, `training`, `trials` or `seeds`.
    """
    filled = fill_sections(document)
    counts = TrialsAndSeeds.of(filled)
    trials, seeds = counts.trials, len(counts.seeds)
    defaults = SearchDefaults.of(filled)
    is_grid = defaults.search == "grid"
    grid = filled.get("grid") or (defaults.grid(trials, seeds) if is_grid else {})
    space = {} if is_grid else defaults.space({})
    fields = {
        **defaults.template.document,
        "name": default_name(defaults.method, defaults.template.data.document),
        "search": defaults.search,
        "seeds": counts.seeds,
        "trials": defaults.trials(trials, seeds, grid, space),
        "grid": grid,
        "space": space,
        "population": defaults.population(seeds, space),
    }
    return dict(to_jsonable_python(fields))


def default_name(method: str, data: Mapping[str, Any]) -> str:
    """The name of a sweep whose spec has none: METHOD-DATASET, or METHOD-FILE for a file.

    `data` are the fields of the data section.
    """
    if "path" not in data:
        return f"{method}-{data['name']}"
    stem = PurePath(data["path"]).stem[:_MAX_STEM]
    return f"{method}-{''.join(c if c.isprintable() else '_' for c in stem)}"


@dataclass(frozen=True)
class SearchDefaults:
    """The defaults of the fields that a search uses: grid, space, trials and population."""

    method: str
    search: str
    template: TrialSpec

    @classmethod
    def of(cls, filled: Mapping[str, Any]) -> "SearchDefaults":
        """The defaults for a document from `fill_sections`; raises `SpecError`."""
        sections = {kind: parse_section(kind, filled[kind]) for kind in REGISTRIES}
        method = filled["method"]
        check_method(method, sections["data"], sections["objective"], sections["weighting"])
        template = TrialSpec.from_document({**sections, "training": filled["training"]})
        return cls(method, filled["search"], template)

    @property
    def varied(self) -> set[str]:
        """The fields that a document without grid and space varies."""
        return set(self.grid(0, 1) if self.search == "grid" else self.space({}))

    def grid(self, trials: int, seeds: int) -> dict[str, Axis]:
        """The axes of search `grid`: β, the preference, the weights of the tasks, or no axis.

        The axis has `trials / seeds` values, or the method's default if `trials` is 0. With one
        value there is no axis, and the trials keep the field's value. An axis of task weights may
        have more values, so that the weights are evenly spaced.
        """
        template = self.template
        count = self._per_seed(trials, seeds, {})
        if "preference" in template.weighting.params and count > 1:
            return {"weighting.preference": preferences(count)}
        if "task_weights" in template.weighting.params and not template.weighs_compression:
            tasks = max(1, len(template.tasks))
            return {"weighting.task_weights": weight_lattice(tasks, count)}
        if template.weighs_compression and count > 1:
            low, high = OBJECTIVES[template.objective.name].betas
            return {"weighting.beta": log_spaced(low, high, count)}
        return {}

    def space(self, varied: Mapping[str, Range | Choices]) -> dict[str, Range | Choices]:
        """The space of a search other than `grid`; `varied` is what the document itself varies."""
        space = default_space(self.template)
        along_front = field_along_front(self.template, space)
        # If this field is a list of choices, `adaptive` varies the initialisation too.
        chosen = along_front and not isinstance(varied.get(along_front), Range | None)
        if self.search == "adaptive" and chosen:
            space = default_space(self.template, vary_initialisation=True)
        # Fields that the method sets, such as the switches of an ablation, are not varied, except
        # the field along the front.
        fixed = METHODS[self.method].field_defaults.keys() - {along_front}
        return {f: r for f, r in space.items() if f not in fixed}

    def gap_field(self, space: Mapping[str, Range | Choices]) -> str | None:
        """The field by which `adaptive` fills the gaps of the front; None for other searches.

        Without such a field, `adaptive` spaces initialisations and hyperparameters evenly.
        """
        return field_along_front(self.template, space) if self.search == "adaptive" else None

    def trials(
        self, trials: int, seeds: int, grid: Mapping[str, Axis], space: Mapping[str, Any]
    ) -> int:
        """The number of trials; `trials` is the number in the document, 0 for the default.

        Raises `SpecError` if the grid is too large, or if the number does not fit the grid and the
        seeds.
        """
        if not SEARCHES[self.search].every_seed:
            return trials or SEARCHES[self.search].trials
        if self.search != "grid":
            return self._per_seed(trials, seeds, space) * seeds
        size = math.prod(len(values) for values in grid.values()) * seeds
        if size > MAX_TRIALS:
            raise SpecError(f"grid: should have at most {MAX_TRIALS} trials; found {size}")
        if trials not in (0, size):
            axes = " × ".join(str(len(values)) for values in grid.values()) or "1"
            raise SpecError(
                f"trials: should be {size}, the size of the grid ({axes}) times the number of "
                f"seeds ({seeds}), or be left out; found {trials}"
            )
        return size

    def population(self, seeds: int, space: Mapping[str, Any]) -> int:
        """The number of trials in a generation; 0: all trials are in one generation."""
        default = SEARCHES[self.search].population
        if self.search == "adaptive":
            return default * seeds if self.gap_field(space) else 0
        return default

    def _per_seed(self, trials: int, seeds: int, space: Mapping[str, Any]) -> int:
        own_search = self.search == METHODS[self.method].search
        default = METHODS[self.method].trials
        if self.gap_field(space) and not own_search:
            default = SEARCHES[self.search].trials
        return trials_per_seed(trials, seeds) or default


def trials_per_seed(trials: int, seeds: int) -> int:
    """The number of trials for each seed; raises `SpecError` if it differs between the seeds."""
    if trials % seeds:
        raise SpecError(
            f"trials: should be a multiple of the number of seeds ({seeds}), "
            f"so that each seed has the same settings; found {trials}"
        )
    return trials // seeds


def preferences(count: int) -> tuple[float, ...]:
    """`count` preferences λ whose odds λ/(1 − λ) are log-spaced from 0.01 to 100."""
    exact = [odds / (1 + odds) for odds in log_spaced(0.01, 100, count)]
    digits = distinct_digits(exact)
    return tuple(float(f"{value:.{digits}g}") for value in exact)


def weight_lattice(tasks: int, count: int) -> tuple[tuple[float, ...], ...]:
    """Evenly spaced tuples of one positive weight for each task, with mean 1.

    The result has at least `count` tuples, or one tuple for a single task.
    """
    parts = 1
    if tasks > 1:
        parts = next(n for n in itertools.count(tasks) if math.comb(n - 1, tasks - 1) >= count)
    cuts = itertools.combinations(range(1, parts), tasks - 1)
    return tuple(
        tuple(round((b - a) * tasks / parts, 4) for a, b in itertools.pairwise((0, *cut, parts)))
        for cut in cuts
    )


def _with_task(data: Any, method: Method) -> Any:
    """The data section; `task` defaults to the first task if the method learns a single task."""
    section = as_mapping(data)
    name = section.get("name") if isinstance(section, Mapping) else None
    tasks = DATASETS[name].tasks if isinstance(name, str) and name in DATASETS else ()
    return {"task": tasks[0], **section} if method.one_task and tasks else data


def _has_field(kind: str, section: Mapping[str, Any], field: str) -> bool:
    """Whether a section has a field; always true for `training`."""
    if kind not in REGISTRIES:
        return True
    name = section.get("name")
    entry = REGISTRIES[kind].get(name) if isinstance(name, str) else None
    return entry is not None and field in (param.name for param in entry.params)
