"""Measure the time and the memory of a sweep with thousands of small trials.

    python benchmarks/scale.py [--trials 5000]

The benchmark runs a sweep (a tiny MLP on digits, a grid of β and seeds) in this process, as
`paretoib sweep` does, with a new store. Then it counts the trials in the store and the values
of hypervolume in the history of the parent run.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

TINY = {"hidden": [16], "latent": 4, "epochs": 2}
SEEDS = 5


def resident_mib() -> float:
    """The resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Run the sweep, read the store and print one JSON document."""
    parser = argparse.ArgumentParser(description="Measure a sweep of many small trials.")
    parser.add_argument("--trials", type=int, default=5000, help=f"a multiple of {SEEDS}")
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PARETOIB_STORE": folder}
        os.environ.pop("PARETOIB_TRACKING_URI", None)
        print(json.dumps(measure(trials), indent=2))


def measure(trials: int) -> dict[str, object]:
    """Run one sweep; returns its times, the memory of this process, and the counts in the store."""
    from jobs.sweep import run_sweep
    from paretoib.records import SweepState
    from paretoib.specs import with_overrides

    # (seconds, ended trials, MiB) at each report of progress.
    samples: list[tuple[float, int, float]] = []
    started = time.monotonic()

    def sample(state: SweepState) -> None:
        samples.append((time.monotonic() - started, state.trials.ended, resident_mib()))

    document = {
        "method": "vib",
        "seeds": list(range(SEEDS)),
        "grid": {"beta": f"1e-5:1:{trials // SEEDS}"},
    }
    front = run_sweep(with_overrides(document, TINY), on_progress=sample)
    seconds = time.monotonic() - started
    workers, cores = int(os.environ.get("PARETOIB_WORKERS", 0)), os.cpu_count() or 1
    training_seconds = front.cost.seconds / (workers or cores)
    first = next(elapsed for elapsed, ended, _ in samples if ended)
    last_report = samples[-1][0]
    return {
        "trials": trials,
        "status": front.sweep.status,
        "seconds": round(seconds, 1),
        "first trials ended after, s": round(first, 1),
        "closing, s": round(seconds - last_report, 1),
        "training per worker, s": round(training_seconds, 1),
        "overhead per trial, ms": round(1e3 * (seconds - training_seconds) / trials, 1),
        "memory after trials, MiB": {
            ended: round(memory)
            for _, ended, memory in samples[:: max(1, len(samples) // 8)] + samples[-1:]
        },
        "store": count_stored(front.sweep.id),
    }


def count_stored(sweep_id: str) -> dict[str, object]:
    """Counts of the sweep's runs and metrics in MLflow, read with MLflow's client."""
    from mlflow.tracking import MlflowClient

    from paretoib.tracking._mlflow.location import tracking_uri

    client = MlflowClient(tracking_uri())
    parent = client.get_run(sweep_id)
    runs, token = [], None
    while True:
        condition = f"tags.`mlflow.parentRunId` = '{sweep_id}'"
        page = client.search_runs(
            [parent.info.experiment_id], condition, max_results=500, page_token=token
        )
        runs.extend(page)
        if not (token := page.token):
            break
    return {
        "parent": parent.info.status,
        "child runs": len(runs),
        "finished": sum(run.info.status == "FINISHED" for run in runs),
        "different trials": len(
            {(r.data.params["weighting.beta"], r.data.params["seed"]) for r in runs}
        ),
        "steps of hypervolume": len(client.get_metric_history(sweep_id, "hypervolume")),
    }


if __name__ == "__main__":
    main()
