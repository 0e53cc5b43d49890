"""What every tracker guarantees, tried on all of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.errors import NotFoundError, StoreError
from paretoib.fronts import build_front
from paretoib.records import Metrics, Reference, TrialRecord
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import MemoryTracker, Picture, Ruler, Tracker

RULER = Ruler(Reference(rate_bits=33.2, lost_bits=3.32), 3.32)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with MLflow's tables and nothing in them."""
    from paretoib.tracking._mlflow import MLflowTracker

    folder = tmp_path_factory.mktemp("empty")
    MLflowTracker(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture(params=["memory", "mlflow"])
def reopen(
    request: pytest.FixtureRequest, empty_store: Path, tmp_path: Path
) -> Callable[[], Tracker]:
    """Opens the store, each time as another process would find it."""
    if request.param == "memory":
        held = MemoryTracker()
        return lambda: held

    from paretoib.tracking._mlflow import MLflowTracker

    folder = tmp_path / "store with a space"
    shutil.copytree(empty_store, folder)
    return lambda: MLflowTracker(f"sqlite:///{folder}/mlflow.db")


@pytest.fixture
def tracker(reopen: Callable[[], Tracker]) -> Tracker:
    return reopen()


def spec(**fields: object) -> SweepSpec:
    return SweepSpec.from_document({"method": "vib", "trials": 4, **fields})


def record(beta: float, *, status: str = "finished", reason: str | None = None) -> TrialRecord:
    trial = TrialSpec(
        data="digits",
        model="mlp",
        objective="vib",
        weighting={"name": "linear", "beta": beta},
        seed=3,
    )
    metrics = Metrics(
        examples=360,
        rate_bits=1 / 3 - beta,
        rate_lower_bits=None,
        rate_se_bits=0.1,
        relevance_bits=2.5,
        relevance_se_bits=0.1,
        ceiling_bits=3.3,
        lost_bits=0.8,
        cross_entropy_bits=0.8,
        accuracy=0.9,
    )
    measured = metrics if status == "finished" else None
    return TrialRecord(
        trial=trial.key,
        spec=trial.document,
        status=status,
        reason=reason,
        validation=measured,
        test=measured,
        history={"loss/prediction": (1.0, None, 0.5)},
        seconds=1.5,
        device="cpu",
        pack=4,
    )


def without_history(records: list[TrialRecord]) -> list[TrialRecord]:
    return [r.model_copy(update={"history": {}}) for r in records]


def test_a_new_sweep_is_running_and_found_with_its_whole_spec(
    reopen: Callable[[], Tracker],
) -> None:
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
    for look in (tracker.find, tracker.records, tracker.ruler, tracker.address):
        with pytest.raises(NotFoundError, match="paretoib list") as caught:
            look(reference)
        assert f"`{reference}`" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_three_characters_are_too_short_a_prefix(tracker: Tracker) -> None:
    """A prefix that would soon fit several sweeps is refused from the start."""
    created = tracker.create(spec())
    with pytest.raises(NotFoundError):
        tracker.find(created.id[:3])


def test_the_ruler_is_fixed_once(reopen: Callable[[], Tracker]) -> None:
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


def test_trials_come_back_in_the_order_they_were_added(reopen: Callable[[], Tracker]) -> None:
    """Every number survives exactly, failures too; histories are left out."""
    tracker = reopen()
    sweep = tracker.create(spec())
    added = [
        record(0.3),
        record(0.1, status="diverged", reason="the loss was not finite in epoch 7"),
        record(0.2),
        record(1.0, status="failed", reason="a long story " * 1000),
    ]
    for one in added[:2]:
        tracker.add(sweep.id, one, hypervolume=1.0)
    for one in added[2:]:
        reopen().add(sweep.id, one, hypervolume=2.0)
    assert reopen().records(sweep.id) == without_history(added)


def test_a_trial_added_twice_is_there_once(reopen: Callable[[], Tracker]) -> None:
    """Replaying a sweep writes nothing twice, by the same writer or by the next."""
    tracker = reopen()
    sweep = tracker.create(spec())
    for again in (tracker, tracker, reopen()):
        again.add(sweep.id, record(0.3), hypervolume=1.0)
    assert len(reopen().records(sweep.id)) == 1


def test_sweeps_keep_their_trials_apart(tracker: Tracker) -> None:
    """The same trial in two sweeps is one of each."""
    one, other, empty = (tracker.create(spec()) for _ in range(3))
    tracker.add(one.id, record(0.1), hypervolume=1.0)
    tracker.add(other.id, record(0.1), hypervolume=1.0)
    tracker.add(other.id, record(0.2), hypervolume=1.0)
    assert [len(tracker.records(s.id)) for s in (one, other, empty)] == [1, 2, 0]
    assert len(tracker.sweeps()) == 3


@pytest.mark.parametrize("status", ["finished", "interrupted", "failed"])
def test_a_closed_sweep_has_its_status_and_can_be_taken_up_again(
    reopen: Callable[[], Tracker], status: str
) -> None:
    """Beginning a sweep that had ended makes it running, its trials still there."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, record(0.3), hypervolume=1.0)
    front = build_front(
        sweep, tracker.records(sweep.id), reference=RULER.reference, label_entropy_bits=3.32
    )
    tracker.update(sweep.id, front)
    tracker.close(sweep.id, status, front, [Picture("front.png", b"\x89PNG")])
    assert reopen().find(sweep.id).status == status
    reopen().begin(sweep.id, RULER)
    assert reopen().find(sweep.id).status == "running"
    assert len(reopen().records(sweep.id)) == 1


def test_a_sweep_can_end_without_a_trial(tracker: Tracker) -> None:
    """An interrupted sweep need not have a front."""
    sweep = tracker.create(spec())
    tracker.close(sweep.id, "interrupted", None, [])
    assert tracker.find(sweep.id).status == "interrupted"


def test_a_sweep_has_an_address(tracker: Tracker) -> None:
    """One line that names the sweep."""
    sweep = tracker.create(spec())
    assert sweep.id in tracker.address(sweep.id)
    assert "\n" not in tracker.address(sweep.id)
