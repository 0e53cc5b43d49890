"""What every row of DRIVERS guarantees."""

from typing import Literal

import pytest

from paretoib.records import TrialRecord
from paretoib.search import DRIVERS, Driver, driver
from paretoib.specs import SweepSpec, TrialSpec

pytestmark = pytest.mark.parametrize("search", DRIVERS)


def sweep(search: str, seeds: tuple[int, ...] = (3, 5)) -> SweepSpec:
    """A sweep of twelve trials."""
    method = "vib" if search == "grid" else "mib"
    return SweepSpec.from_document(
        {"method": method, "search": search, "trials": 12, "seeds": seeds}
    )


def record(
    trial: TrialSpec, status: Literal["finished", "failed", "diverged"] = "finished"
) -> TrialRecord:
    reason = None if status == "finished" else "a reason"
    return TrialRecord(trial=trial.key, spec=trial.document, status=status, reason=reason)


def rest(of: Driver, status: Literal["finished", "failed", "diverged"] = "finished") -> list[str]:
    """The keys of all trials that it still proposes, each told before the next is asked for."""
    keys = []
    while not of.done:
        asked = of.ask(2)
        assert 1 <= len(asked) <= 2
        for trial in asked:
            keys.append(trial.key)
            of.tell(record(trial, status))
    assert of.ask(5) == []
    return keys


def test_it_proposes_the_sweeps_trials_once_each(search: str) -> None:
    """As many as the spec says, all different, all of the sweep's data and method; then it ends."""
    spec = sweep(search)
    of = driver(spec)
    trials = of.ask(1000)
    assert of.done
    assert len({t.key for t in trials}) == len(trials) == spec.trials
    assert {t.data for t in trials} == {spec.data}
    assert {t.weighting.name for t in trials} == {spec.weighting.name}
    assert {t.seed for t in trials} == set(spec.seeds)


def test_it_is_deterministic(search: str) -> None:
    """The same spec and tells give the same proposals in the same order, however many at a time."""
    first = rest(driver(sweep(search)))
    assert rest(driver(sweep(search))) == first
    assert [t.key for t in driver(sweep(search)).ask(1000)] == first
    again = SweepSpec.from_document(sweep(search).document)
    assert rest(driver(again)) == first


def test_another_seed_is_another_sweep(search: str) -> None:
    """The spec's seeds reach the trials."""
    assert not set(rest(driver(sweep(search)))) & set(rest(driver(sweep(search, (7, 8)))))


@pytest.mark.parametrize("finished", [0, 1, 5, 11, 12])
def test_replay_goes_on_where_it_stopped(search: str, finished: int) -> None:
    """A fresh driver told some records proposes exactly the other trials, once each.

    The records may be any of the sweep's, in any order: workers end when they end.
    """
    whole = driver(sweep(search)).ask(1000)
    told, left = whole[::-1][:finished], whole[::-1][finished:]
    resumed = driver(sweep(search))
    for trial in told:
        resumed.tell(record(trial))
    assert sorted(rest(resumed)) == sorted(t.key for t in left)


def test_a_told_trial_is_never_proposed(search: str) -> None:
    """Neither one that was asked for, nor one that was not yet, nor one told twice."""
    of = driver(sweep(search))
    plan = driver(sweep(search)).ask(1000)
    asked = of.ask(3)
    told = [*asked, plan[7], plan[7], plan[11]]
    for trial in told:
        of.tell(record(trial))
    assert not {t.key for t in told} & set(rest(of))


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_failed_and_diverged_records_are_taken_like_any_other(
    search: str, status: Literal["failed", "diverged"]
) -> None:
    """They end their own trial, are not tried again, and the sweep goes on to its end."""
    assert len(rest(driver(sweep(search)), status)) == 12


def test_a_record_of_another_sweep_changes_nothing(search: str) -> None:
    """A trial that it would not propose may be told."""
    of = driver(sweep(search))
    of.tell(record(driver(sweep(search, (7, 8))).ask(1)[0]))
    assert rest(of) == rest(driver(sweep(search)))
