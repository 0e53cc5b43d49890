"""Curves, planes, colours and labels of the pictures, independent of the plotting library."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

import numpy as np

from paretoib.fronts._format import format_cost, format_number, format_reference
from paretoib.fronts._front import coordinates
from paretoib.fronts._hull import reachability
from paretoib.fronts._picture import RateAxis
from paretoib.records import Comparison, ExactCurve, Front, Outcome, Setting, SweepInfo

# Okabe and Ito's palette and viridis stay distinguishable with common colour blindness.
LEFT_COLOUR, RIGHT_COLOUR, EXACT_COLOUR = "#0072B2", "#D55E00", "#009E73"
DARK_GREY, GREY = "#30343B", "#9AA0A8"
COLOUR_MAP = "viridis"

RATE_TITLE = "rate I(X;Z), bits"
FRONT_PREFIX = "front, "
SUPPORTED = "on the hull"
UNSUPPORTED = "above the hull"
GAP_SHOWN = "above the hull, shown by the seeds"
LOWER_BOUND = "lower bound on the rate"
INTERVAL = "95 % interval over seeds"
NO_POINTS = "no trial with a finite rate yet"
SMALLEST_DECADE = -3  # exponent of the smallest power of ten on a logarithmic axis
MAX_RATE_FACTOR = 10  # the largest rate drawn, as a multiple of the reference point's rate


@dataclass(frozen=True)
class Line:
    """The vertices of a curve: rate and lost bits."""

    rate: np.ndarray
    lost: np.ndarray


@dataclass(frozen=True)
class Groups:
    """The points with a finite rate: on the hull, above it, above it by a shown gap, dominated."""

    supported: list[Outcome]
    unsupported: list[Outcome]
    gap_shown: list[Outcome]
    dominated: list[Outcome]

    @classmethod
    def of(cls, points: Sequence[Outcome]) -> "Groups":
        finite = [p for p in points if p.rate_bits is not None]
        return cls(
            supported=[p for p in finite if p.supported],
            unsupported=[p for p in finite if p.on_front and not (p.supported or p.gap_shown)],
            gap_shown=[p for p in finite if p.gap_shown],
            dominated=[p for p in finite if not p.on_front],
        )


@dataclass(frozen=True)
class Plane:
    """The part of the plane of rate and lost bits that a picture shows; all numbers are in bits.

    Rates are clipped to `min_rate` and `max_rate`; otherwise one trial with a huge rate would
    squeeze all other points together. Exact curves end at the rate `curve_end`. The axis of lost
    bits goes from `bottom` to `top`. `log` says whether the axis of rates is logarithmic.
    """

    min_rate: float
    max_rate: float
    curve_end: float
    log: bool
    bottom: float
    top: float
    lost_title: str

    def rate(self, points: Sequence[Outcome]) -> np.ndarray:
        """The points' rates, clipped to the drawn range."""
        return np.clip([p.rate_bits or 0.0 for p in points], self.min_rate, self.max_rate)

    def lower(self, points: Sequence[Outcome]) -> np.ndarray:
        """The lower bounds on the points' rates, clipped; the rate itself if there is no bound."""
        return np.clip(_lower_bounds(points), self.min_rate, self.rate(points))

    def above_top(self, points: Sequence[Outcome]) -> int:
        """The number of points that lie above the picture."""
        return sum(p.rate_bits is not None and p.lost_bits > self.top for p in points)

    def beyond_max_rate(self, points: Sequence[Outcome]) -> int:
        """The number of points whose rate is clipped to `max_rate`."""
        return sum(p.rate_bits is not None and p.rate_bits > self.max_rate for p in points)


def plane_of(document: Front | Comparison, axis: RateAxis | None = None) -> Plane:
    """The plane that shows every point whose lost bits are at most the reference point's.

    By default the axis of rates is logarithmic if the rates span more than a factor of ten.
    """
    points, reference = document.points, document.reference
    rate, lost = coordinates(points).T
    low = _decade_below(rate)
    inside = lost[lost <= reference.lost_bits]
    max_rate = MAX_RATE_FACTOR * reference.rate_bits
    rate = np.minimum(rate, max_rate)
    highest = inside.max(initial=0.0) or reference.lost_bits
    wide = bool(len(rate)) and float(np.maximum(rate, low).max()) > 10 * max(low, rate.min())
    log = wide if axis is None else axis == "log"
    return Plane(
        min_rate=_decade_below([*rate, *_lower_bounds(points)]) if log else 10.0**SMALLEST_DECADE,
        max_rate=max_rate,
        curve_end=1.15 * max(rate.max(initial=0.0), low) if len(rate) else reference.rate_bits,
        log=log,
        bottom=min(0.0, lost.min(initial=0.0)) - 0.03 * highest,
        top=1.06 * highest,
        lost_title=f"lost bits, {_ceiling_name(document)} − relevance",
    )


def _ceiling_name(document: Front | Comparison) -> str:
    """I(X;Y) for a continuous Y and for noisy labels, otherwise H(Y)."""
    if isinstance(document, Front):
        sweeps: tuple[SweepInfo, ...] = (document.sweep,)
    else:
        sweeps = (*document.left.sweeps, *document.right.sweeps)
    noisy = any(sweep.spec.get("data", {}).get("label_noise") for sweep in sweeps)
    continuous = document.points and all(p.accuracy is None for p in document.points)
    return "I(X;Y)" if noisy or continuous else "H(Y)"


def _lower_bounds(points: Sequence[Outcome]) -> np.ndarray:
    bounds = [p.rate_bits if p.rate_lower_bits is None else p.rate_lower_bits for p in points]
    return np.array([bound for bound in bounds if bound is not None], dtype=float)


