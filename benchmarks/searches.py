"""Compare all searches with an equal number of trials, and `adaptive` with grids of β.

    python benchmarks/searches.py budget --out FOLDER     every search, hypervolume against trials
    python benchmarks/searches.py gaps --out FOLDER       `adaptive` and log-spaced grids of β
    python benchmarks/searches.py draw --out FOLDER       both pictures again, from the numbers

Each search trains its trials with `run_trials`, in a process with one thread and without Ray, so
that only the choice of trials differs. Hypervolumes (bits²) are measured on the test split, with
the default reference point; the searches receive only validation metrics. The numbers and the
pictures are written to FOLDER: searches-budget.json, searches-gaps.json, searches.png and
adaptive.png.
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

from paretoib.data import load_dataset
from paretoib.fronts import GrowingFront, hypervolume, nondominated
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.search import DRIVERS, driver
from paretoib.specs import SweepSpec, with_overrides

# The space of the searches other than `grid` and `adaptive`.
SPACE = {
    "beta": "1e-5:1",
    "initial_noise": "0.0067:1",
    "learning_rate": "1e-4:1e-2",
}
SMALL = {"hidden": [64], "latent": 8}
SIZES = (6, 8, 12, 16, 24, 32, 48)

Curve = list[tuple[float, float]]  # (rate, lost), in bits, in the order of the proposals


def train(spec: SweepSpec) -> tuple[list[TrialRecord], float]:
    """Train the trials that the spec's search proposes; their records, and the driver's seconds."""
    import torch

    from paretoib.training import plan_packs, run_trials

    torch.set_num_threads(1)
    shape = load_dataset(spec.data.name, spec.data.params).shape
    proposing, records, search = 0.0, [], driver(spec)
    while True:
        started = time.perf_counter()
        done, trials = search.done, search.ask(10_000)
        proposing += time.perf_counter() - started
        if done:
            break
        ended: dict[str, TrialRecord] = {}
        for pack in plan_packs(trials, shape, workers=1, device="cpu"):
            ended |= {record.trial: record for record in run_trials(pack, device="cpu")}
        for trial in trials:
            record = ended[trial.key].model_copy(update={"history": {}})
            search.tell(record.model_copy(update={"test": None}))
            records.append(record)
    return records, proposing


def default_reference(name: str) -> ReferencePoint:
    """The default reference point of a data set."""
    dataset = load_dataset(name, SweepSpec.from_document({"data": name}).data.params)
    ceiling = dataset.entropies(dataset.test)[1] / math.log(2)
    return ReferencePoint(rate_bits=10 * ceiling, lost_bits=ceiling)


def run_search(search: str, trials: int, epochs: int, seed: int) -> dict[str, Any]:
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
    front = GrowingFront(default_reference("digits"))
    volumes = [front.add(record) for record in records]
    return {"search": search, "seed": seed, "hypervolumes": volumes, "proposing_s": proposing}


def run_beta_search(
    dataset: str, search: str, trials: int, epochs: int, seed: int
) -> dict[str, Any]:
    """The points (rate, lost) of a grid of β, or of `adaptive`, in the order of the proposals."""
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


def largest_gap(points: Curve, reference: ReferencePoint) -> float:
    """The largest distance between neighbouring points of the front.

    Rate and lost bits are divided by the reference point. Rate 0 with all bits lost counts as a
    point of the front.
    """
    plane = np.array([p for p in points if p[0] is not None]).reshape(-1, 2)
    front = plane[nondominated(plane)]
    front = np.concatenate([[[0.0, reference.lost_bits]], front[front[:, 0].argsort()]])
    scaled = front / [reference.rate_bits, reference.lost_bits]
    return float(np.linalg.norm(np.diff(scaled, axis=0), axis=1).max())


def volume(points: Curve, reference: ReferencePoint) -> float:
    """Hypervolume in bits²."""
    return hypervolume(np.array(points), (reference.rate_bits, reference.lost_bits))


def budget_tasks(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """(function, *arguments) of every measurement for `budget`."""
    for seed in range(args.repeats):
        for search in DRIVERS:
            yield run_search, search, args.trials, args.epochs, seed


def gap_tasks(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """(function, *arguments) of every measurement for `gaps`."""
    for seed in range(args.repeats):
        for dataset in ("digits", "gaussian"):
            for size in SIZES:
                for search in ("grid", "adaptive"):
                    yield run_beta_search, dataset, search, size, args.epochs, seed


def measure(tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[dict[str, Any]]:
    """The results of all tasks, run in a process pool."""
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(*task) for task in tasks]
        for i, future in enumerate(futures, 1):
            yield future.result()
            print(f"{i}/{len(futures)}", *tasks[i - 1][1:], flush=True)


def main() -> None:
    """Measure or draw, as the arguments say."""
    parser = argparse.ArgumentParser(description="Compare the searches.")
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
        tasks = list((budget_tasks if args.part == "budget" else gap_tasks)(args))
        rows = []
        for row in measure(tasks, args.workers):
            rows.append(row)
            # Written after each task, so that an interrupted run keeps its results.
            document = {
                "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
                "trials": args.trials, "epochs": args.epochs, "repeats": args.repeats,
                "seconds": time.perf_counter() - started, "rows": rows,
            }  # fmt: skip
            (args.out / f"searches-{args.part}.json").write_text(json.dumps(document))
    draw(args.out)


def draw(folder: Path) -> None:
    """Draw the pictures and print the tables of all numbers in the folder."""
    if (file := folder / "searches-budget.json").exists():
        draw_budget(json.loads(file.read_text()), folder / "searches.png")
    if (file := folder / "searches-gaps.json").exists():
        draw_gaps(json.loads(file.read_text()), folder / "adaptive.png")


def draw_budget(measured: dict[str, Any], path: Path) -> None:
    """Draw mean hypervolume against trials, with 95 % intervals, and print a table."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    searches = list(dict.fromkeys(row["search"] for row in measured["rows"]))
    ranking = []
    for i, search in enumerate(searches):
        rows = [row for row in measured["rows"] if row["search"] == search]
        volumes = np.array([row["hypervolumes"] for row in rows])
        mean, half = interval(volumes)
        trials = np.arange(1, volumes.shape[1] + 1)
        colour, only_beta = plt.get_cmap("tab20")(i), search in ("grid", "adaptive")
        axes.plot(trials, mean, label=search, color=colour, linestyle="--" if only_beta else "-")
        # Intervals at the ends of generations, shifted so that they do not overlap.
        ends = np.arange(7, len(trials), 8)
        shift = 0.25 * (i - len(searches) / 2)
        axes.errorbar(trials[ends] + shift, mean[ends], half[ends], fmt="none", ecolor=colour)
        proposing = np.mean([row["proposing_s"] for row in rows]) / volumes.shape[1]
        third = volumes.shape[1] // 3
        ranking.append((mean[-1], half[-1], mean[third - 1], 1e3 * proposing, search))
    axes.set(xlabel="trials", ylabel="hypervolume, bits²")
    axes.set_ylim(bottom=0.6 * max(mean for mean, *_ in ranking))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    print(
        "| search | hypervolume, bits² | after a third of the trials "
        "| time to propose a trial, ms |"
    )
    print("|---|---|---|---|")
    for mean, half, early, proposing, search in sorted(ranking, reverse=True):
        print(f"| `{search}` | {mean:.2f} ± {half:.2f} | {early:.2f} | {proposing:.1f} |")


