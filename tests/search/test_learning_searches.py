"""Searches that learn find the front sooner than a search at random."""

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
from paretoib.search._learning import LearningDriver
from paretoib.search._space import Space
from paretoib.specs import SEARCHES, SweepSpec, TrialSpec

LEARNING = [name for name, row in SEARCHES.items() if row.learns]
EVOLVING = [name for name in LEARNING if name not in ("optuna-tpe", "optuna-gp")]
Measured = Callable[[TrialSpec], tuple[float, float] | None]  # (rate, lost), in bits

SPACE = {"beta": "1e-4:1", "learning_rate": "1e-5:1e-1"}
REFERENCE = (20.0, 2.0)


def run(measured: Measured, search: str, **document: Any) -> list[TrialSpec]:
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "reference": REFERENCE, "space": SPACE, **document}
    )
    of = driver(spec)
    trials: list[TrialSpec] = []
    while asked := of.ask(1000):
        for trial in asked:
            trials.append(trial)
            of.tell(record(trial, measured(trial)))
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
    """β moves along the front; a wrong learning rate loses some of what the rate could keep."""
    share = 1 / (1 + (trial.get("beta") / 0.01) ** 1.5)
    wrong = math.log10(trial.get("learning_rate") / 3e-3) ** 2
    return 20 * share, 2 - 2 * share / (1 + 0.3 * wrong)


@cache
def volume(search: str, trials: int, population: int, seeds: int) -> float:
    """Hypervolume of what a search finds, the mean over seeds."""
    fronts = (
        run(trade_off, search, trials=trials, population=population, seeds=[seed])
        for seed in range(seeds)
    )
    return float(np.mean([hypervolume([trade_off(t) for t in f], REFERENCE) for f in fronts]))


@pytest.mark.parametrize("search", LEARNING)
def test_it_finds_more_than_a_search_at_random(search: str) -> None:
    """Hypervolume after as many trials, on the average; few of them are enough for some."""
    trials, population, seeds = {
        "optuna-gp": (10, 5, 1),
        "optuna-tpe": (64, 8, 3),
    }.get(search, (96, 8, 12))
    found = volume(search, trials, population, seeds)
    assert found > volume("random", trials, population, 12)


@pytest.mark.parametrize(
    "search", [name for name in LEARNING if name not in ("optuna-tpe", "optuna-gp")]
)
def test_evolution_starts_from_the_first_generation(search: str) -> None:
    """Children of parents that are close together are close to them."""
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "space": SPACE, "population": 20}
    )
    of = driver(spec)
    assert isinstance(of, LearningDriver)
    parents = np.random.default_rng(0).uniform(0.6, 0.7, (of.size, 2))
    values = [(float(u), 1 - float(u)) for u, _ in parents]
    children = next(of.learning([of.space.setting(p) for p in parents.tolist()], values))
    away = [np.abs(np.array(of.space.point(child)) - 0.65).max() for child in children]
    assert len(children) == of.size
    assert np.median(away) < 0.15


@pytest.mark.parametrize("search", [name for name in LEARNING if name != "optuna-gp"])
def test_it_turns_away_from_settings_that_fail(search: str) -> None:
    """Large learning rates diverge: later trials have fewer of them than the first had."""

    def failing(trial: TrialSpec) -> tuple[float, float] | None:
        return None if trial.get("learning_rate") > 1e-3 else trade_off(trial)

    first, late = 0, 0
    for seed in range(4):
        trials = run(failing, search, trials=64, population=8, seeds=[seed])
        lost = [failing(trial) is None for trial in trials]
        first, late = first + sum(lost[:8]), late + sum(lost[32:])
    assert first == 4 * 4
    assert late < 0.45 * 4 * 32


@pytest.mark.parametrize("search", LEARNING)
def test_it_begins_with_an_even_spread(search: str) -> None:
    """A Latin hypercube, the same for all: each eighth of each axis has one trial."""
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


def test_a_sweep_prints_nothing_of_its_librarys() -> None:
    """Neither logs, nor hints, nor warnings, in a process of its own; however few a generation."""
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
    document = {"method": "vib", "search": search, "trials": 10, "population": 2}
    of = driver(SweepSpec.from_document(document | {"objectives": ["rate", "lost", *more]}))
    while not of.done:
        for trial in of.ask(9):
            bits = {"rate_bits": 1 / trial.get("beta"), "lost_bits": trial.get("beta")}
            record = {"trial": trial.key, "spec": {}, "status": "finished"}
            of.tell(TrialRecord.from_document(record | {"validation": metrics | bits}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *LEARNING], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_door_loads_no_library_of_a_search() -> None:
    """A sweep on a grid waits for none of them, and --help for nothing at all."""
    program = (
        "import sys; from paretoib.search import driver; from paretoib.specs import SweepSpec; "
        "driver(SweepSpec.from_document({'method': 'vib'})); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()).isdisjoint({"optuna", "pymoo", "torch"})
