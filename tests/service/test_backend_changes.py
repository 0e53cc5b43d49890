"""The contract of backends for changes that train nothing: notes, tags, archive, delete, resume.

The service of the remote backend has no Ray cluster.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import paretoib
from paretoib.backends import Backend
from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.records import SweepState
from paretoib.settings import settings
from paretoib.specs import Additions


@pytest.fixture(params=("local", "remote"))
def backend(
    request: pytest.FixtureRequest,
    fresh_store: Path,
    serve: Callable[..., Any],
    token_of: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backend]:
    """The local backend on an empty store, or the remote backend of a service on this store."""
    monkeypatch.setenv("PARETOIB_STORE", str(fresh_store))
    monkeypatch.setenv("PARETOIB_TOKEN", token_of["writer"])
    settings.cache_clear()
    with ExitStack() as services:
        url = ""
        if request.param == "remote":
            url = services.enter_context(serve(fresh_store)).address
        yield paretoib.connect(url)
    settings.cache_clear()


def test_an_archived_sweep_is_listed_only_on_request(
    backend: Backend, fresh_store: Path, make_sweep: Callable[..., Any]
) -> None:
    """The sweep can still be found, read and compared; `undo` lists it again."""
    old, new = make_sweep(fresh_store, 5, name="old"), make_sweep(fresh_store, 5, name="new")
    archived = backend.archive("old")
    assert archived == backend.find("old") == backend.find(old.id)
    assert archived.archived
    assert [state.id for state in backend.list()] == [new.id]
    assert [state.id for state in backend.list(archived=True)] == [new.id, old.id]
    assert len(backend.front("old").points) == 4
    assert backend.compare("old", "new").left.on_front > 0
    assert not backend.archive(archived, undo=True).archived
    assert [state.id for state in backend.list()] == [new.id, old.id]


def test_a_deleted_sweep_can_be_restored(
    backend: Backend, fresh_store: Path, make_sweep: Callable[..., Any], wait_for: Any
) -> None:
    """Meanwhile a new sweep can have its name. The checkpoints of the sweep are removed."""
    sweep, other = make_sweep(fresh_store, 5, name="same"), make_sweep(fresh_store, 5, name="b/c")
    state, front = backend.find("same"), backend.front("same")
    checkpoints = settings().checkpoint_folder(sweep.id)
    if not hasattr(backend, "_http"):
        checkpoints.mkdir(parents=True)
    backend.delete("same")
    assert not checkpoints.exists()
    assert [state.id for state in backend.list(archived=True)] == [other.id]
    for name in ("same", sweep.id):
        with pytest.raises(NotFoundError, match="no sweep"):
            backend.front(name)
    with pytest.raises(NotFoundError):
        backend.delete(state)
    newer = make_sweep(fresh_store, 4, name="same")
    wait_for(lambda: newer.id in {state.id for state in backend.list()})  # the service caches lists
    assert backend.find("same").id == newer.id

    with pytest.raises(NotFoundError, match="no deleted sweep `nosuch`"):
        backend.restore("nosuch")
    assert backend.restore("same") == state
    assert backend.front(state) == front
    assert {state.id for state in backend.list()} == {sweep.id, other.id, newer.id}
    backend.delete("b/c")
    assert backend.restore(other.id[:8]).name == "b/c"


def test_a_running_sweep_is_not_deleted(
    backend: Backend,
    fresh_store: Path,
    make_sweep: Callable[..., Any],
    store_tools: Any,
) -> None:
    """The error says that the sweep runs; afterwards the sweep is still there."""
    sweep = make_sweep(fresh_store, 3, name="running", status="running")
    with store_tools.heartbeats(fresh_store, sweep.id):
        with pytest.raises(ParetoIBError, match="running"):
            backend.delete(sweep)
        assert backend.find("running").status == "running"
        assert backend.find("running").trials.ended == 3


def test_resuming_a_complete_sweep_returns_its_front(
    backend: Backend, fresh_store: Path, make_sweep: Callable[..., Any]
) -> None:
    """Nothing is left to run, so no job is submitted, and the sweep's state does not change."""
    make_sweep(fresh_store, 5, name="complete")
    before = backend.find("complete")
    assert before.complete
    seen: list[SweepState] = []
    assert backend.resume("complete", on_progress=seen.append) == backend.front("complete")
    assert seen == [before] == [backend.find("complete")]


