"""Contract of every entry in DRIVERS."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from paretoib.records import Metrics, TrialRecord
from paretoib.search import DRIVERS, Driver, driver
from paretoib.search._space import Space
from paretoib.specs import SEARCHES, Additions, SweepSpec, TrialSpec, extended

Outcome = Callable[[TrialSpec], TrialRecord]

# One method with linear scalarisation and one adaptive method.
CASES = [(search, method) for search in DRIVERS for method in ("vib", "mib")]
for_each_search = pytest.mark.parametrize(("search", "method"), CASES)
# `optuna-gp`, which is slow, goes through its generations as `optuna-tpe` does.
for_each_extended_search = pytest.mark.parametrize(
    ("search", "method"), [(search, method) for search, method in CASES if search != "optuna-gp"]
)
# Searches whose trials take the seeds in turn.
for_each_space_search = pytest.mark.parametrize(
    "search", [s for s in DRIVERS if not SEARCHES[s].every_seed]
)


def sweep(search: str, method: str, seeds: tuple[int, ...] = (3, 5), **fields: Any) -> SweepSpec:
    """A sweep of twelve trials in generations of four.

    With `optuna-gp`, which is slow, it has four trials in generations of two.
    """
    document = {"method": method, "search": search, "trials": 12, "population": 4, "seeds": seeds}
    if search == "optuna-gp":
        document |= {"trials": 4, "population": 2}
    if method == "mib" and search == "grid":
        document["grid"] = {"mu": "0.1:1:6"}
    if method == "mib" and search == "optuna-gp":
        document["grid"] = {"initial_scale": [1.0], "initial_noise": [0.1], "epochs": [50]}
    return SweepSpec.from_document(document | fields)


def record(trial: TrialSpec, status: Any = "finished", **changes: Any) -> TrialRecord:
    """A record of the trial: rate falls and lost bits rise as β or μ grows."""
    beta_or_mu = trial.get("beta" if "beta" in trial.weighting.params else "mu")
    compression = min(1.0, (beta_or_mu / 20) ** 0.3)
    metrics = {
        "examples": 100,
        "rate_bits": 8 * (1 - compression) + 1 / trial.get("epochs"),
        "rate_lower_bits": None,
        "rate_se_bits": None,
        "relevance_bits": 3.0 - 2 * compression,
        "relevance_se_bits": 0.01,
        "ceiling_bits": 3.0,
        "lost_bits": 2 * compression,
        "cross_entropy_bits": 2 * compression,
        "accuracy": 1 - compression / 2,
        **changes,
    }
    return TrialRecord(
        trial=trial.key,
        spec=trial.document,
        status=status,
        reason=None if status == "finished" else "a reason",
        validation=Metrics.model_validate(metrics) if status == "finished" else None,
        seconds=1 + compression,
    )


def run_search(
    tested: Driver,
    outcome: Outcome = record,
    count: int = 1000,
    shuffled: random.Random | None = None,
) -> list[TrialSpec]:
    """All remaining trials of a driver, in the order in which it proposes them.

    The driver gets a record whenever it proposes nothing. With `shuffled`, it also gets records at
    random times and in random order.
    """
    trials: list[TrialSpec] = []
    running: list[TrialSpec] = []
    while not tested.done:
        proposed = tested.ask(count)
        assert len(proposed) <= count
        trials += proposed
        running += proposed
        if not proposed or (shuffled and shuffled.random() < 0.3):
            assert running, "the driver proposes nothing, waits for nothing and is not done"
            if shuffled:
                shuffled.shuffle(running)
            tested.tell(outcome(running.pop(0)))
    assert tested.ask(5) == []
    return trials


def keys(trials: Sequence[TrialSpec]) -> list[str]:
    return [trial.key for trial in trials]


@cache
def uninterrupted(search: str, method: str, outcome: Outcome = record) -> Sequence[TrialSpec]:
    """The trials of a sweep that is not interrupted."""
    return run_search(driver(sweep(search, method)), outcome)


def mixed(trial: TrialSpec) -> TrialRecord:
    """A record whose outcome depends on the trial key.

    Three of seven equally likely outcomes have no metrics, and one has no rate.
    """
    kinds = ("finished", "finished", "finished", "failed", "diverged", "stopped", "no rate")
    kind = kinds[int(trial.key, 16) % len(kinds)]
    return record(trial, rate_bits=None) if kind == "no rate" else record(trial, kind)


@for_each_search
def test_a_driver_proposes_the_number_of_trials_in_the_spec(search: str, method: str) -> None:
    """A driver proposes `spec.trials` different trials with values in the ranges of the spec.

    The trials differ from the template only in the seed and in the varied fields.
    """
    spec = sweep(search, method)
    tested = driver(spec)
    assert not tested.done
    trials = run_search(tested)
    assert tested.shortfall is None
    assert len(set(keys(trials))) == len(trials) == spec.trials
    assert {t.seed for t in trials} == set(spec.seeds)
    fixed = {f: spec.template.get(f) for f in spec.varied} | {"seed": spec.template.seed}
    assert {t.with_fields(fixed) for t in trials} == {spec.template}
    space = Space(spec.varied)
    for trial in trials:
        point = space.point({f: trial.get(f) for f in spec.varied})
        assert all(-1e-9 <= u <= 1 + 1e-9 for u in point)


@for_each_search
def test_a_driver_is_deterministic(search: str, method: str) -> None:
    """Equal specs and records give the same trials in the same order.

    This also holds if one of the specs was read from JSON.
    """
    again = SweepSpec.from_json(sweep(search, method).to_json())
    assert run_search(driver(again)) == uninterrupted(search, method)


@for_each_search
def test_proposals_do_not_depend_on_the_order_of_calls(search: str, method: str) -> None:
    """The trials depend neither on the number per `ask` nor on the order of the records."""
    trials = run_search(driver(sweep(search, method)), mixed, 3, random.Random(1))
    assert trials == uninterrupted(search, method, mixed)


@for_each_search
def test_other_seeds_give_other_trials(search: str, method: str) -> None:
    """Sweeps with different seeds have no trial in common."""
    other = run_search(driver(sweep(search, method, (7, 8))))
    assert not set(keys(uninterrupted(search, method))) & set(keys(other))


@for_each_search
@pytest.mark.parametrize(("share", "gaps"), [(0.25, False), (0.75, True), (1.0, False)])
def test_a_resumed_sweep_gets_only_the_missing_trials(
    search: str, method: str, share: float, gaps: bool
) -> None:
    """A new driver that gets the records of some trials proposes exactly the other trials.

    The records come in random order. With `gaps` they belong to randomly chosen trials, as after a
    worker was lost; without `gaps`, to the first trials.
    """
    trials = uninterrupted(search, method, mixed)
    generator = random.Random(4)
    count = round(share * len(trials))
    kept = generator.sample(trials, count) if gaps else trials[:count]
    resumed = driver(sweep(search, method))
    for trial in generator.sample(kept, count):
        resumed.tell(mixed(trial))
    assert sorted(keys([*kept, *run_search(resumed, mixed)])) == sorted(keys(trials))


def extend(spec: SweepSpec, ended: int, **additions: Any) -> SweepSpec:
    """The spec after an extension."""
    asked = Additions.from_document(additions)
    return extended(spec, asked, ended=ended, at=datetime(2026, 1, 1, tzinfo=UTC))


def new_value(method: str) -> dict[str, list[float]]:
    """A value of β or μ that the grid of `sweep` does not have."""
    return {"beta" if method == "vib" else "mu": [0.15]}


@for_each_extended_search
@pytest.mark.parametrize("share", [1.0, 0.4], ids=["finished", "cancelled"])
def test_an_extended_sweep_has_the_trials_that_it_had_and_others(
    search: str, method: str, share: float
) -> None:
    """After two extensions, the driver proposes only trials without a record.

    In the end, the sweep has the trials of the spec before, and as many others as the extensions
    add. The last generation before the first extension was cut off by the number of trials.
    """
    additions: list[dict[str, Any]] = [{"trials": "+2"}, {"trials": "+4"}]
    if search == "grid":
        spec = sweep(search, method, trials=0)
        additions = [{"grid": new_value(method)}, {"seeds": "+1"}]
    else:
        spec = sweep(search, method, trials=10)
    before = run_search(driver(spec), mixed)
    told = random.Random(4).sample(before, round(share * len(before)))
    for addition in additions:
        spec = extend(spec, len(told), **addition)
        new_driver = driver(SweepSpec.from_json(spec.to_json()))
        for trial in told:
            new_driver.tell(mixed(trial))
        further = run_search(new_driver, mixed)
        told = [*told, *further]
        assert new_driver.shortfall is None
        assert len(set(keys(told))) == len(told) == spec.trials
        assert set(keys(before)) < set(keys(told))


@for_each_extended_search
def test_an_extended_sweep_is_resumed(search: str, method: str) -> None:
    """A new driver that gets some of the records proposes the other trials of the extension."""
    additions = {"grid": new_value(method)} if search == "grid" else {"trials": "+4"}
    spec = extend(sweep(search, method, trials=0 if search == "grid" else 6), 3, **additions)
    trials = run_search(driver(spec), mixed)
    generator = random.Random(5)
    told = generator.sample(trials, round(0.6 * len(trials)))
    resumed = driver(spec)
    for trial in told:
        resumed.tell(mixed(trial))
    assert sorted(keys([*told, *run_search(resumed, mixed)])) == sorted(keys(trials))


@for_each_search
def test_a_trial_with_a_record_is_never_proposed(search: str, method: str) -> None:
    """A driver proposes no trial whose record it has, even if it never proposed that trial.

    A second record of a trial is ignored.
    """
    tested = driver(sweep(search, method))
    first = tested.ask(1)[0]
    plan = driver(sweep(search, method)).ask(2)
    told = [first, plan[1], plan[1]]
    for trial in told:
        tested.tell(mixed(trial))
    tested.tell(record(first, "failed"))
    told_keys = dict.fromkeys(keys(told))
    assert [*told_keys, *keys(run_search(tested, mixed))] == keys(
        uninterrupted(search, method, mixed)
    )


@for_each_search
def test_a_driver_waits_for_all_records_of_a_generation(search: str, method: str) -> None:
    """A driver proposes the next generation after the last record of the current generation.

    A driver whose first generation has all trials is done as soon as it has proposed them.
    """
    tested = driver(sweep(search, method))
    proposed = tested.ask(1000)
    if len(proposed) < tested.spec.trials:
        assert tested.ask(1) == []
        assert not tested.done
        for trial in proposed[1:]:
            tested.tell(record(trial))
        assert tested.ask(1) == []
        tested.tell(record(proposed[0]))
        assert len(tested.ask(1)) == 1
    else:
        assert tested.done


@for_each_search
@pytest.mark.parametrize("status", ["failed", "diverged", "stopped", "no rate"])
def test_a_sweep_without_usable_metrics_ends(search: str, method: str, status: str) -> None:
    """If no trial has usable metrics, the driver still proposes each trial once and ends."""

    def bad(trial: TrialSpec) -> TrialRecord:
        return record(trial, rate_bits=None) if status == "no rate" else record(trial, status)

    trials = run_search(driver(sweep(search, method)), bad)
    assert len(set(keys(trials))) == len(trials) == sweep(search, method).trials


@for_each_search
def test_a_record_of_another_sweep_changes_nothing(search: str, method: str) -> None:
    """A record of a trial that the driver would not propose is ignored."""
    tested = driver(sweep(search, method))
    tested.tell(record(driver(sweep(search, method, (7, 8))).ask(1)[0]))
    assert run_search(tested) == uninterrupted(search, method)


@for_each_space_search
@pytest.mark.parametrize("seeds", [(0,), (4, 2)])
def test_an_exhausted_space_ends_the_search(search: str, seeds: tuple[int, ...]) -> None:
    """If the space has only six settings, the search ends and `shortfall` gives the reason.

    By then each setting was proposed with every seed.
    """
    grid = {"sqrted": [0, 1], "normalise": ["none", "l2", "loss"]}
    fixed = {"initial_scale": [1], "initial_noise": [1], "mu": [1], "epochs": [1]}
    spec = SweepSpec.from_document(
        {
            "method": "mib_exact",
            "search": search,
            "seeds": seeds,
            "trials": 40,
            "population": 4,
            "grid": grid | fixed,
        }
    )
    tested = driver(spec)
    assert tested.shortfall is None
    assert len(set(keys(run_search(tested)))) == 6 * len(seeds)
    assert tested.shortfall is not None
    assert f"found only {6 * len(seeds)} of 40 trials" in tested.shortfall


@for_each_space_search
def test_invalid_combinations_are_skipped(search: str) -> None:
    """Combinations that validation refuses do not count as trials and do not end the search."""
    space = {"gradient": ["parameters", "latent"], "over": ["shared", "all"]}
    spec = sweep(search, "mib", space=space)
    trials = run_search(driver(spec))
    assert len(set(keys(trials))) == len(trials) == spec.trials


@for_each_space_search
@pytest.mark.parametrize(
    "objectives", [("lost", "error"), ("rate", "lost", "cost"), ("cost", "error", "lost", "rate")]
)
def test_a_search_accepts_two_to_four_search_objectives(
    search: str, objectives: tuple[str, ...]
) -> None:
    """A search accepts two, three or four search objectives, in any order."""
    spec = sweep(search, "vib", objectives=objectives)
    trials = run_search(driver(spec), mixed)
    assert len(set(keys(trials))) == len(trials) == spec.trials
