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
from paretoib.fronts import hypervolume
from paretoib.records import Front, Point
from paretoib.settings import settings
from paretoib.specs import METHODS, SweepSpec, parse_value


def fronts(args: argparse.Namespace) -> Iterator[Front]:
    """The front of every method's sweep, which is run where it has not been."""
    from jobs._cluster import load_ray, ray_instance
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
            if info is not None and info.status == "finished":
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
    spec = SweepSpec.assemble(document, fields)
    if spec.trials == args.seeds:  # nothing is varied but the seed
        return spec
    return SweepSpec.assemble(document | {"trials": args.trials * args.seeds}, fields)


def of_seed(front: Front, seed: int) -> list[Point]:
    """The points of one seed that have a rate."""
    return [p for p in front.points if p.seed == seed and p.rate_bits is not None]


def volume(front: Front, points: list[Point]) -> float:
    """Hypervolume in bits²."""
    plane = np.array([(p.rate_bits, p.lost_bits) for p in points]).reshape(-1, 2)
    return hypervolume(plane, (front.reference.rate_bits, front.reference.lost_bits))


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
        cells = (span, f"{least:.3f}", f"{100 * accuracy:.1f}", f"{front.cost.seconds:.0f}")
        rows.append((mean, f"| `{front.sweep.method}` | {text} | {' | '.join(cells)} |"))
    head = (
        "| method | hypervolume, bits² | rates, bits | least lost, bits | best accuracy, % "
        "| training, s |\n|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(row for _, row in sorted(rows, key=lambda row: -row[0]))])


def draw(found: list[Front], path: Path) -> None:
    """All fronts, of all seeds together, on one plane; the exact curve where it is known."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    finite = [f for f in found if any(p.rate_bits is not None for p in f.points)]
    finite.sort(key=lambda f: -f.hypervolume)
    for i, front in enumerate(finite):
        on = sorted((p for p in front.points if p.on_front), key=lambda p: p.rate_bits or 0.0)
        ax.step(
            [p.rate_bits for p in on],
            [p.lost_bits for p in on],
            where="post",
            color=colours[i % 20],
            marker="osD^vP*"[i % 7],
            markersize=4,
            linewidth=1,
            label=front.sweep.method,
        )
    if exact := finite[0].exact:
        ax.plot(exact.rate_bits, exact.lost_bits, "k:", label=f"exact ({exact.label})")
    reference = finite[0].reference
    ax.plot(reference.rate_bits, reference.lost_bits, "k+", markersize=10, label="reference")
    ax.set_xscale("log")
    ax.set_xlabel("rate I(X;Z), bits")
    ax.set_ylabel("lost bits, H(Y) − relevance")
    ax.set_title(f"Every method on {finite[0].sweep.dataset}")
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path)


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
    draw(found, args.out / f"methods-{args.data}.png")
    print(table(found, args.seeds))


if __name__ == "__main__":
    main()