def test_notes_and_tags_are_written_and_found(
    backend: Backend, fresh_store: Path, make_sweep: Callable[..., Any]
) -> None:
    """`note` and `tag` return the new state, and `list` finds sweeps by their tags."""
    old, new = make_sweep(fresh_store, 5, name="old"), make_sweep(fresh_store, 5, name="new")
    noted = backend.note("old", "a first\nlook at β = 0.1")
    assert noted == backend.find(old)
    assert noted.note == "a first\nlook at β = 0.1"
    backend.tag("old", {"project": "a=b", "draft": "yes"})
    tagged = backend.tag(backend.find("old"), {"draft": None, "größe": "2"})
    assert tagged == backend.find("old")
    assert tagged.tags == {"größe": "2", "project": "a=b"}
    assert tagged.note == noted.note
    backend.tag(new, {"project": "c"})
    for tags, found in (
        ({}, ["new", "old"]),
        ({"project": None}, ["new", "old"]),
        ({"project": "a=b"}, ["old"]),
        ({"project": None, "größe": "2"}, ["old"]),
        ({"größe": "3"}, []),
        ({"draft": None}, []),
    ):
        assert [state.name for state in backend.list(tags=tags)] == found
    assert backend.note("old", "").note == ""
    for change in (
        lambda: backend.note("old", "\x1b[31m"),
        lambda: backend.tag("old", {"mlflow.user": "me"}),
        lambda: backend.tag("old", {"nosuch": None}),
    ):
        with pytest.raises(ParetoIBError, match="should"):
            change()
    for unknown in (lambda: backend.note("nosuch", "a"), lambda: backend.tag("nosuch", {"a": "b"})):
        with pytest.raises(NotFoundError):
            unknown()


def test_a_sweep_that_cannot_be_extended_stays_as_it_is(
    backend: Backend, fresh_store: Path, make_sweep: Callable[..., Any], store_tools: Any
) -> None:
    """A running sweep, and additions that the sweep cannot have, are refused with the rule."""
    sweep = make_sweep(fresh_store, 4, name="finished")
    running = make_sweep(fresh_store, 3, name="running", status="running")
    before = backend.find("finished")
    with store_tools.heartbeats(fresh_store, running.id):
        with pytest.raises(ParetoIBError, match="should have ended to be extended"):
            backend.extend("running", Additions.from_document({"seeds": "+1"}))
        assert backend.find("running").spec == running.spec
    with pytest.raises(ParetoIBError, match="trials: should be left out for search `grid`"):
        backend.extend(sweep, Additions.from_document({"trials": "+2"}))
    with pytest.raises(NotFoundError):
        backend.extend("nosuch", Additions.from_document({"seeds": "+1"}))
    assert backend.find("finished") == before


@pytest.mark.parametrize("token", ["reader"])
def test_a_token_without_the_scope_write_changes_nothing(
    fresh_store: Path,
    serve: Callable[..., Any],
    make_sweep: Callable[..., Any],
    token_of: dict[str, str],
    token: str,
) -> None:
    """Extensions, notes, tags, archive, delete and restore need the same scope as cancel."""
    sweep = make_sweep(fresh_store, 3, name="kept")
    with serve(fresh_store) as served, served.client() as client:
        client.headers["Authorization"] = f"Bearer {token_of[token]}"
        for method, path in (
            ("POST", "/extend"),
            ("PUT", "/note"),
            ("PATCH", "/tags"),
            ("POST", "/archive"),
            ("DELETE", "/archive"),
            ("POST", "/delete"),
            ("POST", "/restore"),
        ):
            response = client.request(method, f"/sweeps/{sweep.id}{path}")
            assert (response.status_code, response.json()["type"]) == (
                403,
                "urn:paretoib:problem:scope",
            )
        assert client.get("/sweeps").json()["sweeps"][0]["archived"] is False
