"""Methods as a user names them: an objective, a weighting and a search that belong together."""

from dataclasses import dataclass

from paretoib.objectives import OBJECTIVES


@dataclass(frozen=True)
class Method:
    """What `--method NAME` stands for; every part can still be set by hand.

    `search` proposes the trials: by default `trials` settings for each of `seeds`.
    """

    summary: str
    objective: str
    weighting: str
    search: str
    trials: int
    seeds: tuple[int, ...]
    paper: str = ""


def _scalarised(name: str) -> Method:
    entry = OBJECTIVES[name]
    if len(entry.losses) == 1:
        return Method(entry.summary, name, "none", "grid", 1, (0, 1, 2), entry.paper)
    summary = f"{entry.summary}; a grid of β"
    return Method(summary, name, "linear", "grid", 16, (0,), entry.paper)


METHODS: dict[str, Method] = {
    "mib": Method(
        "multi-objective IB: adaptive min-norm weights with Smooth-IB, from many starts",
        "vib",
        "mib",
        "adaptive",
        4,
        (0, 1, 2),
        "mib",
    ),
    "mgda": Method(
        "the min-norm weights alone, from many starts",
        "vib",
        "mgda",
        "adaptive",
        4,
        (0, 1, 2),
        "Désidéri 2012; mib eqs 7–11",
    ),
    **{name: _scalarised(name) for name in OBJECTIVES},
}

SEARCHES = {
    "grid": "every combination of the axes; by default log-spaced β",
    "adaptive": "a spread of starts and settings: seed, μ, sqrted, initial scale, training length",
}

# What `adaptive` varies where a sweep has it, beside the seed and shorter training than `epochs`.
ADAPTIVE_FIELDS = ("initial_scale", "initial_noise", "mu", "sqrted")
