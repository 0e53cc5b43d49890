"""What every tracker guarantees, tried on all of them."""

from collections.abc import Callable, Sequence

import pytest

from paretoib.errors import NotFoundError, StoreError
from paretoib.fronts import build_front
from paretoib.records import Reference, TrialCounts, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import File, Ruler, Tracker, read_front

from .tracker_records import RULER, ended, record, spec

Open = Callable[[], Tracker]


def without_history(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [r.model_copy(update={"history": {}}) for r in records]


def test_a_new_sweep_is_running_and_found_with_its_whole_spec(reopen: Open) -> None:
    """What `create` returns is what any reader finds, spec included."""
    asked = spec(name="first β grid", grid={"learning_rate": "1e-4:1e-2:3"}, trials=0)
    created = reopen().create(asked)
    found = reopen().find(created.id)
    assert found == created
    assert (found.name, found.method, found.dataset, found.status) == (
        "first β grid",
        "vib",
        "digits",
        "running",
    )
    assert SweepSpec.from_document(found.spec) == asked


def test_a_spec_of_any_length_comes_back(tracker: Tracker) -> None:
    """A grid of thousands of values is as whole as a short one."""
    asked = spec(grid={"beta": "1e-5:1:3000"}, trials=0)
    created = tracker.create(asked)
    assert SweepSpec.from_document(tracker.find(created.id).spec) == asked


def test_sweeps_are_listed_newest_first_over_all_data_sets(tracker: Tracker) -> None:
    """The list holds every sweep once, whatever data it is on."""
    created = [tracker.create(spec(data=data)) for data in ("digits", "gaussian", "digits")]
    assert tracker.sweeps() == created[::-1]


def test_a_sweep_is_found_by_unique_prefix_and_by_name(tracker: Tracker) -> None:
    """Four characters of an id are enough; of several with one name the latest is meant."""
    first, second = tracker.create(spec(name="same")), tracker.create(spec(name="same"))
    assert tracker.find(first.id[:8]) == first
    assert tracker.find("same") == second


@pytest.mark.parametrize("reference", ["no-such-sweep", "it's", "../../etc/passwd", "", "sam"])
def test_what_is_not_there_is_not_found(tracker: Tracker, reference: str) -> None:
    """The error repeats what was looked for, and says how to see what there is."""
    tracker.create(spec(name="same"))
    for look in ("find", "state", "records", "ruler", "flush", "heartbeat", "cancel"):
        with pytest.raises(NotFoundError, match="paretoib list") as caught:
            getattr(tracker, look)(reference)
        assert f"`{reference}`" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_three_characters_are_too_short_a_prefix(tracker: Tracker) -> None:
    """A prefix that would soon fit several sweeps is refused from the start."""
    created = tracker.create(spec())
    with pytest.raises(NotFoundError):
        tracker.find(created.id[:3])


def test_the_ruler_is_fixed_once(reopen: Open) -> None:
    """It is None before `begin`, stays afterwards, and another one is refused."""
    tracker = reopen()
    sweep = tracker.create(spec())
    assert tracker.ruler(sweep.id) is None
    exact = Ruler(Reference(rate_bits=100 / 3, lost_bits=10 / 3), 10 / 3)
    tracker.begin(sweep.id, exact)
    reopen().begin(sweep.id, exact)
    with pytest.raises(StoreError, match=r"33\.2"):
        reopen().begin(sweep.id, RULER)
    assert reopen().ruler(sweep.id) == exact


def test_trials_come_back_in_the_order_they_were_added(reopen: Open) -> None:
    """Every number survives exactly, failures too; histories are left out."""
    tracker = reopen()
    sweep = tracker.create(spec())
    added = [
        record(0.3),
        record(0.1, status="diverged", reason="the loss was not finite in epoch 7"),
        record(0.2),
        record(1.0, status="failed", reason="a long story " * 1000),
    ]
    tracker.add(sweep.id, ended(*added[:2]))
    for one in added[2:]:
        reopen().add(sweep.id, ended(one))
    assert reopen().records(sweep.id) == without_history(added)


def test_a_trial_added_twice_is_there_once(reopen: Open) -> None:
    """Replaying a sweep writes nothing twice, by the same writer or by the next."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.add(sweep.id, ended(record(0.3), record(0.3)))
    tracker.add(sweep.id, ended(record(0.3)))
    reopen().add(sweep.id, ended(record(0.3)))
    last = reopen()
    last.add(sweep.id, ended(record(0.1), record(0.3), record(0.2)))
    last.flush(sweep.id)
    betas = [r.spec["weighting"]["beta"] for r in last.records(sweep.id)]
    assert betas == [0.3, 0.1, 0.2]


def test_sweeps_keep_their_trials_apart(tracker: Tracker) -> None:
    """The same trial in two sweeps is one of each."""
    one, other, empty = (tracker.create(spec()) for _ in range(3))
    tracker.add(one.id, ended(record(0.1)))
    tracker.add(other.id, ended(record(0.1)))
    tracker.add(other.id, ended(record(0.2)))
    assert [len(tracker.records(s.id)) for s in (one, other, empty)] == [1, 2, 0]
    assert len(tracker.sweeps()) == 3


@pytest.mark.parametrize("status", ["finished", "interrupted", "failed"])
def test_a_closed_sweep_has_its_status_and_can_be_taken_up_again(reopen: Open, status: str) -> None:
    """Beginning a sweep that had ended makes it running, its trials still there."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.3)))
    front = build_front(
        sweep, tracker.records(sweep.id), reference=RULER.reference, label_entropy_bits=3.32
    )
    tracker.update(sweep.id, front)
    tracker.close(sweep.id, status, front, [File("front.png", b"\x89PNG")])
    assert reopen().find(sweep.id).status == status
    reopen().begin(sweep.id, RULER)
    assert reopen().find(sweep.id).status == "running"
    assert len(reopen().records(sweep.id)) == 1


def test_a_sweep_can_end_without_a_trial(tracker: Tracker) -> None:
    """An interrupted sweep need not have a front."""
    sweep = tracker.create(spec())
    tracker.close(sweep.id, "interrupted", None, [])
    assert tracker.find(sweep.id).status == "interrupted"


def test_a_sweep_has_a_page(tracker: Tracker, request: pytest.FixtureRequest) -> None:
    """The URL names the sweep; a store in memory has none."""
    url = tracker.create(spec()).mlflow_url
    if "memory" in request.node.name:
        assert url is None
        return
    assert url is not None
    assert tracker.sweeps()[0].id in url
    assert url.startswith("http")
    assert "\n" not in url


def test_the_state_counts_trials_by_status(reopen: Open) -> None:
    """Before the first trial, while the sweep runs, and after it, for every reader."""
    tracker = reopen()
    sweep = tracker.create(spec())
    assert (sweep.trials.ended, sweep.hypervolume, sweep.heartbeat) == (0, None, None)
    tracker.begin(sweep.id, RULER)
    statuses = ("finished", "stopped", "diverged", "failed", "finished")
    records = [record((1 + i) / 10, status=status) for i, status in enumerate(statuses)]
    tracker.add(sweep.id, ended(*records[:1], hypervolume=1.5))
    tracker.add(sweep.id, ended(*records[1:], hypervolume=2.5))
    tracker.flush(sweep.id)
    state = tracker.state(sweep.id)
    counts = TrialCounts(total=sweep.spec["trials"], finished=2, stopped=1, failed=2)
    assert (state.status, state.trials, state.hypervolume) == ("running", counts, 2.5)
    assert state.heartbeat is not None
    assert state.ended is None
    assert state.started == sweep.started
    tracker.close(sweep.id, "finished", None, [])
    closed = reopen().state(sweep.id)
    assert (closed.status, closed.trials, closed.hypervolume) == ("finished", counts, 2.5)
    assert closed.ended is not None
    assert closed.ended >= closed.started.replace(microsecond=0)
    assert reopen().sweeps() == [closed] == [reopen().find(sweep.name)]


def test_the_reason_is_stored_until_the_sweep_begins_again(reopen: Open) -> None:
    """`close` stores it, also before the sweep has begun; `begin` removes it."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.close(sweep.id, "failed", None, [], "no node has room")
    assert reopen().state(sweep.id).reason == "no node has room"
    tracker = reopen()
    tracker.begin(sweep.id, RULER)
    assert tracker.state(sweep.id).reason is None
    tracker.close(sweep.id, "failed", None, [], "the disk is full")
    assert reopen().find(sweep.id[:8]).reason == "the disk is full"
    assert reopen().sweeps()[0].info.reason == "the disk is full"


def test_a_trials_history_comes_back_whole(reopen: Open) -> None:
    """Every number of it, and what was not finite; a trial without one has an empty one."""
    tracker = reopen()
    sweep = tracker.create(spec())
    long = record(0.1).model_copy(
        update={"history": {"loss/x y": (*(i / 3 for i in range(99)), None)}}
    )
    none = record(0.2, status="failed", reason="lost").model_copy(update={"history": {}})
    tracker.add(sweep.id, ended(long, none))
    for look in (tracker, reopen()):
        assert look.history(sweep.id, long.trial) == long.history
        assert look.history(sweep.id, none.trial) == {}
    tracker = reopen()
    tracker.flush(sweep.id)
    assert tracker.history(sweep.id, long.trial) == long.history


def test_a_trial_that_has_not_ended_is_not_found(tracker: Tracker) -> None:
    """Nor is one of another sweep, nor what is no key at all."""
    sweep, other = tracker.create(spec()), tracker.create(spec())
    tracker.add(other.id, ended(record(0.1)))
    tracker.flush(other.id)
    for look in (tracker.history, tracker.trial_url):
        for trial in (record(0.1).trial, "it's", "../spec.json", ""):
            with pytest.raises(NotFoundError, match="should be the key") as caught:
                look(sweep.id, trial)
            assert f"`{trial}`" in str(caught.value)
        with pytest.raises(NotFoundError, match="paretoib list"):
            look("no-such-sweep", record(0.1).trial)


def test_a_trial_has_a_page(tracker: Tracker, request: pytest.FixtureRequest) -> None:
    """Another URL for each trial and for the sweep; a store in memory has none."""
    sweep = tracker.create(spec())
    tracker.add(sweep.id, ended(record(0.1), record(0.2)))
    tracker.flush(sweep.id)
    trials = [tracker.trial_url(sweep.id, record(beta).trial) for beta in (0.1, 0.2)]
    if "memory" in request.node.name:
        assert trials == [None, None]
        return
    assert len({*trials, tracker.state(sweep.id).mlflow_url}) == 3
    assert all(url and url.startswith("http") and "\n" not in url for url in trials)


def test_a_running_sweep_has_a_front(reopen: Open) -> None:
    """Of the trials so far, from the records alone; none before the first."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    with pytest.raises(NotFoundError, match="no ended trial yet"):
        read_front(tracker, sweep)
    tracker.add(sweep.id, ended(record(0.1), record(0.2)))
    assert len(read_front(reopen(), sweep).points) == 2
