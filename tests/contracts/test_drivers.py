"""What every row of DRIVERS guarantees."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from paretoib.records import Metrics, TrialRecord
from paretoib.search import DRIVERS, Driver, driver
from paretoib.search._space import Space
from paretoib.specs import SEARCHES, SweepSpec, TrialSpec

Outcome = Callable[[TrialSpec], TrialRecord]

# Weights by β, and weights that adapt.
CASES = [(search, method) for search in DRIVERS for method in ("vib", "mib")]
each = pytest.mark.parametrize(("search", "method"), CASES)
spaced = pytest.mark.parametrize("search", [s for s in DRIVERS if not SEARCHES[s].every_seed])


def sweep(search: str, method: str, seeds: tuple[int, ...] = (3, 5), **fields: Any) -> SweepSpec:
    """A sweep of twelve trials in generations of four."""
    document = {"method": method, "search": search, "trials": 12, "population": 4, "seeds": seeds}
    if search == "optuna-gp":  # which takes long to think
        document |= {"trials": 4, "population": 2}
    if method == "mib" and search == "grid":
        document["grid"] = {"mu": "0.1:1:6"}
    if method == "mib" and search == "optuna-gp":
        document["grid"] = {"initial_scale": [1.0], "initial_noise": [0.1], "epochs": [50]}
    return SweepSpec.from_document(document | fields)


def record(trial: TrialSpec, status: Any = "finished", **changes: Any) -> TrialRecord:
    """How a trial ended, with a trade-off in β or μ."""
    number = trial.get("beta" if "beta" in trial.weighting.params else "mu")
    good = min(1.0, (number / 20) ** 0.3)
    metrics = {
        "examples": 100,
        "rate_bits": 8 * (1 - good) + 1 / trial.get("epochs"),
        "rate_lower_bits": None,
        "rate_se_bits": None,
        "relevance_bits": 3.0 - 2 * good,
        "relevance_se_bits": 0.01,
        "ceiling_bits": 3.0,
        "lost_bits": 2 * good,
        "cross_entropy_bits": 2 * good,
        "accuracy": 1 - good / 2,
        **changes,
    }
    return TrialRecord(
        trial=trial.key,
        spec=trial.document,
        status=status,
        reason=None if status == "finished" else "a reason",
        validation=Metrics.model_validate(metrics) if status == "finished" else None,
        seconds=1 + good,
    )


def played(
    of: Driver,
    outcome: Outcome = record,
    portion: int = 1000,
    shuffled: random.Random | None = None,
) -> list[TrialSpec]:
    """All trials that it still proposes, in order; told when it waits for them."""
    trials: list[TrialSpec] = []
    flying: list[TrialSpec] = []
    while not of.done:
        asked = of.ask(portion)
        assert len(asked) <= portion
        trials += asked
        flying += asked
        if not asked or (shuffled and shuffled.random() < 0.3):
            assert flying, "it neither asks, nor waits, nor is done"
            if shuffled:
                shuffled.shuffle(flying)
            of.tell(outcome(flying.pop(0)))
    assert of.ask(5) == []
    return trials


def keys(trials: Sequence[TrialSpec]) -> list[str]:
    return [trial.key for trial in trials]


@cache
def whole(search: str, method: str, outcome: Outcome = record) -> Sequence[TrialSpec]:
    """A sweep that nothing disturbs."""
    return played(driver(sweep(search, method)), outcome)


def rough(trial: TrialSpec) -> TrialRecord:
    """Of every four trials one goes wrong, each in another way."""
    ways = ("finished", "finished", "finished", "failed", "diverged", "stopped", "no rate")
    way = ways[int(trial.key, 16) % len(ways)]
    return record(trial, rate_bits=None) if way == "no rate" else record(trial, way)


@each
def test_it_proposes_the_sweeps_trials_once_each(search: str, method: str) -> None:
    """As many as the spec says, all different, of the sweep's data, method, seeds and space."""
    spec = sweep(search, method)
    of = driver(spec)
    assert not of.done
    trials = played(of)
    assert of.shortfall is None
    assert len(set(keys(trials))) == len(trials) == spec.trials
    assert {t.seed for t in trials} == set(spec.seeds)
    fixed = {f: spec.template.get(f) for f in spec.varied} | {"seed": spec.template.seed}
    assert {t.with_fields(fixed) for t in trials} == {spec.template}
    space = Space(spec.varied)
    for trial in trials:
        point = space.point({f: trial.get(f) for f in spec.varied})
        assert all(-1e-9 <= u <= 1 + 1e-9 for u in point)


@each
def test_it_is_deterministic(search: str, method: str) -> None:
    """The same spec and records give the same proposals in the same order, after JSON too."""
    again = SweepSpec.from_json(sweep(search, method).to_json())
    assert played(driver(again)) == whole(search, method)


