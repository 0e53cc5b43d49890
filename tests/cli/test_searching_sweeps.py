"""Sweeps that use the results of their trials: pruning, a plateau, and Optuna's searches."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoib.tracking import reader

Run = Callable[..., Any]
SMALL = ("sweep", "--method", "vib", "--set", "hidden=[8]")
COMMANDS = {
    # The trial with `initial_scale=10` has a higher rate and a lower relevance than the other.
    "pruned": (
        *(*SMALL, "--set", "latent=2", "--set", "beta=0.01", "--epochs", "8"),
        *("--grid", "initial_scale=1,10", "--prune", "--name", "pruned", "--json"),
    ),
    "plateau": (
        *(*SMALL, "--set", "latent=2", "--epochs", "30", "--stop-on-plateau", "100:1"),
        *("--search", "pymoo-nsga2", "--trials", "16", "--population", "4"),
    ),
    "optuna": (
        *(*SMALL, "--search", "optuna-tpe", "--trials", "6", "--objectives", "error,rate"),
        *("--space", "beta=1e-3:1e-1", "--space", "latent=2,3", "--space", "epochs=2", "--json"),
    ),
}
# One Ray instance for all commands, because Ray takes longer to start than these sweeps.
PROGRAM = Path(__file__).with_name("several_commands.py").read_text()


@pytest.fixture(scope="module")
def sweeps(
    new_store: Callable[[Path], Any], empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, dict[str, Any]]:
    """The store of the sweeps, and the results of COMMANDS by name."""
    store = new_store(shutil.copytree(empty_store, tmp_path_factory.mktemp("sweeps") / "store"))
    ended = store.wait(store.start(json.dumps([*COMMANDS.values()]), program=PROGRAM))
    assert ended.code == 0, ended.err
    results = json.loads(ended.out)
    return store, {name: replace(ended, **r) for name, r in zip(COMMANDS, results, strict=True)}


def test_dominated_trials_are_pruned(sweeps: tuple[Any, dict[str, Any]], run: Run) -> None:
    """With `--prune`, a dominated trial stops early; it is not a point of the front.

    Its reason and its history are stored. The other trial finishes.
    """
    store, results = sweeps
    result = results["pruned"]
    assert result.code == 0, result.err
    ((point,), (stopped,)) = result.document["points"], result.document["failed"]
    assert point["params"]["model.initial_scale"] == 1
    assert stopped["reason"] == "dominated by others after 2 of 8 epochs"
    document = run(store, "show", "pruned", "--json").document  # sets the store for `reader()`
    counts = {"total": 2, "finished": 1, "stopped": 1, "failed": 0}
    assert document["sweep"]["trials"] == counts
    assert "1 of 2 trials finished, 1 stopped early, 0 failed" in run(store, "show", "pruned").out
    sweep = document["sweep"]["id"]
    (record,) = [record for record in reader().records(sweep) if record.status == "stopped"]
    assert record.trial == stopped["trial"]
    assert {len(values) for values in reader().history(sweep, record.trial).values()} == {2}
    assert document["models"]["kept"] == 1
    refused = run(store, "export", "pruned", str(store.folder / "m"), "--trial", record.trial)
    assert "only finished trials have models, and this one is stopped (dominated" in refused.err


def test_a_search_that_uses_results_stops_at_a_plateau(sweeps: tuple[Any, dict[str, Any]]) -> None:
    """NSGA-II with `--stop-on-plateau` ends after its first generation and prints the reason."""
    result = sweeps[1]["plateau"]
    assert result.code == 0
    assert "ended after 4 of 16 trials: the hypervolume grew by no more than 100 %" in result.err


def test_optuna_searches_a_space_from_the_command_line(sweeps: tuple[Any, dict[str, Any]]) -> None:
    """All trials of an Optuna search have values in the space and are points of the front."""
    result = sweeps[1]["optuna"]
    assert (result.code, result.messages) == (0, "")
    params = [point["params"] for point in result.document["points"]]
    assert len(params) == 6
    assert all(1e-3 <= p["weighting.beta"] <= 1e-1 and p["model.latent"] in (2, 3) for p in params)
