"""The contract of backends for sweeps that train: submit, watch, cancel, resume and extend.

The tests of the local backend are slow. The commands in tests/cli/test_submit.py and
tests/cli/test_interrupted_sweeps.py run the same functions of this backend.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import paretoib
from paretoib.backends import Backend
from paretoib.errors import ParetoIBError
from paretoib.records import SweepState
from paretoib.settings import settings
from paretoib.specs import Additions, SweepSpec

TINY = {
    "method": "vib",
    "data": "digits",
    "model": {"name": "mlp", "hidden": [8], "latent": 2},
    "training": {"epochs": 1},
    "grid": {"beta": [0.1, 0.01]},
}


@pytest.fixture(params=(pytest.param("local", marks=pytest.mark.slow), "remote"))
def backend(
    request: pytest.FixtureRequest,
    fresh_store: Path,
    token_of: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backend]:
    """The local backend on an empty store, or the remote backend of a service on a Ray cluster."""
    monkeypatch.setenv("PARETOIB_STORE", str(fresh_store))
    monkeypatch.setenv("PARETOIB_WORKERS", "1")
    monkeypatch.setenv("PARETOIB_TOKEN", token_of["writer"])
    settings.cache_clear()
    with ExitStack() as services:
        url = ""
        if request.param == "remote":
            serve_cluster = request.getfixturevalue("serve_cluster")
            url = services.enter_context(serve_cluster()).address
        yield paretoib.connect(url)
    settings.cache_clear()


def test_a_submitted_sweep_is_watched_to_its_end_and_extended(backend: Backend) -> None:
    """`submit` returns a running sweep; `watch` reports each state and returns the front.

    `extend` then trains only the value that is new, and refuses to add it again.
    """
    submitted = backend.submit(SweepSpec.from_document({**TINY, "name": "tiny"}))
    assert (submitted.name, submitted.status) == ("tiny", "running")
    assert submitted.trials.total == 2
    states: list[SweepState] = []
    front = backend.watch(submitted, on_progress=states.append)
    assert front is not None
    assert len(front.points) == 2
    assert front == backend.front(submitted)
    assert states[-1] == backend.find(submitted)
    assert (states[-1].status, states[-1].trials.finished) == ("finished", 2)
    assert states[-1].workers is not None
    assert states[-1].workers.count == 1

    log = backend.logs(submitted)
    assert f"tiny ({submitted.id}) begins: 2 trials, 0 have ended, 1 worker × " in log.text
    assert log.text.count(" finished after ") == 2
    assert log.text.splitlines()[-1].endswith(" · finished")
    assert backend.logs(submitted, after=log.end).text == ""

    more = Additions.from_document({"grid": {"beta": [0.1, 0.3]}})
    states.clear()
    extended = backend.extend("tiny", more, on_progress=states.append)
    assert extended is not None
    assert extended == backend.front(submitted)
    assert {point.trial for point in front.points} < {point.trial for point in extended.points}
    assert [point.params["weighting.beta"] for point in extended.points].count(0.3) == 1
    assert (states[0].id, states[0].status, states[0].trials.total) == (
        submitted.id,
        "running",
        3,
    )
    assert (states[-1].status, states[-1].trials.finished) == ("finished", 3)
    with pytest.raises(ParetoIBError, match="found only values that it has"):
        backend.extend("tiny", more)


def test_a_cancelled_sweep_is_resumed_to_its_end(
    backend: Backend, wait_for: Callable[[Callable[[], object]], None]
) -> None:
    """`cancel` keeps the ended trials, and `resume` runs only the others."""
    # Trials with different numbers of epochs share no pack, so they end one after another. The
    # first ends at once. The others together train for longer than the cancellation takes.
    grid = {"epochs": [1, 35, 36], "beta": [0.01]}
    spec = {**TINY, "training": {"batch_size": 16}, "grid": grid, "name": "cancelled"}
    sweep = backend.submit(SweepSpec.from_document(spec))
    wait_for(lambda: backend.find(sweep).trials.ended)
    backend.cancel(sweep)
    front = backend.watch(sweep)
    assert front is not None
    assert front.sweep.status == "cancelled"
    assert 1 <= len(front.points) < 3

    resumed = backend.resume(sweep)
    assert resumed is not None
    assert resumed.sweep.status == "finished"
    trials = {point.trial for point in resumed.points}
    assert len(trials) == len(resumed.points) == 3
    assert trials > {point.trial for point in front.points}
    log = backend.logs(sweep).text
    assert log.count(" begins: 3 trials, ") == 2
    assert log.index(" · cancelled") < log.index(" · finished")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_a_sweep_that_cannot_begin_is_failed_with_the_reason(backend: Backend) -> None:
    """On this machine, `submit` raises an error with the reason, and the state has the reason.

    For a service, see `test_a_sweep_that_does_not_fit_the_cluster_has_a_reason`.
    """
    spec = {**TINY, "resources": {"gpus": 0.5}, "name": "no gpu"}
    with pytest.raises(ParetoIBError) as error:
        backend.submit(SweepSpec.from_document(spec))
    failed = backend.find("no gpu")
    assert str(error.value) == f"sweep {failed.id[:8]} could not begin: {failed.reason}"
    assert failed.status == "failed"
    assert "GPU" in str(failed.reason)
    assert str(failed.reason) in backend.logs("no gpu").text
    assert failed.trials.ended == 0
