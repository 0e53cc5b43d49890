"""What a sweep's method and search demand of it (`ValueError`, for a validator)."""

from typing import TYPE_CHECKING, Any

from paretoib.data import DATASETS
from paretoib.models import MODELS, MOST_PATHS
from paretoib.objectives import OBJECTIVES
from paretoib.specs._methods import METHODS, SEARCHES
from paretoib.specs._space import Range

if TYPE_CHECKING:
    from paretoib.specs._sweep import SweepSpec


def check_method(sweep: "SweepSpec") -> None:
    """Refuse sections that the method does not stand for."""
    method = METHODS[sweep.method]
    # Adaptive weights can balance any objective; a scalarised method is both its parts.
    fixed = ("weighting",) if method.search == "adaptive" else ("objective", "weighting")
    for kind in fixed:
        if getattr(sweep, kind).name != getattr(method, kind):
            raise ValueError(
                f"method `{sweep.method}` stands for {kind} `{getattr(method, kind)}`; "
                f"found `{getattr(sweep, kind).name}`"
            )
    tasks = DATASETS[sweep.data.name].tasks_of(sweep.data.params)
    if method.one_task and tasks:
        raise ValueError(
            f"method `{sweep.method}` learns one task; data set `{sweep.data.name}` has "
            f"{len(tasks)} ({', '.join(tasks)}): choose one as `task`"
        )


def check_layers(sweep: "SweepSpec") -> None:
    """Refuse too few epochs for layers that are trained in turn, and too many samples of the last.

    Of all that varies the worst values count, as a trial may have all of them.
    """
    row, model = OBJECTIVES[sweep.objective.name], MODELS[sweep.model.name]
    layers = model.layers_of(sweep.model.params)
    if model.sigmoid:
        layers = max(model.layers_of({"hidden": held}) for held in _values(sweep, "model.hidden"))
    epochs = int(min(_values(sweep, "training.epochs")))
    if row.greedy and epochs < layers:
        raise ValueError(
            f"training.epochs: should be at least the {layers} layers, which objective "
            f"`{sweep.objective.name}` trains one after another; found {epochs}"
        )
    if "draws" not in sweep.objective.params:
        return
    draws = int(max(_values(sweep, "objective.draws")))
    if draws**layers > MOST_PATHS:
        raise ValueError(
            f"objective.draws: should be few enough that draws^layers is at most {MOST_PATHS}; "
            f"found {draws}^{layers}"
        )


def _values(sweep: "SweepSpec", field: str) -> tuple[Any, ...]:
    """The values that a field may have in the sweep; of a range its ends."""
    varied = sweep.varied.get(field, (sweep.template.get(field),))
    return (varied.low, varied.high) if isinstance(varied, Range) else varied


def check_search(sweep: "SweepSpec") -> None:
    """Refuse what the search cannot vary or learn from."""
    if sweep.by_beta and len(sweep.varied) > 1:
        others = ", ".join(field for field in sweep.varied if field != "weighting.beta")
        raise ValueError(
            f"search: adaptive varies β alone; found {others} too: give β values in `grid` "
            "to spread settings, or search otherwise"
        )
    if sweep.prune and max(_values(sweep, "training.epochs")) < 2:
        raise ValueError("prune: should have 2 epochs or more to compare trials at; found 1")
    betas = sweep.varied.get("weighting.beta", ())
    if not sweep.template.weighs_compression and (isinstance(betas, Range) or len(betas) > 1):
        raise ValueError(
            f"weighting.beta: should not vary, as objective `{sweep.objective.name}` has no loss "
            "that it weighs"
        )
    if not SEARCHES[sweep.search].learns:
        return
    if sweep.population < 2:
        raise ValueError(
            f"population: should be 2 or more for search `{sweep.search}`; found {sweep.population}"
        )
    if "error" in sweep.objectives and DATASETS[sweep.data.name].continuous:
        raise ValueError(
            f"objectives: should be without error, as Y of data set `{sweep.data.name}` is "
            f"continuous; found {', '.join(sweep.objectives)}"
        )
    noise = OBJECTIVES[sweep.objective.name].noise_of(sweep.objective.params)
    if "rate" in sweep.objectives and noise == "none":
        raise ValueError(
            f"objectives: should be without rate, as objective `{sweep.objective.name}` has no "
            f"noise and so no finite one; found {', '.join(sweep.objectives)}"
        )
