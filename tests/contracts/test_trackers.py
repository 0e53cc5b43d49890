"""Contract of every tracker: sweeps, trials, states and histories."""

from collections.abc import Callable, Sequence

import pytest

from paretoib.errors import NotFoundError, StoreError
from paretoib.fronts import build_front
from paretoib.records import ReferencePoint, TrialCounts, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import File, Ruler, Tracker, read_front

from .tracker_records import RULER, ended, record, spec

Open = Callable[[], Tracker]


def without_history(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [r.model_copy(update={"history": {}}) for r in records]


def test_a_new_sweep_is_running_and_has_its_complete_spec(reopen: Open) -> None:
    """`find` returns the same running sweep as `create`, with the complete spec."""
    requested = spec(name="first β grid", grid={"learning_rate": "1e-4:1e-2:3"}, trials=0)
    created = reopen().create(requested)
    found = reopen().find(created.id)
    assert found == created
    assert (found.name, found.method, found.dataset, found.status) == (
        "first β grid",
        "vib",
        "digits",
        "running",
    )
    assert SweepSpec.from_document(found.spec) == requested


def test_a_long_spec_is_stored_completely(tracker: Tracker) -> None:
    """A spec with 3000 values of β is read back unchanged."""
    requested = spec(grid={"beta": "1e-5:1:3000"}, trials=0)
    created = tracker.create(requested)
    assert SweepSpec.from_document(tracker.find(created.id).spec) == requested


def test_sweeps_of_all_data_sets_are_listed_newest_first(tracker: Tracker) -> None:
    """`sweeps` lists every sweep once, the newest first, whatever its data set."""
    created = [tracker.create(spec(data=data)) for data in ("digits", "gaussian", "digits")]
    assert tracker.sweeps() == created[::-1]


def test_a_sweep_is_found_by_unique_prefix_and_by_name(tracker: Tracker) -> None:
    """`find` accepts a unique prefix of an id, or a name.

    If several sweeps have the name, `find` returns the newest.
    """
    first, second = tracker.create(spec(name="same")), tracker.create(spec(name="same"))
    assert tracker.find(first.id[:8]) == first
    assert tracker.find("same") == second


@pytest.mark.parametrize("sweep", ["no-such-sweep", "it's", "../../etc/passwd", "", "sam"])
def test_an_unknown_sweep_is_not_found(tracker: Tracker, sweep: str) -> None:
    """The error for an unknown sweep is one line with the requested name and `paretoib list`."""
    tracker.create(spec(name="same"))
    for method in ("find", "state", "records", "ruler", "flush", "heartbeat", "cancel"):
        with pytest.raises(NotFoundError, match="paretoib list") as caught:
            getattr(tracker, method)(sweep)
        assert f"`{sweep}`" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_prefix_of_three_characters_is_refused(tracker: Tracker) -> None:
    """A prefix of three characters is refused even if only one sweep has it.

    Further sweeps would soon have the same prefix.
    """
    created = tracker.create(spec())
    with pytest.raises(NotFoundError):
        tracker.find(created.id[:3])


def test_the_ruler_is_fixed_once(reopen: Open) -> None:
    """A sweep has no ruler before `begin`. Afterwards a different ruler is refused."""
    tracker = reopen()
    sweep = tracker.create(spec())
    assert tracker.ruler(sweep.id) is None
    exact = Ruler(ReferencePoint(rate_bits=100 / 3, lost_bits=10 / 3), 10 / 3)
    tracker.begin(sweep.id, exact)
    reopen().begin(sweep.id, exact)
    with pytest.raises(StoreError, match=r"33\.2"):
        reopen().begin(sweep.id, RULER)
    assert reopen().ruler(sweep.id) == exact


def test_records_have_the_order_in_which_they_were_added(reopen: Open) -> None:
    """`records` returns all records in the order of `add`, without histories.

    The records of failed trials are included.
    """
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


def test_a_trial_that_is_added_twice_is_stored_once(reopen: Open) -> None:
    """A trial is stored once, even if the same writer or a later writer adds it again."""
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


def test_each_sweep_has_its_own_trials(tracker: Tracker) -> None:
    """A sweep has only its own trials. Two sweeps can have the same trial."""
    first, second, empty = (tracker.create(spec()) for _ in range(3))
    tracker.add(first.id, ended(record(0.1)))
    tracker.add(second.id, ended(record(0.1)))
    tracker.add(second.id, ended(record(0.2)))
    assert [len(tracker.records(s.id)) for s in (first, second, empty)] == [1, 2, 0]
    assert len(tracker.sweeps()) == 3


@pytest.mark.parametrize("status", ["finished", "interrupted", "failed"])
def test_a_closed_sweep_has_its_status_and_can_begin_again(reopen: Open, status: str) -> None:
    """`begin` sets a closed sweep to running and keeps its trials."""
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
    """`close` accepts a sweep without a front."""
    sweep = tracker.create(spec())
    tracker.close(sweep.id, "interrupted", None, [])
    assert tracker.find(sweep.id).status == "interrupted"


def test_a_sweep_has_a_url_in_mlflow(tracker: Tracker, request: pytest.FixtureRequest) -> None:
    """The URL of a sweep contains the sweep's id. A store in memory has no URLs."""
    url = tracker.create(spec()).mlflow_url
    if "memory" in request.node.name:
        assert url is None
        return
    assert url is not None
    assert tracker.sweeps()[0].id in url
    assert url.startswith("http")
    assert "\n" not in url


def test_the_state_counts_trials_by_status(reopen: Open) -> None:
    """The state counts trials by status while the sweep runs and after it is closed.

    A diverged trial counts as failed.
    """
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
    """`close` stores the reason, even if the sweep has not begun; `begin` removes the reason."""
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


def test_a_trials_history_is_stored_completely(reopen: Open) -> None:
    """`history` returns the values unchanged, including None for a value that was not finite.

    A history may be empty.
    """
    tracker = reopen()
    sweep = tracker.create(spec())
    long = record(0.1).model_copy(
        update={"history": {"loss/x y": (*(i / 3 for i in range(99)), None)}}
    )
    none = record(0.2, status="failed", reason="lost").model_copy(update={"history": {}})
    tracker.add(sweep.id, ended(long, none))
    for reader in (tracker, reopen()):
        assert reader.history(sweep.id, long.trial) == long.history
        assert reader.history(sweep.id, none.trial) == {}
    tracker = reopen()
    tracker.flush(sweep.id)
    assert tracker.history(sweep.id, long.trial) == long.history


def test_an_unknown_trial_is_not_found(tracker: Tracker) -> None:
    """`history` and `trial_url` refuse unknown sweeps, invalid keys and keys of other sweeps."""
    sweep, other = tracker.create(spec()), tracker.create(spec())
    tracker.add(other.id, ended(record(0.1)))
    tracker.flush(other.id)
    for method in (tracker.history, tracker.trial_url):
        for trial in (record(0.1).trial, "it's", "../spec.json", ""):
            with pytest.raises(NotFoundError, match="should be the key") as caught:
                method(sweep.id, trial)
            assert f"`{trial}`" in str(caught.value)
        with pytest.raises(NotFoundError, match="paretoib list"):
            method("no-such-sweep", record(0.1).trial)


def test_a_trial_has_a_url_in_mlflow(tracker: Tracker, request: pytest.FixtureRequest) -> None:
    """The URLs of two trials and of their sweep differ. A store in memory has no URLs."""
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
    """The front of a running sweep has the trials that have ended.

    If no trial has ended, `read_front` raises an error.
    """
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    with pytest.raises(NotFoundError, match="no ended trial yet"):
        read_front(tracker, sweep)
    tracker.add(sweep.id, ended(record(0.1), record(0.2)))
    assert len(read_front(reopen(), sweep).points) == 2


def test_an_archived_sweep_is_marked_and_gives_way_to_others_of_its_name(reopen: Open) -> None:
    """`archive` sets and clears the mark. A name means a sweep that is not archived, if any."""
    tracker = reopen()
    older, newer = tracker.create(spec(name="same")), tracker.create(spec(name="same"))
    assert not newer.archived
    tracker.archive(newer.id, True)
    states = reopen().sweeps()
    assert [(state.id, state.archived) for state in states] == [(newer.id, True), (older.id, False)]
    assert reopen().find("same").id == older.id
    assert reopen().find(newer.id[:8]).archived
    reopen().archive(older.id, True)
    assert reopen().find("same").id == newer.id
    tracker = reopen()
    tracker.archive(newer.id, False)
    assert tracker.find("same") == newer
    with pytest.raises(NotFoundError):
        tracker.archive("no-such-sweep", True)


def test_a_deleted_sweep_is_gone_until_it_is_restored(reopen: Open) -> None:
    """`delete` removes the sweep and its trials, and `restore` brings back both.

    Meanwhile a new sweep can have the name.
    """
    tracker = reopen()
    sweep = tracker.create(spec(name="same"))
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.1), record(0.2)))
    tracker.close(sweep.id, "finished", None, [])
    before = reopen().state(sweep.id)
    reopen().delete(sweep.id)
    tracker = reopen()
    assert tracker.sweeps() == []
    for name in ("same", sweep.id):
        with pytest.raises(NotFoundError):
            tracker.find(name)
    with pytest.raises(NotFoundError):
        tracker.delete(sweep.id)
    second = tracker.create(spec(name="same"))
    assert tracker.find("same") == second
    assert tracker.records(second.id) == []

    with pytest.raises(NotFoundError, match="no deleted sweep `other`"):
        tracker.restore("other")
    assert tracker.restore(sweep.id[:8]) == before
    assert {state.id for state in reopen().sweeps()} == {sweep.id, second.id}
    tracker = reopen()
    assert tracker.records(sweep.id) == without_history([record(0.1), record(0.2)])
    assert tracker.history(sweep.id, record(0.1).trial) == record(0.1).history
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.3)))
    assert len(reopen().records(sweep.id)) == 3


def test_a_running_sweep_is_not_deleted(tracker: Tracker) -> None:
    """The error says how to cancel the sweep, and the sweep stays as it is."""
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.1)))
    with pytest.raises(StoreError, match=f"paretoib cancel {sweep.id[:8]}"):
        tracker.delete(sweep.id)
    tracker.flush(sweep.id)
    assert len(tracker.records(sweep.id)) == 1
    tracker.close(sweep.id, "finished", None, [])
    tracker.delete(sweep.id)
    assert tracker.sweeps() == []
