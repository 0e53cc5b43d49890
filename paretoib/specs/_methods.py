"""Methods and searches, by the names that `--method` and `--search` accept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paretoib.data import DATASETS
from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.specs._sections import Section
from paretoib.weighting import WEIGHTINGS


@dataclass(frozen=True)
class Method:
    """An objective, a weighting and a search, and the defaults of a sweep of the method.

    - `trials`: the number of settings for each of `seeds`.
    - `data`: the data set.
    - `model`: the model; if empty, the objective's default, or the data set's if that is empty too.
    - `task_model`: the model on data sets with several tasks; if empty, the same as `model`.
    - `field_defaults`: defaults of other fields, by full names, as in the method's paper.
    - `any_objective`: whether the method accepts any objective, not only its own.
    - `one_task`: whether the method learns a single task: the `task` of the data section.
    """

    summary: str
    objective: str
    weighting: str
    search: str
    trials: int
    seeds: tuple[int, ...]
    paper: str = ""
    data: str = "digits"
    model: str = ""
    task_model: str = ""
    field_defaults: Mapping[str, Any] = field(default_factory=dict)
    any_objective: bool = False
    one_task: bool = False

    @property
    def described(self) -> dict[str, str]:
        """The method's catalogue entry; an empty model means the default of the data set."""
        return {
            "summary": self.summary,
            "paper": self.paper,
            "objective": self.objective,
            "weighting": self.weighting,
            "model": self.model or OBJECTIVES[self.objective].model,
            "task_model": self.task_model,
            "search": self.search,
        }

    def own_defaults(self, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """The catalogue's `fields` of objective and weighting, with the defaults of this method."""
        own = {
            field.partition(".")[2]: value
            for field, value in self.field_defaults.items()
            if field.startswith(("objective.", "weighting."))
        }
        return {n: {**s, "default": own.get(n, s["default"])} for n, s in fields.items()}


def _scalarised(name: str) -> Method:
    """The method of an objective alone: a grid of β, or one setting for a single loss."""
    entry = OBJECTIVES[name]
    if len(entry.losses) == 1:
        return Method(entry.summary, name, "none", "grid", 1, (0, 1, 2), entry.paper)
    summary = f"{entry.summary}; a grid of β"
    return Method(summary, name, "linear", "grid", 16, (0,), entry.paper)


def _mtvib(summary: str, *, stochastic: bool, weighting: str, grid: int, **more: Any) -> Method:
    """A method of mtvib section 5: a grid of `grid` settings, or one setting if it is 0."""
    return Method(
        summary,
        "vib" if stochastic else "deterministic",
        weighting,
        "grid",
        grid or 1,
        (0,) if grid else (0, 1, 2),
        "mtvib section 5",
        data="multi_mnist",
        task_model="mtvib_cnn" if stochastic else "small_alexnet",
        field_defaults={"training.batch_size": 200, "training.learning_rate": 1e-4},
        **more,
    )


_MIB = Method(
    "multi-objective IB: Frank-Wolfe weights with Smooth-IB; searches the number of Frank-Wolfe "
    "iterations",
    "vib",
    "mib",
    "adaptive",
    8,
    (0, 1, 2),
    "mib",
    field_defaults={"weighting.mu": 0.2},
    any_objective=True,
)


def _ablated(part: str, *, weighting: str = "mib", **switches: Any) -> Method:
    """One setting of MIB without `part`; `switches` are the fields that turn the part off.

    The default spaces of searches vary none of these fields except β.
    """
    field_defaults = {f"weighting.{name}": value for name, value in switches.items()}
    return replace(
        _MIB,
        summary=f"mib without {part}; one setting",
        weighting=weighting,
        search="grid",
        trials=1,
        paper="mib figure 5",
        field_defaults={**_MIB.field_defaults, **field_defaults},
    )


def _weighted(weighting: str) -> Method:
    """The method of a weighting without a β, with VIB's losses.

    A weighting with a preference is trained for a grid of preferences, any other from many
    initialisations.
    """
    entry = WEIGHTINGS[weighting]
    if any(param.name == "preference" for param in entry.params):
        summary = f"{entry.summary}; a grid of preferences"
        return Method(summary, "vib", weighting, "grid", 16, (0,), entry.paper, any_objective=True)
    summary = f"{entry.summary}; from many initialisations"
    return Method(
        summary, "vib", weighting, "adaptive", 4, (0, 1, 2), entry.paper, any_objective=True
    )


_RIVALS = (
    *("unit_sum", "upgrad", "cagrad", "aligned_mtl", "famo", "dwa", "random"),
    *("epo", "smooth_chebyshev"),
)

METHODS: dict[str, Method] = {
    "mib": _MIB,
    "mib_exact": replace(
        _MIB,
        summary="mib with the exact min-norm weights, to which Frank-Wolfe converges; from many "
        "initialisations",
        trials=4,
        paper="mib eqs 7–14, with the exact solution of eq. 8",
        field_defaults={"weighting.solver": "closed_form"},
    ),
    "mib_no_adaptive": _ablated(
        "adaptive weights: weights 1 and β with Smooth-IB", weighting="smooth_linear", beta=1e-4
    ),
    "mib_no_smooth": _ablated("Smooth-IB", smooth=False),
    "mib_no_sqrted": replace(
        _ablated("squared weights", sqrted=0), paper="an ablation that is not in mib figure 5"
    ),
    "vib_adaptive": Method(
        "vib with adaptive weights: Frank-Wolfe weights alone; one setting",
        "vib",
        "mgda",
        "grid",
        1,
        (0, 1, 2),
        "mib figure 5",
        field_defaults={"weighting.solver": "frank_wolfe"},
        any_objective=True,
    ),
    "mgda": Method(
        "min-norm weights alone (MGDA), from many initialisations",
        "vib",
        "mgda",
        "adaptive",
        4,
        (0, 1, 2),
        "Désidéri 2012; mib eqs 7–11",
        any_objective=True,
    ),
    **{name: _weighted(name) for name in _RIVALS},
    "det": Method(
        "imb's network with deterministic sigmoids (DET)",
        "deterministic",
        "none",
        "grid",
        1,
        (0, 1, 2),
        "imb table 1",
        model="sigmoid",
    ),
    "mtvib": _mtvib(
        "multi-task VIB: learned task weights and a noisy latent; a grid of β",
        stochastic=True,
        weighting="uncertainty",
        grid=16,
    ),
    "uwl": _mtvib(
        "uncertainty-weighted losses: learned task weights, no noise, no compression",
        stochastic=False,
        weighting="uncertainty",
        grid=0,
    ),
    "gs": _mtvib(
        "grid search: fixed task weights, no noise, no compression",
        stochastic=False,
        weighting="task_weights",
        grid=9,
    ),
    "stvib": _mtvib(
        "single-task VIB: only the task that `task` names; a grid of β",
        stochastic=True,
        weighting="linear",
        grid=16,
        one_task=True,
    ),
    "stl": _mtvib(
        "single-task learning: only the task that `task` names, no noise, no compression",
        stochastic=False,
        weighting="none",
        grid=0,
        one_task=True,
    ),
}
METHODS |= {name: _scalarised(name) for name in OBJECTIVES if name not in METHODS}


@dataclass(frozen=True)
class Search:
    """A search, with its defaults.

    - `trials`: the number of trials, for each seed if `every_seed`; 0: the method's number.
      `adaptive` uses the method's number also if it is the method's own search, or if no field of
      the weighting moves trials along the front.
    - `population`: the number of trials in a generation, for each seed if `every_seed`; 0: all
      trials are proposed at once. `adaptive` proposes all trials at once if no field of the
      weighting moves trials along the front.
    - `every_seed`: whether each setting trains once for every seed; otherwise the trials take the
      seeds in turn.
    - `uses_results`: whether the search minimises the sweep's `objectives`, with the results of
      earlier trials.
    """

    summary: str
    trials: int = 0
    population: int = 0
    every_seed: bool = False
    uses_results: bool = False


def _using_results(summary: str, trials: int, population: int) -> Search:
    return Search(summary, trials, population, uses_results=True)


SEARCHES: dict[str, Search] = {
    "grid": Search(
        "every combination of the axes, for every seed; by default log-spaced β", every_seed=True
    ),
    "random": Search("random settings from the space; the baseline for the other searches", 32),
    "adaptive": Search(
        "values of β, of mib's iterations or of a preference in the widest gaps of the front; for "
        "other weightings, evenly spaced initialisations and hyperparameters",
        trials=12,
        population=4,
        every_seed=True,
    ),
    "optuna-tpe": _using_results("Optuna's multi-objective TPE: densities of good settings", 32, 8),
    "optuna-nsga2": _using_results(
        "Optuna's NSGA-II: evolution by rank and crowding distance", 64, 8
    ),
    "optuna-nsga3": _using_results(
        "Optuna's NSGA-III: evolution towards reference directions", 64, 8
    ),
    "optuna-gp": _using_results(
        "Optuna's Gaussian processes: expected hypervolume improvement; for few trials", 32, 4
    ),
    "pymoo-nsga2": _using_results(
        "pymoo's NSGA-II: evolution by rank and crowding distance", 64, 8
    ),
    "pymoo-nsga3": _using_results(
        "pymoo's NSGA-III: evolution towards reference directions", 64, 8
    ),
    "pymoo-moead": _using_results(
        "pymoo's MOEA/D: many scalarised problems that share trials", 64, 8
    ),
    "pymoo-sms": _using_results(
        "pymoo's SMS-EMOA: evolution by contribution to the hypervolume", 64, 8
    ),
}

# Fields of the model that set its initialisation. Searches vary them for weightings without a field
# that moves trials along the front.
ADAPTIVE_FIELDS = ("initial_scale", "initial_noise")


def check_method(name: str, data: Section, objective: Section, weighting: Section) -> None:
    """Refuse sections that contradict the method; raises `SpecError`."""
    method = METHODS[name]
    fixed = [("weighting", weighting.name, method.weighting)]
    if not method.any_objective:
        fixed.insert(0, ("objective", objective.name, method.objective))
    for kind, found, expected in fixed:
        if found != expected:
            raise SpecError(f"method `{name}` should have {kind} `{expected}`; found `{found}`")
    tasks = DATASETS[data.name].tasks_of(data.params)
    if method.one_task and tasks:
        raise SpecError(
            f"method `{name}` learns one task; data set `{data.name}` has {len(tasks)} "
            f"({', '.join(tasks)}): choose one as `task`"
        )
