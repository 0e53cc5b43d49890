"""A program that runs sweeps whose workers fail, and prints a JSON list of their results.

Its arguments are a folder and, for each sweep, numbers of epochs such as 1,2,3. The number of
epochs chooses the failure of a pack of two trials:
1: the trial with the lower β kills its worker every time;
2: the pack kills its worker the first time;
3: the trial with the lower β raises;
4: the trial with the lower β hangs;
5: the model is not installed on the workers;
6: nothing fails.
For each number of epochs, the folder gets a file with one character for each attempt, and a file
with the number of threads.
Ray pickles this module's `train_pack` by value, so the failures happen on the workers.
"""

import json
import os
import signal
import sys
import time
from itertools import repeat
from pathlib import Path
from typing import Any


def train_pack(config: dict[str, Any]) -> None:
    """`jobs.worker.train_pack` with failures."""
    trials = json.loads(config["trials"])
    epochs = trials[0]["training"]["epochs"]
    attempts = Path(config["notes"]) / f"attempts-{epochs}"
    attempts.open("a").write("x")
    lower = any(trial["weighting"]["beta"] < 0.05 for trial in trials)
    if (epochs == 1 and lower) or (epochs == 2 and len(attempts.read_text()) == 1):
        os.kill(os.getpid(), signal.SIGKILL)

    import torch

    import jobs.worker
    from paretoib.models import MODELS
    from paretoib.training import _run

    run_trials = _run.run_trials

    def run_with_failures(specs: Any, **options: Any) -> Any:
        threads = attempts.with_name(f"threads-{epochs}")
        threads.write_text(f"{torch.get_num_threads()} {os.getpid()}")
        if any(s.training.epochs == 3 and s.weighting["beta"] < 0.05 for s in specs):
            raise MemoryError("you tried to allocate 17179869184 bytes")
        if any(s.training.epochs == 4 and s.weighting["beta"] < 0.05 for s in specs):
            time.sleep(10_000)
        return run_trials(specs, **options)

    _run.run_trials = run_with_failures
    model = MODELS["mlp"]
    if epochs == 5:
        del MODELS["mlp"]
    try:
        jobs.worker.train_pack(config)
    finally:
        _run.run_trials = run_trials
        MODELS["mlp"] = model


def sweep_with_failures(epochs: list[int], notes: Path) -> dict[str, Any]:
    """Run a sweep on the Ray that is running; returns its front, its files and its error."""
    from jobs.sweep import run_sweep
    from paretoib.errors import ClusterError
    from paretoib.specs import SweepSpec
    from paretoib.tracking import MemoryTracker, read_front

    spec = SweepSpec.from_document(
        {
            "method": "vib",
            "model": {"name": "mlp", "hidden": [8], "latent": 2},
            "grid": {"beta": [0.1, 0.01], "epochs": epochs},
            "trial_seconds": 2 if 4 in epochs else None,
        }
    )
    store = MemoryTracker()
    error = None
    try:
        run_sweep(spec, store=lambda: store)
    except ClusterError as raised:
        error = str(raised)
    (sweep,) = store.sweeps()
    files = {path.name: path.read_text() for path in notes.iterdir()}
    return {"front": read_front(store, sweep).document, "notes": files, "error": error}


def main() -> None:
    """Run the sweeps with one Ray instance; print their results, and the address of Ray."""
    from jobs import cluster
    from paretoib.settings import settings

    notes, *sweeps = sys.argv[1:]
    with cluster.ray_instance(settings()):
        import ray

        from jobs import tune

        address = ray.nodes()[0]["NodeManagerAddress"]

        def train_with_failures(config: dict[str, Any]) -> None:
            train_pack({**config, "notes": notes})

        tune.train_pack = train_with_failures
        # One large first batch, so that trials with the same epochs share a pack.
        tune._batches = lambda _: repeat(tune.BATCH)
        results = [sweep_with_failures(json.loads(f"[{epochs}]"), Path(notes)) for epochs in sweeps]
    print(json.dumps([{**result, "address": address} for result in results]))


if __name__ == "__main__":
    main()
