"""What a sweep's document leaves out, filled in by its method and data set."""

from collections.abc import Callable, Mapping
from itertools import combinations, count, pairwise
from math import comb
from typing import Any

from paretoib.data import DATASETS
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import lookup
from paretoib.specs._axes import log_spaced
from paretoib.specs._methods import METHODS, SEARCHES, Method
from paretoib.specs._sections import REGISTRIES, parse_section
from paretoib.specs._trial import TrialSpec

Axis = tuple[Any, ...]


def filled_in(document: Mapping[str, Any]) -> dict[str, Any]:
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
    for field, value in {**row.settings, **entry.settings, **method.settings}.items():
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


def default_grid(template: TrialSpec, trials: Callable[[], int]) -> dict[str, Axis]:
    """The axes of a grid of about `trials` settings: of β, or of the tasks' weights."""
    if template.weighs_compression:
        low, high = OBJECTIVES[template.objective.name].betas
        return {"weighting.beta": log_spaced(low, high, trials())}
    if "task_weights" in template.weighting.params:
        return {"weighting.task_weights": weight_lattice(max(1, len(template.tasks)), trials())}
    return {}


def weight_lattice(tasks: int, least: int) -> tuple[tuple[float, ...], ...]:
    """At least so many sets of positive weights, one a task, that lie evenly and have mean 1."""
    parts = 1 if tasks == 1 else next(n for n in count(tasks) if comb(n - 1, tasks - 1) >= least)
    cuts = combinations(range(1, parts), tasks - 1)
    return tuple(
        tuple(round((b - a) * tasks / parts, 4) for a, b in pairwise((0, *cut, parts)))
        for cut in cuts
    )
