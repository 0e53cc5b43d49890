"""`paretoib submit` on this machine: the sweep runs in the background."""

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--epochs", "1")


def test_submit_prints_the_id_and_returns(store: Any, run: Run) -> None:
    """`submit` prints only the id on stdout, and `watch` follows the sweep to its end."""
    flags = ("--grid", "beta=0.1,0.01", "--name", "background")
    submitted = store.wait(store.start("submit", *TINY, *flags))
    assert submitted.code == 0, submitted.err
    (id_,) = submitted.out.splitlines()
    look, watch = submitted.err.splitlines()
    assert look.startswith("look:     paretoib ui, then http://127.0.0.1:5000/")
    assert watch == f"watch:    paretoib watch {id_[:8]}"
    watched = run(store, "watch", id_[:8], "--json")
    assert watched.code == 0
    assert watched.document["sweep"]["id"] == id_
    assert len(watched.document["points"]) == 2
    assert store.remaining_processes() == []


def test_a_sweep_that_cannot_begin_is_an_error(store: Any, run: Run) -> None:
    """`submit` prints why the sweep could not begin, and exits with code 2.

    The store has the same reason.
    """
    nothing_listens = {"PARETOIB_RAY_ADDRESS": "127.0.0.1:9"}
    submitted = store.wait(store.start("submit", *TINY, **nothing_listens))
    assert (submitted.code, submitted.out) == (2, "")
    (sweep,) = run(store, "list", "--json").document["sweeps"]
    assert sweep["status"] == "failed"
    assert "cannot join the Ray cluster at 127.0.0.1:9" in sweep["reason"]
    message = f"error: sweep {sweep['id'][:8]} could not begin: {sweep['reason']}\n"
    assert submitted.err == message
    assert store.remaining_processes() == []
