"""All searches at an equal budget of trials, and how far `adaptive` needs fewer than a grid.

    python benchmarks/searches.py budget --out FOLDER     every search, hypervolume against trials
    python benchmarks/searches.py gaps --out FOLDER       adaptive β against log-spaced grids of β
    python benchmarks/searches.py draw --out FOLDER       both pictures again, from the numbers

Each search trains its own trials with `run_trials`, in a process with one thread, without Ray:
what is compared is the choice of trials. Hypervolumes are those of the test split, in bits², with
the sweep's usual corner; the searches see validation alone. Writes FOLDER/searches.json and .png.
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from paretoib.data._load import load_dataset
from paretoib.fronts import GrowingFront, hypervolume, nondominated
from paretoib.records import Reference, TrialRecord
from paretoib.search import DRIVERS, driver
from paretoib.specs import SweepSpec, with_overrides

# β, how noisy z is at the start, and the step size: what one would let a search vary.
SPACE = {
    "beta": "1e-5:1",
    "initial_noise": "0.0067:1",
    "learning_rate": "1e-4:1e-2",
}
SMALL = {"hidden": [64], "latent": 8}
SIZES = (6, 8, 12, 16, 24, 32, 48)

Curve = list[tuple[float, float]]  # (rate, lost), in bits, in the order of the proposals


def train(spec: SweepSpec) -> tuple[list[TrialRecord], float]:
    """Every trial that the spec's search proposes, trained; and the seconds spent on proposing."""
    import torch

    from paretoib.training import plan_packs, run_trials

    torch.set_num_threads(1)
    shape = load_dataset(spec.data.name, spec.data.params).shape
    proposing, records, of = 0.0, [], driver(spec)
    while True:
        started = time.perf_counter()
        over, asked = of.done, of.ask(10_000)
        proposing += time.perf_counter() - started
        if over:
            break
        ended: dict[str, TrialRecord] = {}
        for pack in plan_packs(asked, shape, workers=1, device="cpu"):
            ended |= {record.trial: record for record in run_trials(pack, device="cpu")}
        for trial in asked:
            record = ended[trial.key].model_copy(update={"history": {}})
            of.tell(record.model_copy(update={"test": None}))
            records.append(record)
    return records, proposing


def reference(dataset: str) -> Reference:
    """The usual corner of a data set."""
    found = load_dataset(dataset, SweepSpec.from_document({"data": dataset}).data.params)
    ceiling = found.entropies(found.test)[1] / math.log(2)
    return Reference(rate_bits=10 * ceiling, lost_bits=ceiling)


def one_budget(search: str, trials: int, epochs: int, seed: int) -> dict[str, Any]:
    """Hypervolume after each trial of one search with one seed."""
    document: dict[str, Any] = {"method": "vib", "search": search, "seeds": [seed]}
    if search == "grid":
        document["grid"] = {"beta": f"1e-5:1:{trials}"}
    elif search == "adaptive":
        document["trials"] = trials
    else:
        document |= {"trials": trials, "space": SPACE}
    spec = with_overrides(document, {**SMALL, "epochs": epochs})
    records, proposing = train(spec)
    growing = GrowingFront(reference("digits"))
    volumes = [growing.add(record) for record in records]
    return {"search": search, "seed": seed, "hypervolumes": volumes, "proposing_s": proposing}


def one_gap(dataset: str, search: str, trials: int, epochs: int, seed: int) -> dict[str, Any]:
    """The trials of a grid of β, or of `adaptive`, as points in the order of the proposals."""
    document: dict[str, Any] = {"method": "vib", "data": dataset, "search": search, "seeds": [seed]}
    if search == "grid":
        document["grid"] = {"beta": f"1e-5:1:{trials}"}
    else:
        document["trials"] = trials
    settings = {"epochs": epochs} if dataset == "gaussian" else {**SMALL, "epochs": epochs}
    records, _ = train(with_overrides(document, settings))
    points = [(r.test.rate_bits, r.test.lost_bits) for r in records if r.test is not None]
    return {
        "dataset": dataset, "search": search, "trials": trials, "seed": seed, "points": points,
    }  # fmt: skip