@each
def test_neither_portions_nor_the_order_of_tells_matter(search: str, method: str) -> None:
    """Workers end when they end, and ask for what they have room for."""
    trials = played(driver(sweep(search, method)), rough, 3, random.Random(1))
    assert trials == whole(search, method, rough)


@each
def test_another_seed_is_another_sweep(search: str, method: str) -> None:
    """The spec's seeds reach the trials."""
    other = played(driver(sweep(search, method, (7, 8))))
    assert not set(keys(whole(search, method))) & set(keys(other))


@each
@pytest.mark.parametrize(("share", "gaps"), [(0.25, False), (0.75, True), (1.0, False)])
def test_replay_goes_on_where_it_stopped(
    search: str, method: str, share: float, gaps: bool
) -> None:
    """A new driver told some records, in any order, proposes exactly the other trials.

    They may have gaps, where workers were lost.
    """
    trials = whole(search, method, rough)
    chance = random.Random(4)
    count = round(share * len(trials))
    kept = chance.sample(trials, count) if gaps else trials[:count]
    resumed = driver(sweep(search, method))
    for trial in chance.sample(kept, count):
        resumed.tell(rough(trial))
    assert sorted(keys([*kept, *played(resumed, rough)])) == sorted(keys(trials))


@each
def test_a_told_trial_is_never_proposed(search: str, method: str) -> None:
    """Neither one that was asked for, nor one that was not yet; told again it counts once."""
    of = driver(sweep(search, method))
    first = of.ask(1)[0]
    plan = driver(sweep(search, method)).ask(2)
    told = [first, plan[1], plan[1]]
    for trial in told:
        of.tell(rough(trial))
    of.tell(record(first, "failed"))
    told_keys = dict.fromkeys(keys(told))
    assert [*told_keys, *keys(played(of, rough))] == keys(whole(search, method, rough))


@each
def test_it_waits_for_what_is_running(search: str, method: str) -> None:
    """Asked for more than a generation it gives none, and is done only with its last trials."""
    of = driver(sweep(search, method))
    asked = of.ask(1000)
    if len(asked) < of.spec.trials:
        assert of.ask(1) == []
        assert not of.done
        for trial in asked[1:]:
            of.tell(record(trial))
        assert of.ask(1) == []
        of.tell(record(asked[0]))
        assert len(of.ask(1)) == 1
    else:
        assert of.done


@each
@pytest.mark.parametrize("status", ["failed", "diverged", "stopped", "no rate"])
def test_a_sweep_where_all_goes_wrong_comes_to_its_end(
    search: str, method: str, status: str
) -> None:
    """Each trial is proposed once and not tried again, and none is missing."""

    def bad(trial: TrialSpec) -> TrialRecord:
        return record(trial, rate_bits=None) if status == "no rate" else record(trial, status)

    trials = played(driver(sweep(search, method)), bad)
    assert len(set(keys(trials))) == len(trials) == sweep(search, method).trials


@each
def test_a_record_of_another_sweep_changes_nothing(search: str, method: str) -> None:
    """A trial that it would not propose may be told."""
    of = driver(sweep(search, method))
    of.tell(record(driver(sweep(search, method, (7, 8))).ask(1)[0]))
    assert played(of) == whole(search, method)


@spaced
@pytest.mark.parametrize("seeds", [(0,), (4, 2)])
def test_a_space_that_is_used_up_ends_the_search(search: str, seeds: tuple[int, ...]) -> None:
    """Every setting is had once for every seed, and it says why there were no more."""
    grid = {"sqrted": [0, 1], "normalise": ["none", "l2", "loss"]}
    fixed = {"initial_scale": [1], "initial_noise": [1], "mu": [1], "epochs": [1]}
    spec = SweepSpec.from_document(
        {
            "method": "mib",
            "search": search,
            "seeds": seeds,
            "trials": 40,
            "population": 4,
            "grid": grid | fixed,
        }
    )
    of = driver(spec)
    assert of.shortfall is None
    assert len(set(keys(played(of)))) == 6 * len(seeds)
    assert of.shortfall is not None
    assert f"found only {6 * len(seeds)} of 40 trials" in of.shortfall


@spaced
def test_settings_that_no_trial_can_have_are_passed_over(search: str) -> None:
    """Two choices that are right alone and refused together cost no trial, and end nothing."""
    space = {"gradient": ["parameters", "latent"], "over": ["shared", "all"]}
    spec = sweep(search, "mib", space=space)
    trials = played(driver(spec))
    assert len(set(keys(trials))) == len(trials) == spec.trials


@spaced
@pytest.mark.parametrize(
    "objectives", [("lost", "error"), ("rate", "lost", "cost"), ("cost", "error", "lost", "rate")]
)
def test_any_objectives_can_be_searched_by(search: str, objectives: tuple[str, ...]) -> None:
    """Two, three or four of them, in any order."""
    spec = sweep(search, "vib", objectives=objectives)
    trials = played(driver(spec), rough)
    assert len(set(keys(trials))) == len(trials) == spec.trials
