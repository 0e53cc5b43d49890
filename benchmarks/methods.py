"""Compare all methods on one data set, with a picture of all fronts and a table.

    python benchmarks/methods.py --data digits --out docs/results
    python benchmarks/methods.py --data fashion_mnist --set subset=0.05 --out FOLDER

The benchmark runs a sweep for each method, as `paretoib sweep` does, and uses the store in the
settings. A sweep that has finished in this store is not run again. Methods that cannot use the data
set are skipped with a message.
"""

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paretoib.errors import NotFoundError, SpecError
from paretoib.fronts import hypervolume, nondominated
from paretoib.records import Front, Point
from paretoib.settings import settings
from paretoib.specs import METHODS, SweepSpec, parse_value, with_overrides

LOWEST_RATE = 0.1  # bits; left end of the picture
PANELS = {
    "MIB and its ablations": (
        *("mib", "mib_exact", "mib_no_adaptive", "mib_no_smooth", "mib_no_sqrted", "vib_adaptive"),
        "mgda",
    ),
    "other weightings": (
        *("unit_sum", "upgrad", "cagrad", "aligned_mtl", "famo", "dwa", "random"),
    ),
    "a grid of preferences": ("epo", "smooth_chebyshev"),
    "a grid of β: KL, its square, pairwise bounds, MMD": (
        *("vib", "vib_squared", "nib", "nib_squared", "vim"),
    ),
    "a grid of β: the terms that uib compares": (
        *("l2", "log_var", "log_var_given_y", "dib", "ceb", "categorical"),
    ),
    "binary layers": ("imb_joint", "imb_greedy", "sfnn", "det"),
    "a grid of β, as in mtvib (Adam at 1e-4)": ("mtvib", "stvib"),
}


def run_sweeps(specs: Iterable[SweepSpec]) -> Iterator[Front]:
    """Yield the front of each sweep; run the sweeps that the store does not have as finished."""
    from jobs.cluster import load_ray, ray_instance
    from jobs.sweep import run_sweep
    from paretoib.tracking import read_front, tracker

    load_ray(settings())
    with ray_instance(settings()):
        for spec in specs:
            store = tracker()
            try:
                stored = store.find(spec.name)
            except NotFoundError:
                stored = None
            if stored and stored.status == "finished" and same_sweep(stored.spec, spec):
                yield read_front(store, stored)
                continue
            started = time.monotonic()
            front = run_sweep(spec)
            print(f"{spec.name}: {time.monotonic() - started:.0f} s", flush=True)
            yield front


def same_sweep(document: Mapping[str, Any], spec: SweepSpec) -> bool:
    """Whether a stored spec describes the same sweep; fields that it lacks have their defaults."""
    try:
        return SweepSpec.from_document(document) == spec
    except SpecError:
        return False


def method_specs(args: argparse.Namespace) -> Iterator[SweepSpec]:
    """Yield the sweep of each method that learns from this data set."""
    for method in METHODS:
        try:
            yield sweep_spec(method, args)
        except SpecError as error:
            print(f"skipped {method}: {error}", flush=True)


def sweep_spec(
    method: str, args: argparse.Namespace, *, trials: int = 0, first_seed: int = 0
) -> SweepSpec:
    """A sweep with the method's default search, and settings for every seed.

    There are `trials` settings (0: `args.trials`), or one if the method's default varies only the
    seed. The seeds are `args.seeds` numbers from `first_seed`.
    """
    options = dict(pair.split("=", 1) for pair in args.set)
    fields = {name: parse_value(text) for name, text in options.items()} | {"epochs": args.epochs}
    seeds = list(range(first_seed, first_seed + args.seeds))
    document = {"method": method, "data": args.data, "seeds": seeds}
    parts = ("methods", method, args.data, trials or "", f"seed-{first_seed}" * bool(first_seed))
    document["name"] = "-".join(str(part) for part in parts if part)
    spec = with_overrides(document, fields)
    if spec.trials == args.seeds:  # only the seed varies
        return spec
    return with_overrides(document | {"trials": (trials or args.trials) * args.seeds}, fields)


def points_of_seed(front: Front, seed: int) -> list[Point]:
    """The points of one seed with a finite rate."""
    return [p for p in front.points if p.seed == seed and p.rate_bits is not None]


def coordinates(points: list[Point]) -> np.ndarray:
    """(rate, lost) in bits, one row per point."""
    return np.array([(p.rate_bits, p.lost_bits) for p in points]).reshape(-1, 2)


def volume(front: Front, points: list[Point]) -> float:
    """The hypervolume of some points of a front, in bits²."""
    return hypervolume(coordinates(points), (front.reference.rate_bits, front.reference.lost_bits))


def interval(values: list[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values)), float(half)


