"""Searches that use the results of earlier trials (`SequentialDriver`)."""

import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from paretoib.fronts import hypervolume
from paretoib.records import Metrics, TrialRecord
from paretoib.search import driver
from paretoib.search._sequential import SequentialDriver
from paretoib.search._space import Space
from paretoib.specs import SEARCHES, SweepSpec, TrialSpec

USING_RESULTS = [name for name, entry in SEARCHES.items() if entry.uses_results]
EVOLUTIONARY = [name for name in USING_RESULTS if name not in ("optuna-tpe", "optuna-gp")]
Measured = Callable[[TrialSpec], tuple[float, float] | None]  # (rate, lost), in bits

SPACE = {"beta": "1e-4:1", "learning_rate": "1e-5:1e-1"}
REFERENCE = (20.0, 2.0)


def run(measured: Measured, search: str, **document: Any) -> list[TrialSpec]:
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "reference": REFERENCE, "space": SPACE, **document}
    )
    proposer = driver(spec)
    trials: list[TrialSpec] = []
    while new := proposer.ask(1000):
        for trial in new:
            trials.append(trial)
            proposer.tell(record(trial, measured(trial)))
    return trials


def record(trial: TrialSpec, point: tuple[float, float] | None) -> TrialRecord:
    if point is None:
        return TrialRecord(trial=trial.key, spec=trial.document, status="diverged", reason="no")
    metrics = Metrics(
        examples=100,
        rate_bits=point[0],
        rate_lower_bits=None,
        rate_se_bits=None,
        relevance_bits=2 - point[1],
        relevance_se_bits=0.0,
        ceiling_bits=2.0,
        lost_bits=point[1],
        cross_entropy_bits=point[1],
        accuracy=1 - point[1] / 2,
    )
    return TrialRecord(trial=trial.key, spec=trial.document, status="finished", validation=metrics)


def trade_off(trial: TrialSpec) -> tuple[float, float]:
    """β moves the point along the front; a learning rate other than 3e-3 loses relevance."""
    share = 1 / (1 + (trial.get("beta") / 0.01) ** 1.5)
    wrong = math.log10(trial.get("learning_rate") / 3e-3) ** 2
    return 20 * share, 2 - 2 * share / (1 + 0.3 * wrong)


@cache
def mean_hypervolume(search: str, trials: int, population: int, seeds: int) -> float:
    """The hypervolume of a search's trials, averaged over seeds."""
    fronts = (
        run(trade_off, search, trials=trials, population=population, seeds=[seed])
        for seed in range(seeds)
    )
    return float(np.mean([hypervolume([trade_off(t) for t in f], REFERENCE) for f in fronts]))


@pytest.mark.parametrize("search", USING_RESULTS)
def test_a_search_reaches_more_hypervolume_than_a_random_search(search: str) -> None:
    """With equal numbers of trials, the search reaches more hypervolume than a random search."""
    trials, population, seeds = {
        "optuna-gp": (10, 5, 1),
        "optuna-tpe": (64, 8, 3),
    }.get(search, (96, 8, 12))
    reached = mean_hypervolume(search, trials, population, seeds)
    assert reached > mean_hypervolume("random", trials, population, 12)


@pytest.mark.parametrize("search", EVOLUTIONARY)
def test_children_are_close_to_their_parents(search: str) -> None:
    """If all parents are near one point of the unit cube, the children are near this point too."""
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "space": SPACE, "population": 20}
    )
    proposer = driver(spec)
    assert isinstance(proposer, SequentialDriver)
    space = proposer.space
    parents = np.random.default_rng(0).uniform(0.6, 0.7, (proposer.size, 2))
    values = [(float(u), 1 - float(u)) for u, _ in parents]
    children = next(proposer.propose([space.setting(p) for p in parents.tolist()], values))
    distances = [np.abs(np.array(space.point(child)) - 0.65).max() for child in children]
    assert len(children) == proposer.size
    assert np.median(distances) < 0.15


@pytest.mark.parametrize("search", [name for name in USING_RESULTS if name != "optuna-gp"])
def test_trials_diverge_less_often_in_the_second_half(search: str) -> None:
    """Trials with a large learning rate diverge, and the search then avoids large values.

    Half of the first generation diverges, but less than 45 % of the trials of the sweep's second
    half.
    """

    def failing(trial: TrialSpec) -> tuple[float, float] | None:
        return None if trial.get("learning_rate") > 1e-3 else trade_off(trial)

    first, late = 0, 0
    for seed in range(4):
        trials = run(failing, search, trials=64, population=8, seeds=[seed])
        failed = [failing(trial) is None for trial in trials]
        first, late = first + sum(failed[:8]), late + sum(failed[32:])
    assert first == 4 * 4
    assert late < 0.45 * 4 * 32


@pytest.mark.parametrize("search", USING_RESULTS)
def test_the_first_generation_is_a_latin_hypercube(search: str) -> None:
    """Each eighth of an axis has one of the first 8 trials, which are equal for all searches."""
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "space": SPACE, "population": 8}
    )
    first = driver(spec).ask(100)
    space = Space(spec.varied)
    points = [space.point({f: t.get(f) for f in spec.varied}) for t in first]
    for axis in zip(*points, strict=True):
        assert sorted(int(u * 8) for u in axis) == list(range(8))
    spec = SweepSpec.from_document(spec.document | {"search": "pymoo-nsga2"})
    assert driver(spec).ask(100) == first


def test_search_libraries_print_nothing() -> None:
    """Searches print no logs, hints or warnings, even with a population of 2."""
    program = """
import sys
from itertools import product
from paretoib.records import TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec

metrics = dict.fromkeys(("rate_lower_bits", "rate_se_bits"))
metrics |= dict.fromkeys(("relevance_bits", "relevance_se_bits", "cross_entropy_bits"), 0.0)
metrics |= {"examples": 9, "ceiling_bits": 2.0, "accuracy": 0.5}
for search, more in product(sys.argv[1:], ([], ["error", "cost"])):
    document = {"method": "vib", "search": search, "trials": 6, "population": 2}
    proposer = driver(SweepSpec.from_document(document | {"objectives": ["rate", "lost", *more]}))
    while not proposer.done:
        for trial in proposer.ask(9):
            bits = {"rate_bits": 1 / trial.get("beta"), "lost_bits": trial.get("beta")}
            record = {"trial": trial.key, "spec": {}, "status": "finished"}
            proposer.tell(TrialRecord.from_document(record | {"validation": metrics | bits}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *USING_RESULTS], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_grid_imports_no_search_library() -> None:
    """Making the driver of a grid imports neither Optuna nor pymoo nor torch."""
    program = (
        "import sys; from paretoib.search import driver; from paretoib.specs import SweepSpec; "
        "driver(SweepSpec.from_document({'method': 'vib'})); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()).isdisjoint({"optuna", "pymoo", "torch"})