def largest_gap(points: Curve, corner: Reference) -> float:
    """Between neighbours on the front, both axes in units of the corner; its ends included.

    The ends are rate 0 with everything lost, and the front's own best relevance.
    """
    plane = np.array([p for p in points if p[0] is not None]).reshape(-1, 2)
    front = plane[nondominated(plane)]
    front = np.concatenate([[[0.0, corner.lost_bits]], front[front[:, 0].argsort()]])
    scaled = front / [corner.rate_bits, corner.lost_bits]
    return float(np.linalg.norm(np.diff(scaled, axis=0), axis=1).max())


def volume(points: Curve, corner: Reference) -> float:
    """Hypervolume in bits²."""
    return hypervolume(np.array(points), (corner.rate_bits, corner.lost_bits))


def jobs_of_budget(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """(function, arguments) of every training."""
    for seed in range(args.repeats):
        for search in DRIVERS:
            yield one_budget, search, args.trials, args.epochs, seed


def jobs_of_gaps(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """(function, arguments) of every training."""
    for seed in range(args.repeats):
        for dataset in ("digits", "gaussian"):
            for size in SIZES:
                for search in ("grid", "adaptive"):
                    yield one_gap, dataset, search, size, args.epochs, seed


def measure(jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[dict[str, Any]]:
    """All trainings, some at a time."""
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(*job) for job in jobs]
        for i, future in enumerate(futures, 1):
            yield future.result()
            print(f"{i}/{len(futures)}", *jobs[i - 1][1:], flush=True)


def main() -> None:
    """Measure or draw what is asked for."""
    parser = argparse.ArgumentParser(description="The searches, side by side.")
    parser.add_argument("part", choices=("budget", "gaps", "draw"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part != "draw":
        started = time.perf_counter()
        jobs = list((jobs_of_budget if args.part == "budget" else jobs_of_gaps)(args))
        rows = []
        for row in measure(jobs, args.workers):
            rows.append(row)
            # Each time: it takes long, and may be stopped when it has enough.
            document = {
                "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
                "trials": args.trials, "epochs": args.epochs, "repeats": args.repeats,
                "seconds": time.perf_counter() - started, "rows": rows,
            }  # fmt: skip
            (args.out / f"searches-{args.part}.json").write_text(json.dumps(document))
    draw(args.out)


def draw(folder: Path) -> None:
    """The pictures and the tables of what has been measured."""
    if (found := folder / "searches-budget.json").exists():
        draw_budget(json.loads(found.read_text()), folder / "searches.png")
    if (found := folder / "searches-gaps.json").exists():
        draw_gaps(json.loads(found.read_text()), folder / "adaptive.png")


def draw_budget(measured: dict[str, Any], path: Path) -> None:
    """Mean hypervolume against trials, with the 95 % interval of the mean; a table on stdout."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    searches = list(dict.fromkeys(row["search"] for row in measured["rows"]))
    ranking = []
    for i, search in enumerate(searches):
        rows = [row for row in measured["rows"] if row["search"] == search]
        volumes = np.array([row["hypervolumes"] for row in rows])
        mean, half = interval(volumes)
        trials = np.arange(1, volumes.shape[1] + 1)
        colour, alone = plt.get_cmap("tab20")(i), search in ("grid", "adaptive")
        axes.plot(trials, mean, label=search, color=colour, linestyle="--" if alone else "-")
        # Where generations end, side by side.
        at = np.arange(7, len(trials), 8)
        apart = 0.25 * (i - len(searches) / 2)
        axes.errorbar(trials[at] + apart, mean[at], half[at], fmt="none", ecolor=colour)
        proposing = np.mean([row["proposing_s"] for row in rows]) / volumes.shape[1]
        third = volumes.shape[1] // 3
        ranking.append((mean[-1], half[-1], mean[third - 1], 1e3 * proposing, search))
    axes.set(xlabel="trials", ylabel="hypervolume, bits²")
    axes.set_ylim(bottom=0.6 * max(mean for mean, *_ in ranking))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    print("| search | hypervolume, bits² | after a third of the trials | proposing, ms a trial |")
    print("|---|---|---|---|")
    for mean, half, early, proposing, search in sorted(ranking, reverse=True):
        print(f"| `{search}` | {mean:.2f} ± {half:.2f} | {early:.2f} | {proposing:.1f} |")


def draw_gaps(measured: dict[str, Any], path: Path) -> None:
    """Largest gap and hypervolume against trials, for a grid and for `adaptive`, each data set."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained", sharex=True)
    means: dict[tuple[str, str], np.ndarray] = {}  # of gap and hypervolume, (2, sizes)
    print("| data | search | trials | largest gap | hypervolume, bits² |\n|---|---|---|---|---|")
    for column, dataset in enumerate(("gaussian", "digits")):
        corner = reference(dataset)
        for search, marker in (("grid", "o"), ("adaptive", "s")):
            gaps, volumes = [], []
            for size in SIZES:
                rows = [
                    row["points"]
                    for row in measured["rows"]
                    if (row["dataset"], row["search"], row["trials"]) == (dataset, search, size)
                ]
                gaps.append(interval(np.array([[largest_gap(p, corner)] for p in rows])))
                volumes.append(interval(np.array([[volume(p, corner)] for p in rows])))
                (gap, _), (reached, half) = gaps[-1], volumes[-1]
                print(
                    f"| `{dataset}` | `{search}` | {size} | {gap[0]:.3f} "
                    f"| {reached[0]:.2f} ± {half[0]:.2f} |"
                )
            means[dataset, search] = np.array(
                [[float(mean[0]) for mean, _ in values] for values in (gaps, volumes)]
            )
            for panel, values in zip(panels[:, column], (gaps, volumes), strict=True):
                mean, half = (np.concatenate(part) for part in zip(*values, strict=True))
                panel.errorbar(SIZES, mean, half, marker=marker, capsize=3, label=search)
        panels[0, column].set_title(dataset)
        panels[1, column].set_xlabel("trials")
    panels[0, 0].set_ylabel("largest gap, share of the axes")
    panels[1, 0].set_ylabel("hypervolume, bits²")
    for panel in panels.flat:
        panel.set_xscale("log", base=2)
        panel.set_xticks(SIZES, [str(size) for size in SIZES])
        panel.grid(alpha=0.25)
    panels[0, 0].legend()
    figure.savefig(path, dpi=110)
    print("\n| data | trials of the grid | of adaptive, same gap | same hypervolume |")
    print("|---|---|---|---|")
    for dataset in ("gaussian", "digits"):
        grid, adaptive = means[dataset, "grid"], means[dataset, "adaptive"]
        for i, size in enumerate(SIZES):
            gap = as_good(-grid[0, i], -adaptive[0])
            covered = as_good(grid[1, i], adaptive[1])
            if gap > SIZES[0] and covered > SIZES[0]:
                print(f"| `{dataset}` | {size} | {gap:.1f} | {covered:.1f} |")


def as_good(aim: float, reached: np.ndarray) -> float:
    """How many trials reach `aim`, interpolated between the `SIZES` on their logarithm."""
    return float(np.exp(np.interp(aim, reached, np.log(SIZES))))


def interval(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis, and half the width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    count = len(rows)
    if count == 1:
        return rows[0], np.zeros_like(rows[0])
    return rows.mean(0), t.ppf(0.975, count - 1) * rows.std(0, ddof=1) / math.sqrt(count)


if __name__ == "__main__":
    main()
