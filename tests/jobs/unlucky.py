"""A sweep whose workers have accidents; run as a program, it prints what became of the trials.

Of the trials of 1 epoch the one with the lower β kills its worker every time; those of 2 epochs do
the first time; of those of 3 epochs, which share a pack, the one with the lower β raises; of those
of 4 epochs it hangs. Those of 5 epochs come to workers on which their model is not installed.
Those of 6 epochs have none. `train_pack` here is pickled by value into Ray's workers, so that the
accidents happen where they would.
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
    """The real one, with accidents."""
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

    def raising(specs: Any, **options: Any) -> Any:
        threads = attempts.with_name(f"threads-{epochs}")
        threads.write_text(f"{torch.get_num_threads()} {os.getpid()}")
        if any(s.training.epochs == 3 and s.weighting["beta"] < 0.05 for s in specs):
            raise MemoryError("you tried to allocate 17179869184 bytes")
        if any(s.training.epochs == 4 and s.weighting["beta"] < 0.05 for s in specs):
            time.sleep(10_000)
        return run_trials(specs, **options)

    _run.run_trials = raising
    model = MODELS["mlp"]
    if epochs == 5:
        del MODELS["mlp"]
    try:
        jobs.worker.train_pack(config)
    finally:
        _run.run_trials = run_trials
        MODELS["mlp"] = model


def main() -> None:
    """Run the sweep; its front, what was noted on each pack, and where Ray listened."""
    from jobs import cluster
    from jobs.sweep import run_sweep
    from paretoib.errors import ClusterError
    from paretoib.settings import settings
    from paretoib.specs import SweepSpec
    from paretoib.tracking import MemoryTracker, read_front

    notes, epochs = sys.argv[1], [int(number) for number in sys.argv[2:]]
    with cluster.ray_instance(settings()):
        # The sweep joins the Ray that is there.
        import ray

        from jobs import tune

        address = ray.nodes()[0]["NodeManagerAddress"]

        def unlucky(config: dict[str, Any]) -> None:
            train_pack({**config, "notes": notes})

        tune.train_pack = unlucky
        # All at once, the first too: those with the same epochs share a pack.
        tune._batches = lambda _: repeat(tune.ASKED)
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
        front = read_front(store, sweep)
    noted = {path.name: path.read_text() for path in Path(notes).iterdir()}
    found = {"front": front.document, "notes": noted, "address": address, "error": error}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
