"""What a sweep of thousands of small trials costs beside their training, and what memory it takes.

    python benchmarks/scale.py [--trials 5000]

Runs a sweep through `jobs` as `paretoib sweep` does, in a new store, with this process as its
driver: a tiny MLP on digits, β × seeds. Then reads the store back and checks that every trial is
there, once, and that the parent run was told of each.
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


def resident() -> float:
    """Memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Run the sweep, look at the store, print one JSON document."""
    parser = argparse.ArgumentParser(description="A sweep of many small trials.")
    parser.add_argument("--trials", type=int, default=5000, help=f"a multiple of {SEEDS}")
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PARETOIB_STORE": folder}
        os.environ.pop("PARETOIB_TRACKING_URI", None)
        print(json.dumps(measure(trials), indent=2))


def measure(trials: int) -> dict[str, object]:
    """Seconds, memory and what the store has, of one sweep."""
    from jobs.sweep import Progress, run_sweep
    from paretoib.specs import with_overrides

    # (seconds, trials ended, MiB) as the sweep goes
    course: list[tuple[float, int, float]] = []
    started = time.monotonic()

    def look(progress: Progress) -> None:
        ended = progress.finished + progress.failed
        course.append((time.monotonic() - started, ended, resident()))

    document = {
        "method": "vib",
        "seeds": list(range(SEEDS)),
        "grid": {"beta": f"1e-5:1:{trials // SEEDS}"},
    }
    front = run_sweep(with_overrides(document, TINY), on_progress=look)
    seconds = time.monotonic() - started
    workers, cores = int(os.environ.get("PARETOIB_WORKERS", 0)), os.cpu_count() or 1
    trained = front.cost.seconds / (workers or cores)
    first = next(place for place, ended, _ in course if ended)
    last = course[-1][0]
    return {
        "trials": trials,
        "status": front.sweep.status,
        "seconds": round(seconds, 1),
        "first trials after, s": round(first, 1),
        "closing, s": round(seconds - last, 1),
        "trained, s a worker": round(trained, 1),
        "beside training, ms a trial": round(1e3 * (seconds - trained) / trials, 1),
        "memory, MiB after trials": {
            ended: round(memory)
            for _, ended, memory in course[:: max(1, len(course) // 8)] + course[-1:]
        },
        "store": stored(front.sweep.id),
    }


def stored(sweep_id: str) -> dict[str, object]:
    """What MLflow has of the sweep, read as any of its users would."""
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