def _decade_below(rates: Sequence[float] | np.ndarray) -> float:
    """The largest power of ten below the smallest positive rate, at least 10**SMALLEST_DECADE."""
    smallest = min((rate for rate in rates if rate > 0), default=0.0)
    decade = ceil(log10(smallest)) - 1 if smallest else SMALLEST_DECADE
    return 10.0 ** max(decade, SMALLEST_DECADE)


def staircase(points: Sequence[Outcome], plane: Plane) -> Line:
    """The points of the front by ascending rate, to be joined by steps."""
    front = np.unique(coordinates([p for p in points if p.on_front]), axis=0)
    return Line(np.maximum(front[:, 0], plane.min_rate), front[:, 1])


def hull(points: Sequence[Outcome], plane: Plane) -> Line:
    """The hull, sampled densely, because its straight edges are curves on a logarithmic axis."""
    rate, lost = reachability(coordinates(points)).vertices.T
    return _dense(rate, lost, plane.min_rate, rate.max(initial=plane.min_rate))


def exact_line(exact: ExactCurve, plane: Plane) -> Line:
    """The exact curve up to the rate `curve_end`."""
    rate, lost = np.array(exact.rate_bits), np.array(exact.lost_bits)
    return _dense(rate, lost, plane.min_rate, plane.curve_end)


def _dense(rate: np.ndarray, lost: np.ndarray, first: float, last: float) -> Line:
    """A chain of straight lines, sampled densely between the rates `first` and `last`."""
    if len(rate) < 2:
        return Line(np.maximum(rate, first), lost)
    samples = np.unique(np.concatenate([rate, np.geomspace(first, last, 200)]))
    samples = samples[(samples >= max(first, rate[0])) & (samples <= min(last, rate[-1]))]
    return Line(samples, np.interp(samples, rate, lost))


def outcomes(source: Front | Comparison, *, trials: bool) -> Sequence[Outcome]:
    """What a picture has a mark for: the settings, or the trials if no setting has two seeds.

    With `trials` always the trials.
    """
    return source.settings if source.replicated and not trials else source.points


def intervals(outcomes: Sequence[Outcome], plane: Plane) -> list[tuple[Line, Line]]:
    """For each setting with intervals: a line along the interval of the rate, and of lost bits."""
    lines = []
    for outcome in outcomes:
        if not isinstance(outcome, Setting) or "rate_bits" not in outcome.intervals:
            continue
        rate, lost = plane.rate([outcome])[0], outcome.lost_bits
        ends = [outcome.intervals[name] for name in ("rate_bits", "lost_bits")]
        rates = np.clip([ends[0].low, ends[0].high], plane.min_rate, plane.max_rate)
        bits = np.array([ends[1].low, ends[1].high])
        lines.append((Line(rates, np.full(2, lost)), Line(np.full(2, rate), bits)))
    return lines


@dataclass(frozen=True)
class ColourScale:
    """A hyperparameter shown as colour, from `low` to `high`, on a logarithmic scale if `log`."""

    name: str
    low: float
    high: float
    log: bool

    def of(self, points: Sequence[Outcome]) -> np.ndarray:
        """The points' values, clipped to the scale; on a log scale, 0 becomes `low`."""
        return np.clip([float(p.params[self.name]) for p in points], self.low, self.high)


def colour_scale(points: Sequence[Outcome]) -> ColourScale | None:
    """The scale of the first hyperparameter that varies and is a number for all points, or None.

    Hyperparameters of the weighting come before all others.
    """
    names = dict.fromkeys(name for p in points for name in p.params)
    for name in sorted(names, key=lambda n: not n.startswith("weighting.")):
        values = [p.params.get(name) for p in points]
        numbers = {v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}
        if len(numbers) < 2 or not numbers.issuperset(values):
            continue
        low, high = min(numbers), max(numbers)
        positive = min((v for v in numbers if v > 0), default=0)
        if low >= 0 and high > 10 * positive:
            return ColourScale(name, positive, high, log=True)
        return ColourScale(name, low, high, log=False)
    return None


def front_caption(front: Front, plane: Plane, *, trials: bool = False) -> str:
    """Hypervolume, reference point and cost of a front, and counts of special trials or settings.

    The special ones are those that are not drawn, or are drawn at the right edge. `trials` is as
    for `outcomes`.
    """
    shown = outcomes(front, trials=trials)
    replicates = None if trials else front.replicates
    reference = f"reference point ({format_reference(front.reference)})"
    hypervolume = replicates.hypervolume_of_means if replicates else front.hypervolume
    volume = f"hypervolume {format_number(hypervolume, 4)} bits² up to the {reference}"
    if not hypervolume and any(p.rate_bits is not None for p in front.points):
        volume = f"hypervolume 0: every point lies beyond the {reference}"
    parts = [volume, format_cost(front.cost)]
    if replicates:
        seeds = len(replicates.seeds)
        parts = [f"means of {len(shown)} settings over up to {seeds} seeds", *parts]
    noiseless = sum(p.rate_bits is None for p in shown)
    stopped = sum(trial.status == "stopped" for trial in front.failed)
    for count, text in (
        (stopped, "stopped early"),
        (len(front.failed) - stopped, "failed"),
        (noiseless, "without a finite rate"),
        (plane.above_top(shown), "above the picture"),
        (
            plane.beyond_max_rate(shown),
            f"drawn at {format_number(plane.max_rate)} bits, the right edge",
        ),
    ):
        if count:
            parts.append(f"{count} {text}")
    if front.where:
        parts.append(f"only {' and '.join(front.where)}")
    return " · ".join(parts)