def draw_gaps(measured: dict[str, Any], path: Path) -> None:
    """Draw largest gap and hypervolume against trials for `grid` and `adaptive`; print tables."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained", sharex=True)
    means: dict[tuple[str, str], np.ndarray] = {}  # means of gap and hypervolume, (2, sizes)
    print("| data | search | trials | largest gap | hypervolume, bits² |\n|---|---|---|---|---|")
    for column, dataset in enumerate(("gaussian", "digits")):
        reference = default_reference(dataset)
        for search, marker in (("grid", "o"), ("adaptive", "s")):
            gaps, volumes = [], []
            for size in SIZES:
                rows = [
                    row["points"]
                    for row in measured["rows"]
                    if (row["dataset"], row["search"], row["trials"]) == (dataset, search, size)
                ]
                gaps.append(interval(np.array([[largest_gap(p, reference)] for p in rows])))
                volumes.append(interval(np.array([[volume(p, reference)] for p in rows])))
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
    panels[0, 0].set_ylabel("largest gap, share of the reference point")
    panels[1, 0].set_ylabel("hypervolume, bits²")
    for panel in panels.flat:
        panel.set_xscale("log", base=2)
        panel.set_xticks(SIZES, [str(size) for size in SIZES])
        panel.grid(alpha=0.25)
    panels[0, 0].legend()
    figure.savefig(path, dpi=110)
    print("\n| data | trials of grid | trials of adaptive, equal gap | equal hypervolume |")
    print("|---|---|---|---|")
    for dataset in ("gaussian", "digits"):
        grid, adaptive = means[dataset, "grid"], means[dataset, "adaptive"]
        for i, size in enumerate(SIZES):
            for_gap = trials_for(-grid[0, i], -adaptive[0])
            for_volume = trials_for(grid[1, i], adaptive[1])
            if for_gap > SIZES[0] and for_volume > SIZES[0]:
                print(f"| `{dataset}` | {size} | {for_gap:.1f} | {for_volume:.1f} |")


def trials_for(target: float, reached: np.ndarray) -> float:
    """The number of trials that reach `target`, interpolated on the logarithm of `SIZES`."""
    return float(np.exp(np.interp(target, reached, np.log(SIZES))))


def interval(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the first axis, and half the width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    count = len(rows)
    if count == 1:
        return rows[0], np.zeros_like(rows[0])
    return rows.mean(0), t.ppf(0.975, count - 1) * rows.std(0, ddof=1) / math.sqrt(count)


if __name__ == "__main__":
    main()