def table(fronts: list[Front], seeds: int) -> str:
    """A Markdown table with a row for each method, in descending order of hypervolume."""
    rows = []
    for front in fronts:
        mean, half = interval([volume(front, points_of_seed(front, seed)) for seed in range(seeds)])
        accuracy = max((p.accuracy or 0.0 for p in front.points), default=0.0)
        lost = min((p.lost_bits for p in front.points), default=math.nan)
        rates = [p.rate_bits for p in front.points if p.rate_bits is not None]
        span = f"{min(rates):.1f} – {max(rates):.1f}" if rates else "not finite"
        text = f"{mean:.1f} ± {half:.1f}" if rates else "–"
        cells = (span, f"{lost:.3f}", f"{100 * accuracy:.1f}")
        rows.append((mean, f"| `{front.sweep.method}` | {text} | {' | '.join(cells)} |"))
    header = (
        "| method | hypervolume, bits² | rates, bits | least lost, bits | best accuracy, % |\n"
        "|---|---|---|---|---|"
    )
    return "\n".join([header, *(row for _, row in sorted(rows, key=lambda row: -row[0]))])


def draw(fronts: list[Front], seeds: int, path: Path) -> None:
    """Draw the fronts of the methods with a finite rate, with a panel for each kind of method.

    A line gives the least lost bits of all trials up to a rate: the median over seeds. The band
    around the line goes from the minimum to the maximum over seeds. Dots are the trials on the
    fronts of single seeds. The grey line is the minimum over all methods and seeds.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    finite = [f for f in fronts if any(p.rate_bits is not None for p in f.points)]
    panels = {
        title: [f for f in finite if f.sweep.method in names] for title, names in PANELS.items()
    }
    panels = {title: panel_fronts for title, panel_fronts in panels.items() if panel_fronts}
    all_points = [p for f in finite for p in f.points if p.rate_bits is not None]
    ceiling = finite[0].label_entropy_bits
    highest_rate = max(p.rate_bits or 0.0 for p in all_points)
    rates = np.geomspace(LOWEST_RATE, 1.5 * highest_rate, 600)
    best = least_lost(all_points, rates, ceiling)

    rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(12, 4.2 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for ax, (title, panel_fronts) in zip(axes, panels.items(), strict=False):
        ax.step(rates, best, color="0.7", linewidth=3, where="post", label="best of all methods")
        for front, colour in zip(panel_fronts, colours, strict=False):
            by_seed = [points_of_seed(front, seed) for seed in range(seeds)]
            curves = np.array([least_lost(points, rates, ceiling) for points in by_seed])
            ends = curves.min(0), curves.max(0)
            ax.fill_between(rates, *ends, step="post", color=colour, alpha=0.15, lw=0)
            ax.step(
                rates, np.median(curves, 0), color=colour, where="post", label=front.sweep.method
            )
            for points in map(coordinates, by_seed):
                ax.plot(*points[nondominated(points)].T, ".", color=colour, ms=4)
        if exact := finite[0].exact:
            ax.plot(exact.rate_bits, exact.lost_bits, "k:", label=exact.label)
        ax.set_title(title, fontsize=11)
        ax.grid(alpha=0.25)
        ax.legend(fontsize=8, frameon=False, loc="lower left")
    for ax in axes[len(panels) :]:
        ax.remove()
    for ax in axes[len(panels) - 2 : len(panels)]:
        ax.tick_params(labelbottom=True)
    axes[0].set_xscale("log")
    axes[0].set_xlim(LOWEST_RATE, rates[-1])
    figure.supxlabel("rate I(X;Z), bits")
    figure.supylabel("lost bits, H(Y) − relevance")
    figure.suptitle(f"All methods on {finite[0].sweep.dataset}, test split, {seeds} seeds")
    figure.savefig(path)


def least_lost(points: list[Point], rates: np.ndarray, ceiling: float) -> np.ndarray:
    """The least lost bits of the points up to each rate; `ceiling` if there is no such point."""
    by_rate = sorted((p.rate_bits or 0.0, p.lost_bits) for p in points)
    least = np.minimum.accumulate([ceiling, *(lost for _, lost in by_rate)])
    return least[np.searchsorted([rate for rate, _ in by_rate], rates, side="right")]


def arguments(description: str) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the picture")
    parser.add_argument("--trials", type=int, default=8, help="settings for each seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    return parser.parse_args()


def main() -> None:
    """Run the sweeps, draw the picture and print the table."""
    args = arguments("Compare all methods on one data set.")
    all_fronts = list(run_sweeps(method_specs(args)))
    args.out.mkdir(parents=True, exist_ok=True)
    draw(all_fronts, args.seeds, args.out / f"methods-{args.data}.png")
    print(table(all_fronts, args.seeds))


if __name__ == "__main__":
    main()
