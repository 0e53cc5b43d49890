"""Contract of every tracker: sweeps, trials, states and histories."""

from collections.abc import Callable, Sequence

import pytest

from paretoib.errors import NotFoundError, ParetoIBError, StoreError
from paretoib.fronts import build_front
from paretoib.records import ReferencePoint, TrialCounts, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import File, Ruler, Tracker, read_front

from .tracker_records import RULER, ended, extension, record, spec

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


@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_an_extended_sweep_runs_with_its_new_spec_and_its_trials(reopen: Open, status: str) -> None:
    """`extend` replaces the spec; the sweep is running, without the reason of its end.

    `begin` and `add` go on as in any sweep. So does a second extension.
    """
    tracker = reopen()
    before = spec()
    sweep = tracker.create(before)
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.1), record(0.2)))
    tracker.close(sweep.id, status, None, [], "a reason")
    after = extension(before)
    tracker = reopen()
    state = tracker.extend(sweep.id, after)
    assert (state.id, state.status, state.reason) == (sweep.id, "running", None)
    assert not state.cancel_requested
    assert (state.trials.total, state.trials.ended) == (8, 2)
    assert SweepSpec.from_document(state.spec) == after

    tracker = reopen()
    assert tracker.state(sweep.id).spec == after.document
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended(record(0.2), record(0.3)))
    tracker.close(sweep.id, "finished", None, [])
    again = extension(after, grid={"beta": [3, 4]})
    reopen().extend(sweep.id, again)
    tracker = reopen()
    assert SweepSpec.from_document(tracker.find(sweep.id).spec) == again
    assert len(tracker.sweeps()) == 1
    assert [r.spec["weighting"]["beta"] for r in tracker.records(sweep.id)] == [0.1, 0.2, 0.3]


def test_a_running_sweep_is_not_extended(tracker: Tracker) -> None:
    """The error says how to follow the sweep, and the sweep keeps its spec."""
    before = spec()
    sweep = tracker.create(before)
    tracker.begin(sweep.id, RULER)
    with pytest.raises(StoreError, match=f"ended to be extended; it is running.* {sweep.id[:8]}"):
        tracker.extend(sweep.id, extension(before))
    assert tracker.state(sweep.id).spec == before.document
    with pytest.raises(NotFoundError):
        tracker.extend("0" * 32, extension(before))


def test_of_two_extensions_of_one_spec_the_first_wins(reopen: Open) -> None:
    """The second one is refused, also after the first has ended; then it can be made anew."""
    tracker = reopen()
    before = spec()
    sweep = tracker.create(before)
    tracker.begin(sweep.id, RULER)
    tracker.close(sweep.id, "finished", None, [])
    first, second = extension(before), extension(before, seeds="+2")
    tracker = reopen()
    tracker.extend(sweep.id, first)
    with pytest.raises(StoreError, match="running"):
        tracker.extend(sweep.id, second)
    tracker.begin(sweep.id, RULER)
    tracker.close(sweep.id, "finished", None, [])
    tracker = reopen()
    with pytest.raises(StoreError, match="extended by another process in the meantime"):
        tracker.extend(sweep.id, second)
    assert tracker.state(sweep.id).spec == first.document
    assert tracker.extend(sweep.id, extension(first)).trials.total == 12


def test_a_note_is_kept_until_it_is_replaced(reopen: Open) -> None:
    """A note may have several lines. It survives the end of the sweep and an extension."""
    tracker = reopen()
    before = spec()
    sweep = tracker.create(before)
    assert sweep.note == ""
    tracker.set_note(sweep.id, " the first run,\r\nwith *fewer* bits \n")
    tracker.begin(sweep.id, RULER)
    assert tracker.state(sweep.id).note == "the first run,\nwith *fewer* bits"
    tracker.close(sweep.id, "finished", None, [])
    reopen().extend(sweep.id, extension(before))
    assert reopen().find(sweep.id).note == "the first run,\nwith *fewer* bits"
    reopen().set_note(sweep.id, "another")
    assert reopen().sweeps()[0].note == "another"
    reopen().set_note(sweep.id, "")
    assert reopen().state(sweep.id).note == ""
    with pytest.raises(NotFoundError):
        reopen().set_note("0" * 32, "text")


def test_tags_are_set_and_removed(reopen: Open) -> None:
    """`set_tags` changes only the tags that it names; the state has the tags by name."""
    tracker = reopen()
    sweep = tracker.create(spec())
    assert sweep.tags == {}
    tracker.set_tags(sweep.id, {"project": "bits = 2", "größe": "small"})
    reopen().set_tags(sweep.id, {"a.b-c_1": "x", "project": "b"})
    tracker = reopen()
    assert tracker.find(sweep.id).tags == {"a.b-c_1": "x", "größe": "small", "project": "b"}
    tracker.set_tags(sweep.id, {"project": None, "größe": None, "new": "y"})
    assert list(reopen().sweeps()[0].tags.items()) == [("a.b-c_1", "x"), ("new", "y")]
    state = reopen().state(sweep.id)
    assert state.has_tags({"new": None})
    assert state.has_tags({"new": "y", "a.b-c_1": None})
    assert not state.has_tags({"new": "n"})
    assert not state.has_tags({"project": None})


INVALID_TAGS: list[tuple[dict[str, str | None], str]] = [
    ({}, "found none"),
    ({"mlflow.user": "me"}, "belong to MLflow and paretoib; found 'mlflow.user'"),
    ({"MLflow.x": "me"}, "belong to MLflow"),
    ({"paretoib.x": "1"}, "belong to MLflow"),
    ({"reason": "none"}, "belong to MLflow"),
    ({"extended": None}, "belong to MLflow"),
    ({"nosuch": None}, "should have a tag 'nosuch' to remove it; found kept"),
    ({"two words": "x"}, "found 'two words'"),
    ({"a/b": "x"}, "found 'a/b'"),
    ({".a": "x"}, "found '.a'"),
    ({"": "x"}, "found ''"),
    ({"k" * 101: "x"}, "1 to 100 letters"),
    ({"k": ""}, "tags.k: should have 1 to 500 printable"),
    ({"k": " "}, "tags.k: should have 1 to 500 printable"),
    ({"k": "x" * 501}, "tags.k: should have 1 to 500 printable"),
    ({"k": "two\nlines"}, "printable characters; found"),
    ({"k": "\x1b[31m"}, "printable characters; found"),
    ({"k": "\ud800"}, "printable characters; found"),
    ({f"k{i}": "x" for i in range(49)}, "at most 50 tags; found 51"),
]


def test_invalid_tags_are_refused(tracker: Tracker) -> None:
    """The error has the rule and the value in one line, and no tag is changed."""
    sweep = tracker.create(spec())
    tracker.set_tags(sweep.id, {"kept": "x"})
    for changes, message in INVALID_TAGS:
        with pytest.raises(ParetoIBError) as refused:
            tracker.set_tags(sweep.id, {**changes, **({"good": "y"} if changes else {})})
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)
    assert tracker.state(sweep.id).tags == {"kept": "x"}


def test_invalid_notes_are_refused(tracker: Tracker) -> None:
    """A note has at most 4000 characters, and of control characters line breaks only."""
    sweep = tracker.create(spec())
    tracker.set_note(sweep.id, "kept")
    for note in ("x" * 4001, "a\x1b[31mb", "a\u202eb", "\ud800"):
        with pytest.raises(ParetoIBError, match="note: should have"):
            tracker.set_note(sweep.id, note)
    assert tracker.state(sweep.id).note == "kept"
    tracker.set_note(sweep.id, "é" * 4000)
    assert tracker.state(sweep.id).note == "é" * 4000
