"""Compare MIB and other weightings with a grid of β, all with VIB's losses.

    python benchmarks/weightings.py --data digits --seeds 5 --out docs/results

A sweep of `vib` with 16 values of β is the baseline. Weightings that move along the front
(`mib`, `epo`, `smooth_chebyshev`) are compared with it by hypervolume, the others by their distance
to its front, as `paretoib compare` does. The benchmark also counts the settings whose mean over
seeds lies below the baseline's hull by more than noise. As a control, it counts them for `vib` with
other seeds. The sweeps are those of methods.py, which runs them in the store of the settings.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from methods import arguments, coordinates, interval, points_of_seed, run_sweeps, sweep_spec, volume

from paretoib.fronts import Reachability, compare, nondominated, reachability
from paretoib.records import Front
from paretoib.specs import SweepSpec

GRID = 16  # settings for each seed of methods whose step has one backward pass
MOVING = ("mib", "epo", "smooth_chebyshev")
FIXED = (
    *("mib_exact", "mgda", "unit_sum", "upgrad", "cagrad", "aligned_mtl"),
    *("famo", "dwa", "random"),
)
LEVEL = 0.05


def specs(args: argparse.Namespace) -> Iterator[SweepSpec]:
    """Yield the baseline, the control, and a sweep of each weighting."""
    yield sweep_spec("vib", args, trials=GRID)
    yield sweep_spec("vib", args, trials=GRID, first_seed=args.seeds)
    for method in (*MOVING, *FIXED):
        yield sweep_spec(method, args, trials=GRID if method == "smooth_chebyshev" else 0)


def mean_points(front: Front) -> dict[tuple, np.ndarray]:
    """The points (rate, lost) of each setting, one row for each seed."""
    rows = defaultdict(list)
    for point in front.points:
        if point.rate_bits is not None:
            rows[tuple(sorted(map(str, point.params.items())))].append(
                (point.rate_bits, point.lost_bits)
            )
    return {key: np.array(values) for key, values in rows.items()}


def settings_below(front: Front, hull: Reachability) -> tuple[int, int]:
    """How many settings lie below the hull by more than noise, and how many were tested.

    A setting counts if the interval of its mean gap over seeds lies below 0 (Student's t, with
    Bonferroni's correction for the number of settings). Settings with a lower rate than the whole
    hull are not tested. The hull itself is taken as exact.
    """
    from scipy.stats import ttest_1samp

    tested = [
        rows[:, 1] - np.interp(rows[:, 0], *hull.vertices.T)
        for rows in mean_points(front).values()
        if len(rows) > 2 and rows[:, 0].min() >= hull.vertices[0, 0]
    ]
    below = [
        gaps
        for gaps in tested
        if ttest_1samp(gaps, 0, alternative="less").pvalue < LEVEL / 2 / len(tested)
    ]
    return len(below), len(tested)


def row(front: Front, baseline: Front, hull: Reachability, seeds: range) -> str:
    """A row of the table: where the points of a weighting end, against the baseline."""
    points = coordinates([p for p in front.points if p.rate_bits is not None])
    (low, least), (high, most) = points.min(0), points.max(0)
    below, tested = settings_below(front, hull)
    moving = front.sweep.method in (*MOVING, "vib")
    mean, half = interval([volume(front, points_of_seed(front, seed)) for seed in seeds])
    label = front.sweep.method if seeds.start == 0 else f"{front.sweep.method}, other seeds"
    cells = [
        f"`{label}`",
        f"{len(mean_points(front)) or len(points) // len(seeds)} × {len(seeds)}",
        f"{low:.1f} – {high:.1f}",
        f"{least:.3f} – {most:.3f}",
        f"{mean:.1f} ± {half:.1f}" if moving else "–",
        "–" if moving else distance(front, baseline),
        f"{below} of {tested}",
    ]
    return f"| {' | '.join(cells)} |"


def distance(front: Front, baseline: Front) -> str:
    """The mean additive ε of a weighting's points to the baseline's front, with its interval."""
    found = compare([front], [baseline]).indicators.front_distances["left"]
    if found.epsilon_interval is None:
        return f"{found.epsilon_bits:.3f}"
    ends = found.epsilon_interval
    return f"{found.epsilon_bits:.3f} ({ends.low:.3f} to {ends.high:.3f})"


def draw(fronts: list[Front], baseline: Front, hull: Reachability, path: Path) -> None:
    """Draw the mean of each setting over seeds, and the baseline's hull."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    panels = {
        "weightings that move along the front": MOVING,
        "weightings with one point for each start": FIXED,
    }
    grid = np.array([rows.mean(0) for rows in mean_points(baseline).values()])
    for ax, (title, names) in zip(axes, panels.items(), strict=True):
        ax.plot(*hull.vertices.T, color="0.6", linewidth=2, label="hull of the β grid")
        ax.plot(*grid[nondominated(grid)].T, "s", color="0.6", ms=4, label="vib")
        shown = [front for front in fronts if front.sweep.method in names]
        for front, colour in zip(shown, colours, strict=False):
            means = np.array([rows.mean(0) for rows in mean_points(front).values()])
            ax.plot(*means.T, "o", color=colour, ms=5, alpha=0.8, label=front.sweep.method)
        ax.set_title(title, fontsize=11)
        ax.grid(alpha=0.25)
        ax.legend(fontsize=8, frameon=False)
    axes[0].set_xscale("log")
    axes[0].set_xlim(left=0.1)
    figure.supxlabel("rate I(X;Z), bits")
    figure.supylabel("lost bits, H(Y) − relevance")
    figure.suptitle(f"Weightings of VIB's losses on {baseline.sweep.dataset}: means over seeds")
    figure.savefig(path)


def main() -> None:
    """Run the sweeps, draw the picture and print the table."""
    args = arguments("Compare weightings with a grid of β.")
    baseline, control, *fronts = run_sweeps(specs(args))
    hull = reachability([rows.mean(0) for rows in mean_points(baseline).values()])
    args.out.mkdir(parents=True, exist_ok=True)
    draw(fronts, baseline, hull, args.out / f"weightings-{args.data}.png")
    header = (
        "weighting | settings × seeds | rates, bits | lost, bits | hypervolume, bits² "
        "| distance to the front of the β grid, bits | settings below its hull"
    )
    print(f"| {header} |\n|{'---|' * (header.count('|') + 1)}")
    seeds = range(args.seeds)
    print(row(baseline, baseline, hull, seeds))
    print(row(control, baseline, hull, range(args.seeds, 2 * args.seeds)))
    for front in fronts:
        print(row(front, baseline, hull, seeds))


if __name__ == "__main__":
    main()
