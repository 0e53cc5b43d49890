"""Compare all searches with an equal number of trials, and `adaptive` with grids.

    python benchmarks/searches.py budget --out FOLDER     run every search with equal budgets
    python benchmarks/searches.py gaps --out FOLDER       run `adaptive` and log-spaced grids of β
    python benchmarks/searches.py gaps --method mib …     the same for the iterations of MIB
    python benchmarks/searches.py draw --out FOLDER       draw the pictures from saved numbers

Each search trains its trials with `run_trials`, in a process with one thread and without Ray, so
that only the choice of trials differs. Hypervolumes (bits²) are measured on the test split, with
the default reference point; the searches receive only validation metrics. The numbers and the
pictures are written to FOLDER: searches-budget.json, searches-gaps-METHOD.json, searches.png and
adaptive-METHOD.png.
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
GAP_DATASETS = {"vib": ("gaussian", "digits"), "mib": ("digits",)}  # by method

Points = list[tuple[float, float]]  # (rate, lost) of each trial, in bits


def train(spec: SweepSpec) -> tuple[list[TrialRecord], float]:
    """Train the trials that the spec's search proposes.

    Returns the records of the trials, and the seconds that the driver took to propose the trials.
    """
    import torch

    from paretoib.training import plan_packs, run_trials

    torch.set_num_threads(1)
    shape = load_dataset(spec.data.name, spec.data.params).shape
    proposal_seconds, records, proposer = 0.0, [], driver(spec)
    while True:
        started = time.perf_counter()
        done, trials = proposer.done, proposer.ask(10_000)
        proposal_seconds += time.perf_counter() - started
        if done:
            break
        ended: dict[str, TrialRecord] = {}
        for pack in plan_packs(trials, shape, workers=1, device="cpu"):
            ended |= {record.trial: record for record in run_trials(pack, device="cpu")}
        for trial in trials:
            record = ended[trial.key].model_copy(update={"history": {}})
            proposer.tell(record.model_copy(update={"test": None}))
            records.append(record)
    return records, proposal_seconds


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
    records, proposal_seconds = train(spec)
    front = GrowingFront(default_reference("digits"))
    volumes = [front.add(record) for record in records]
    return {
        "search": search, "seed": seed, "hypervolumes": volumes,
        "proposing_s": proposal_seconds,
    }  # fmt: skip


def run_gap_search(
    method: str, dataset: str, search: str, trials: int, epochs: int, seed: int
) -> dict[str, Any]:
    """The points (rate, lost) of a grid, or of `adaptive`, in the order of the proposals.

    The grid has log-spaced β for `vib`, and log-spaced T with both values of `sqrted` for `mib`.
    """
    document: dict[str, Any] = {"method": method, "data": dataset}
    document |= {"search": search, "seeds": [seed]}
    if search == "grid" and method == "vib":
        document["grid"] = {"beta": f"1e-5:1:{trials}"}
    elif search == "grid":
        iterations = np.geomspace(2, 200, trials // 2).round().astype(int).tolist()
        document["grid"] = {"iterations": iterations, "sqrted": [0, 1]}
    else:
        document["trials"] = trials
    settings = {"epochs": epochs} if dataset == "gaussian" else {**SMALL, "epochs": epochs}
    records, _ = train(with_overrides(document, settings))
    points = [(r.test.rate_bits, r.test.lost_bits) for r in records if r.test is not None]
    return {
        "dataset": dataset, "search": search, "trials": trials, "seed": seed, "points": points,
    }  # fmt: skip


def largest_gap(points: Points, reference: ReferencePoint) -> float:
    """The largest distance between neighbouring points of the front.

    Rate and lost bits are divided by those of the reference point. The point with rate 0 and all
    bits lost is added to the front.
    """
    finite = np.array([p for p in points if p[0] is not None]).reshape(-1, 2)
    front = finite[nondominated(finite)]
    front = np.concatenate([[[0.0, reference.lost_bits]], front[front[:, 0].argsort()]])
    scaled = front / [reference.rate_bits, reference.lost_bits]
    return float(np.linalg.norm(np.diff(scaled, axis=0), axis=1).max())


def volume(points: Points, reference: ReferencePoint) -> float:
    """The hypervolume of the points, in bits²."""
    return hypervolume(np.array(points), (reference.rate_bits, reference.lost_bits))


def budget_tasks(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """A tuple (function, *arguments) for each measurement of `budget`."""
    for seed in range(args.repeats):
        for search in DRIVERS:
            yield run_search, search, args.trials, args.epochs, seed


def gap_tasks(args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """A tuple (function, *arguments) for each measurement of `gaps`."""
    for seed in range(args.repeats):
        for dataset in GAP_DATASETS[args.method]:
            for size in SIZES:
                for search in ("grid", "adaptive"):
                    yield run_gap_search, args.method, dataset, search, size, args.epochs, seed


def measure(tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[dict[str, Any]]:
    """The results of all tasks, run in a process pool."""
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(*task) for task in tasks]
        for i, future in enumerate(futures, 1):
            yield future.result()
            print(f"{i}/{len(futures)}", *tasks[i - 1][1:], flush=True)


def main() -> None:
    """Run the measurements of one part, or only draw."""
    parser = argparse.ArgumentParser(description="Compare the searches.")
    parser.add_argument("part", choices=("budget", "gaps", "draw"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", choices=GAP_DATASETS, default="vib", help="of part `gaps`")
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
            # The file is written after each task, so that an interrupted run keeps its results.
            document = {
                "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
                "trials": args.trials, "epochs": args.epochs, "repeats": args.repeats,
                "seconds": time.perf_counter() - started, "rows": rows,
            }  # fmt: skip
            part = "budget" if args.part == "budget" else f"gaps-{args.method}"
            (args.out / f"searches-{part}.json").write_text(json.dumps(document))
    draw(args.out)


def draw(folder: Path) -> None:
    """Draw the pictures and print the tables of the numbers in the folder."""
    if (file := folder / "searches-budget.json").exists():
        draw_budget(json.loads(file.read_text()), folder / "searches.png")
    for method, datasets in GAP_DATASETS.items():
        if (file := folder / f"searches-gaps-{method}.json").exists():
            draw_gaps(json.loads(file.read_text()), datasets, folder / f"adaptive-{method}.png")


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
        proposal_seconds = np.mean([row["proposing_s"] for row in rows]) / volumes.shape[1]
        third = volumes.shape[1] // 3
        ranking.append((mean[-1], half[-1], mean[third - 1], 1e3 * proposal_seconds, search))
    axes.set(xlabel="trials", ylabel="hypervolume, bits²")
    axes.set_ylim(bottom=0.6 * max(mean for mean, *_ in ranking))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    print(
        "| search | hypervolume, bits² | hypervolume after a third of the trials, bits² "
        "| time to propose a trial, ms |"
    )
    print("|---|---|---|---|")
    for mean, half, early, proposal_ms, search in sorted(ranking, reverse=True):
        print(f"| `{search}` | {mean:.2f} ± {half:.2f} | {early:.2f} | {proposal_ms:.1f} |")


def draw_gaps(measured: dict[str, Any], datasets: Sequence[str], path: Path) -> None:
    """Draw largest gap and hypervolume against trials for `grid` and `adaptive`; print tables."""
    import matplotlib.pyplot as plt

    size = (4.5 * len(datasets), 6.5)
    figure, panels = plt.subplots(
        2, len(datasets), figsize=size, layout="constrained", sharex=True, squeeze=False
    )
    # By data set and search: means of largest gap and hypervolume, of shape (2, sizes).
    means: dict[tuple[str, str], np.ndarray] = {}
    print("| data | search | trials | largest gap | hypervolume, bits² |\n|---|---|---|---|---|")
    for column, dataset in enumerate(datasets):
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
                (gap, _), (mean_volume, half) = gaps[-1], volumes[-1]
                print(
                    f"| `{dataset}` | `{search}` | {size} | {gap[0]:.3f} "
                    f"| {mean_volume[0]:.2f} ± {half[0]:.2f} |"
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
    print(
        "\n| data | trials of the grid | trials of `adaptive` for the same largest gap "
        "| trials of `adaptive` for the same hypervolume |"
    )
    print("|---|---|---|---|")
    for dataset in datasets:
        grid, adaptive = means[dataset, "grid"], means[dataset, "adaptive"]
        for i, size in enumerate(SIZES):
            # Gaps are negated, because `trials_for` needs results that increase.
            for_gap = trials_for(-grid[0, i], -adaptive[0])
            for_volume = trials_for(grid[1, i], adaptive[1])
            if for_gap > SIZES[0] and for_volume > SIZES[0]:
                print(f"| `{dataset}` | {size} | {for_gap:.1f} | {for_volume:.1f} |")


def trials_for(target: float, results: np.ndarray) -> float:
    """The number of trials with the result `target`, interpolated on the logarithm of `SIZES`.

    `results` has a value for each of `SIZES`, in increasing order.
    """
    return float(np.exp(np.interp(target, results, np.log(SIZES))))


def interval(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the first axis, and half the width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    count = len(rows)
    if count == 1:
        return rows[0], np.zeros_like(rows[0])
    return rows.mean(0), t.ppf(0.975, count - 1) * rows.std(0, ddof=1) / math.sqrt(count)


if __name__ == "__main__":
    main()
