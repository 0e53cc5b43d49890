"""The contract of backends, tested on this machine's store and on a service over the same store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import paretoib
from paretoib import fronts
from paretoib.backends import Backend
from paretoib.errors import (
    ChoiceError,
    ComparisonError,
    FilterError,
    NotFoundError,
    ParetoIBError,
    SpecError,
)
from paretoib.records import PickRule
from paretoib.search import field_importance
from paretoib.settings import settings

GRID, MIB = "a grid of β", "adaptive weights"
BACKENDS = ("local", "remote")


@pytest.fixture(params=BACKENDS)
def backend(
    request: pytest.FixtureRequest,
    sample: Any,
    token_of: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backend]:
    """The local backend of the sample's store, or the remote backend of the sample's service."""
    monkeypatch.setenv("PARETOIB_STORE", str(sample.store))
    monkeypatch.setenv("PARETOIB_TOKEN", token_of["writer"])
    settings.cache_clear()
    yield paretoib.connect("" if request.param == "local" else sample.served.address)
    settings.cache_clear()


def test_sweeps_are_listed_newest_first(backend: Backend, sample: Any) -> None:
    """`list` has every sweep once, with its status and counts of trials."""
    states = backend.list()
    assert [state.name for state in states] == [*reversed(sample.sweeps)]
    statuses = {state.name: state.status for state in states}
    assert statuses["no good"] == "failed"
    assert statuses["gaussian"] == "interrupted"
    grid = states[-1]
    assert (grid.trials.total, grid.trials.finished, grid.trials.failed) == (16, 13, 3)
    assert grid.hypervolume == 75.0


def test_a_sweep_is_found_by_name_id_prefix_and_record(backend: Backend, sample: Any) -> None:
    """`find` takes a name, an id, a prefix or a record, and returns the same state as `list`."""
    info = sample.sweeps[GRID]
    expected = next(state for state in backend.list() if state.id == info.id)
    for sweep in (GRID, info.id, info.id[:8], info, expected):
        assert backend.find(sweep) == expected


@pytest.mark.parametrize("operation", ["find", "front", "logs", "watch", "cancel", "resume"])
def test_an_unknown_sweep_is_not_found(backend: Backend, operation: str) -> None:
    """For an unknown sweep, an operation raises `NotFoundError`, with the name in one line."""
    with pytest.raises(NotFoundError, match="no sweep `nosuch`") as caught:
        getattr(backend, operation)("nosuch")
    assert "\n" not in str(caught.value)


def test_a_front_has_the_points_of_finished_trials_and_the_failed_trials(backend: Backend) -> None:
    """`front` returns points and failed trials.

    For a sweep without ended trials, `front` raises `NotFoundError`.
    """
    front = backend.front(GRID)
    assert (len(front.points), len(front.failed)) == (13, 3)
    assert front.sweep == backend.find(GRID).info
    with pytest.raises(NotFoundError, match="no ended trial yet"):
        backend.front("not begun")


def test_a_comparison_equals_the_comparison_of_the_library(backend: Backend) -> None:
    """`compare` returns the comparison of `fronts.compare`.

    A sweep that is named twice is an error, and so are sweeps on different data.
    """
    comparison = backend.compare(GRID, MIB)
    assert comparison == fronts.compare([backend.front(GRID)], [backend.front(MIB)])
    assert backend.compare([GRID], [backend.find(MIB)]) == comparison
    with pytest.raises(ParetoIBError, match="named once"):
        backend.compare(GRID, [MIB, backend.find(GRID).id])
    with pytest.raises(ComparisonError):
        backend.compare(GRID, "gaussian")


def test_importance_equals_that_of_the_library(backend: Backend) -> None:
    """`importance` has the shares of each field, computed from the front."""
    found = backend.importance(GRID)
    assert found == field_importance(backend.front(GRID))
    assert set(found.shares["lost"]) == {"weighting.beta", "seed"}


def test_conditions_select_trials(backend: Backend) -> None:
    """`front` and `compare` take conditions; an unknown field raises `FilterError`."""
    front = backend.front(GRID, where=["rate_bits<1"])
    assert front == fronts.filtered([backend.front(GRID)], ["rate_bits<1"])[0]
    assert 0 < len(front.points) < 13
    comparison = backend.compare(GRID, MIB, where=["seed=0"])
    assert {point.seed for point in comparison.points} == {0}
    with pytest.raises(FilterError, match="unknown field `bta`"):
        backend.front(GRID, where=["bta<1"])


def test_a_pick_equals_the_pick_of_the_library(backend: Backend) -> None:
    """`pick` returns the choice of `fronts.pick`, from one sweep or from several."""
    rule = PickRule.of(max_rate=3)
    picked = backend.pick(MIB, max_rate=3)
    assert picked == fronts.pick([backend.front(MIB)], rule)
    assert backend.pick([MIB, backend.find(GRID)], max_rate=3).sweeps[1].name == GRID
    with pytest.raises(ChoiceError, match="the lowest rate is"):
        backend.pick(MIB, max_rate=0.001)
    with pytest.raises(ChoiceError, match="found knee and prefer"):
        backend.pick(MIB, knee=True, prefer=0.5)


def test_an_ended_trial_has_its_history(backend: Backend) -> None:
    """Each series of a trial's history has one value per epoch.

    An unknown key raises `NotFoundError`.
    """
    first = min(backend.front(GRID).points, key=lambda point: point.order)
    history = backend.history(GRID, first.trial)
    assert {name: list(values) for name, values in history.items()} == {
        "train/prediction": [1.5, 0.5, 0.0]
    }
    with pytest.raises(NotFoundError):
        backend.history(GRID, "0" * 16)


def test_trials_are_returned_in_the_order_of_their_end(backend: Backend) -> None:
    """`trials` has every ended trial once, with the metrics of both splits."""
    records = backend.trials(GRID)
    assert [record.spec["seed"] for record in records] == [0, 1, 2, 3] * 4
    assert len({record.trial for record in records}) == 16
    assert all(r.validation and r.test for r in records if r.status == "finished")
    assert backend.trials("not begun") == []


def test_models_are_listed_and_loaded(backend: Backend) -> None:
    """`models` lists the files that are kept; `load_model` returns a module."""
    files, records = backend.models(GRID), backend.trials(GRID)
    assert [file.trial for file in files.kept] == [record.trial for record in records[:2]]
    assert files.limit_mb == 500
    model = backend.load_model(GRID, records[0].trial)
    assert model.trial == records[0].trial
    assert model.predict(torch.rand(3, 1, 8, 8)).shape == (3, 10)
    assert backend.models(MIB).files == ()
    for trial in (records[2].trial, records[4].trial):
        with pytest.raises(NotFoundError, match=f"model of trial {trial} .* is not kept: ") as e:
            backend.load_model(GRID, trial)
        assert "\n" not in str(e.value)


def test_a_model_is_exported_to_a_folder(backend: Backend, tmp_path: Path) -> None:
    """`export` writes the model of the named trial and returns its record.

    Without a key, it names the best trial if its model is not kept, and the best of those that are.
    """
    records = backend.trials(GRID)
    exported = backend.export(GRID, tmp_path / "one", trial=records[1].trial[:10])
    assert exported == records[1]
    assert paretoib.load_model(tmp_path / "one").trial == records[1].trial
    config = json.loads((tmp_path / "one" / "config.json").read_text())
    assert config["trial"] == records[1].document
    assert config["sweep"]["name"] == GRID
    with pytest.raises(ParetoIBError, match="should be a new or an empty folder"):
        backend.export(GRID, str(tmp_path / "one"), trial=records[0].trial)
    backend.export(GRID, tmp_path / "one", trial=records[0].trial, overwrite=True)
    assert paretoib.load_model(tmp_path / "one").trial == records[0].trial

    # All trials have the same accuracy, so the best one has the lowest cross-entropy.
    best = min((r for r in records if r.validation), key=lambda r: r.validation.cross_entropy_bits)
    with pytest.raises(NotFoundError, match=f"model of trial {best.trial}, the best on") as caught:
        backend.export(GRID, tmp_path / "best")
    assert f"--trial {records[1].trial}" in str(caught.value)
    with pytest.raises(NotFoundError, match="has no models: none kept: the sweep has not begun"):
        backend.export(MIB, tmp_path / "best")
    with pytest.raises(NotFoundError, match="it matches none"):
        backend.export(GRID, tmp_path / "best", trial="0" * 16)
    assert not (tmp_path / "best").exists()


def test_a_log_is_read_in_parts(backend: Backend, sample: Any) -> None:
    """`logs` returns the last lines, or the text after a byte; the next part starts at `end`."""
    path = sample.store / "logs" / f"{sample.sweeps[GRID].id}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text("one\ntwo: β\nthree\n", encoding="utf-8")
    assert backend.logs(GRID).text == "one\ntwo: β\nthree\n"
    last = backend.logs(backend.find(GRID), tail=1)
    assert (last.text, last.end) == ("three\n", path.stat().st_size)
    assert backend.logs(GRID, after=4).text == "two: β\nthree\n"
    assert backend.logs(GRID, after=last.end).text == ""


def test_a_sweep_without_a_log_says_why(backend: Backend, sample: Any) -> None:
    """For a sweep without a log, the error has its id and the reason, in one line."""
    with pytest.raises(NotFoundError) as caught:
        backend.logs(MIB)
    assert str(caught.value) == (
        f"sweep {sample.sweeps[MIB].id[:8]} has no log on this machine: it ran on another "
        "machine, or with an earlier version of paretoib, which wrote no logs"
    )


def test_page_returns_one_line_with_url_and_id(backend: Backend) -> None:
    """`page` returns one line with a URL and the id of the sweep."""
    state = backend.find(GRID)
    assert "http://127.0.0.1:" in backend.page(state)
    assert state.id in backend.page(state)
    assert "\n" not in backend.page(state)


@pytest.mark.parametrize("kind", ["methods", "datasets", "models", "searches", "presets"])
def test_the_catalogue_equals_the_catalogue_of_the_library(backend: Backend, kind: str) -> None:
    """The catalogue has every entry, with the JSON schema of each field.

    A service does not offer entries that need files or code of one machine.
    """
    from paretoib.catalogue import catalogue

    local = not hasattr(backend, "_http")
    # JSON turns the library's tuples into lists.
    expected = json.loads(json.dumps(catalogue(kind, local=local)))
    assert backend.catalogue(kind) == expected
    assert ("npz" in expected) == (local and kind == "datasets")
    assert ("module" in expected) == (local and kind == "models")


def test_watching_an_ended_sweep_returns_its_front(backend: Backend) -> None:
    """On an ended sweep, `watch` reports only the final state."""
    seen: list[Any] = []
    front = backend.watch(GRID, on_progress=seen.append)
    assert front == backend.front(GRID)
    assert {state.status for state in seen} == {"finished"}
    assert {state.trials.ended for state in seen} == {16}


def test_functions_of_the_package_use_the_service_in_the_settings(
    sample: Any, token_of: dict[str, str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions that read sweeps read from PARETOIB_SERVER and not from the local store.

    Arrays and encoders of a program are refused, and the arrays are not saved.
    """
    monkeypatch.setenv("PARETOIB_STORE", str(tmp_path))
    monkeypatch.setenv("PARETOIB_SERVER", sample.served.address)
    monkeypatch.setenv("PARETOIB_TOKEN", token_of["reader"])
    settings.cache_clear()
    assert [state.name for state in paretoib.list()] == [*reversed(sample.sweeps)]
    assert paretoib.front(GRID).sweep.name == GRID
    assert paretoib.front(GRID, where=["seed=0"]).where == ("seed=0",)
    assert paretoib.compare(MIB, GRID).left.sweeps[0].name == MIB
    assert paretoib.pick(MIB, prefer=0.5) == paretoib.pick([paretoib.front(MIB)], prefer=0.5)
    monkeypatch.setenv("PARETOIB_DATA", str(tmp_path / "data"))
    settings.cache_clear()
    for own in ({"data": ([[0.0]] * 30, [0, 1] * 15)}, {"encoder": dict}):
        with pytest.raises(
            SpecError, match="a service runs registered names only; found PARETOIB_S"
        ):
            paretoib.sweep({"method": "vib"}, **own)
    with pytest.raises(SpecError, match="encoder: should be used on this machine"):
        paretoib.resume(GRID, encoder=dict)
    assert not (tmp_path / "data").exists()
    settings.cache_clear()
