"""Every method on one data set: all fronts on the one ruler, in one picture, and a table.

    python benchmarks/methods.py --data digits --out docs/results
    python benchmarks/methods.py --data fashion_mnist --set subset=0.05 --out FOLDER

A sweep a method, through `jobs` as `paretoib sweep` runs it, into the store of the settings, where
each can be looked at. One that has finished there is not run again. Methods that the data do not
suit (of several tasks, of a small discrete problem) are left out, and said to be.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from paretoib.errors import NotFoundError, SpecError
from paretoib.fronts import hypervolume, nondominated
from paretoib.records import Front, Point
from paretoib.settings import settings
from paretoib.specs import METHODS, SweepSpec, parse_value, with_overrides

LEAST_RATE = 0.1  # bits, where the picture begins
PANELS = {
    "adaptive weights": ("mib", "mib_no_adaptive", "mib_no_smooth", "mib_no_sqrted", "mgda"),
    "a grid of β: KL, its square, pairwise bounds, MMD": (
        *("vib", "vib_squared", "nib", "nib_squared", "vim"),
    ),
    "a grid of β: the terms that uib compares": (
        *("l2", "log_var", "log_var_given_y", "dib", "ceb", "categorical"),
    ),
    "binary layers": ("imb_joint", "imb_greedy", "sfnn", "det"),
    "a grid of β, as in mtvib (Adam at 1e-4)": ("mtvib", "stvib"),
}


def fronts(args: argparse.Namespace) -> Iterator[Front]:
    """The front of every method's sweep, which is run where it has not been."""
    from jobs.cluster import load_ray, ray_instance
    from jobs.sweep import run_sweep
    from paretoib.tracking import read_front, tracker

    load_ray(settings())
    with ray_instance(settings()):
        for method in METHODS:
            try:
                spec = sweep_of(method, args)
            except SpecError as error:
                print(f"{method} is left out: {error}", flush=True)
                continue
            store = tracker()
            try:
                info = store.find(spec.name)
            except NotFoundError:
                info = None
            if info and info.status == "finished" and info.spec == spec.document:
                yield read_front(store, info)
                continue
            started = time.monotonic()
            found = run_sweep(spec)
            print(f"{method}: {time.monotonic() - started:.0f} s", flush=True)
            yield found


def sweep_of(method: str, args: argparse.Namespace) -> SweepSpec:
    """A method's own search, with as many settings for every seed as the others have."""
    given = dict(pair.split("=", 1) for pair in args.set)
    fields = {name: parse_value(text) for name, text in given.items()} | {"epochs": args.epochs}
    document = {"method": method, "data": args.data, "seeds": list(range(args.seeds))}
    document["name"] = f"methods-{method}-{args.data}"
    spec = with_overrides(document, fields)
    if spec.trials == args.seeds:  # nothing is varied but the seed
        return spec
    return with_overrides(document | {"trials": args.trials * args.seeds}, fields)


def of_seed(front: Front, seed: int) -> list[Point]:
    """The points of one seed that have a rate."""
    return [p for p in front.points if p.seed == seed and p.rate_bits is not None]


def coordinates(points: list[Point]) -> np.ndarray:
    """(rate, lost) in bits, one row a point."""
    return np.array([(p.rate_bits, p.lost_bits) for p in points]).reshape(-1, 2)


def volume(front: Front, points: list[Point]) -> float:
    """Hypervolume in bits²."""
    return hypervolume(coordinates(points), (front.reference.rate_bits, front.reference.lost_bits))


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values)), float(half)


def table(found: list[Front], seeds: int) -> str:
    """A row a method, most hypervolume first."""
    rows = []
    for front in found:
        mean, half = interval([volume(front, of_seed(front, seed)) for seed in range(seeds)])
        accuracy = max((p.accuracy or 0.0 for p in front.points), default=0.0)
        least = min((p.lost_bits for p in front.points), default=math.nan)
        rates = [p.rate_bits for p in front.points if p.rate_bits is not None]
        span = f"{min(rates):.1f} – {max(rates):.1f}" if rates else "none that is finite"
        text = f"{mean:.1f} ± {half:.1f}" if rates else "–"
        cells = (span, f"{least:.3f}", f"{100 * accuracy:.1f}")
        rows.append((mean, f"| `{front.sweep.method}` | {text} | {' | '.join(cells)} |"))
    head = (
        "| method | hypervolume, bits² | rates, bits | least lost, bits | best accuracy, % |\n"
        "|---|---|---|---|---|"
    )
    return "\n".join([head, *(row for _, row in sorted(rows, key=lambda row: -row[0]))])


def draw(found: list[Front], seeds: int, path: Path) -> None:
    """All fronts on one plane, a panel for each kind of method.

    A line is the median over seeds of the least lost bits up to a rate, its band goes from the
    least to the greatest of them; dots are the trials on a seed's front. Grey is the best of all
    methods and seeds.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    finite = [f for f in found if any(p.rate_bits is not None for p in f.points)]
    panels = {
        title: [f for f in finite if f.sweep.method in names] for title, names in PANELS.items()
    }
    panels = {title: fronts for title, fronts in panels.items() if fronts}
    everything = [p for f in finite for p in f.points if p.rate_bits is not None]
    ceiling = finite[0].label_entropy_bits
    most = max(p.rate_bits or 0.0 for p in everything)
    rates = np.geomspace(LEAST_RATE, 1.5 * most, 600)
    best = attained(everything, rates, ceiling)

    rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(12, 4.2 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for ax, (title, fronts) in zip(axes, panels.items(), strict=False):
        ax.step(rates, best, color="0.7", linewidth=3, where="post", label="best of all methods")
        for front, colour in zip(fronts, colours, strict=False):
            of_seeds = [of_seed(front, seed) for seed in range(seeds)]
            curves = np.array([attained(points, rates, ceiling) for points in of_seeds])
            ends = curves.min(0), curves.max(0)
            ax.fill_between(rates, *ends, step="post", color=colour, alpha=0.15, lw=0)
            ax.step(
                rates, np.median(curves, 0), color=colour, where="post", label=front.sweep.method
            )
            for plane in map(coordinates, of_seeds):
                ax.plot(*plane[nondominated(plane)].T, ".", color=colour, ms=4)
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
    axes[0].set_xlim(LEAST_RATE, rates[-1])
    figure.supxlabel("rate I(X;Z), bits")
    figure.supylabel("lost bits, H(Y) − relevance")
    figure.suptitle(f"Every method on {finite[0].sweep.dataset}, test split, {seeds} seeds")
    figure.savefig(path)


def attained(points: list[Point], rates: np.ndarray, ceiling: float) -> np.ndarray:
    """The least lost bits of points up to each rate; at the rate 0 nothing is known of Y."""
    plane = sorted((p.rate_bits or 0.0, p.lost_bits) for p in points)
    lost = np.minimum.accumulate([ceiling, *(lost for _, lost in plane)])
    return lost[np.searchsorted([rate for rate, _ in plane], rates, side="right")]


def main() -> None:
    """Run, draw, print the table."""
    parser = argparse.ArgumentParser(description="All methods on one data set.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=8, help="for every seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    args = parser.parse_args()
    found = list(fronts(args))
    args.out.mkdir(parents=True, exist_ok=True)
    draw(found, args.seeds, args.out / f"methods-{args.data}.png")
    print(table(found, args.seeds))


if __name__ == "__main__":
    main()
