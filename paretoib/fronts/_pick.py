"""The choice of one setting: on the validation split, reported on the test split.

The choice is the best of several noisy means, so its means on the validation split are too good
(the winner's curse). Its means on the test split have no such bias.

The knee is that of Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary
intersection" (1999), for two objectives: the point of the front that lies farthest below the
straight line between the two ends of the front. A preference selects the smallest weighted
Chebyshev distance to the ideal point (Bowman 1976; Miettinen 1998, section 3.4), which, unlike a
weighted sum, also reaches points above the hull. Both scale each axis to 0 … 1 between the ends of
the front, so they do not depend on the units.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paretoib.errors import ChoiceError
from paretoib.fronts._conditions import as_conditions, filtered
from paretoib.fronts._dominance import nondominated
from paretoib.fronts._format import format_number
from paretoib.fronts._front import coordinates
from paretoib.fronts._pick_text import pick_text
from paretoib.fronts._pool import check_data, pool_fronts
from paretoib.fronts._settings import nearly_equal
from paretoib.fronts._statistics import student_interval
from paretoib.records import (
    Criterion,
    Front,
    LimitCheck,
    Margin,
    Measures,
    Pick,
    PickedSetting,
    PickRule,
    Point,
    ReferencePoint,
)

Score = Callable[[Measures], tuple[float, float]]


@dataclass(frozen=True)
class _Ranking:
    """The candidates of a rule, best first, and the score that the rule minimises.

    A score is a pair: the second number decides between equal first numbers.
    """

    criterion: Criterion
    score: Score
    candidates: list[PickedSetting]


def pick(fronts: Sequence[Front], rule: PickRule, *, where: Sequence[str] = ()) -> Pick:
    """The setting of one or more sweeps on the same data that a rule chooses.

    Settings of several sweeps count as one if all their fields are equal. Settings without a finite
    rate, and with a diverged or pruned trial, cannot be chosen. Conditions on measures in `where`
    are about the validation split.

    Raises:
        ChoiceError: no setting can be chosen, or none satisfies the rule.
        FilterError: as for `filtered`.
        ComparisonError: the sweeps' data differ.
    """
    fronts = [*{front.sweep.id: front for front in fronts}.values()]
    check_data(fronts)
    names = ", ".join(f"`{front.sweep.name}`" for front in fronts)
    pool = pool_fronts(filtered(fronts, where, split="validation"))
    settings = [PickedSetting(**dict(setting), sweeps=ids) for setting, ids in pool.settings]
    reasons = [_reason_to_leave_out(setting) for setting in settings]
    left_out = Counter(reason for reason in reasons if reason)
    eligible = [s for s, reason in zip(settings, reasons, strict=True) if not reason]
    if not eligible:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise ChoiceError(f"no setting of {names} can be chosen: {why or 'no trial has a result'}")
    reference = ReferencePoint(
        rate_bits=max(front.reference.rate_bits for front in fronts),
        lost_bits=max(front.reference.lost_bits for front in fronts),
    )
    ranking = _rank(eligible, rule, reference, names)
    choice, *others = ranking.candidates
    runner_up = others[0] if others else None
    trials = {point.trial: point for point in pool.points}
    result = Pick(
        rule=rule,
        where=as_conditions(where),
        sweeps=tuple(front.sweep for front in fronts),
        choice=choice,
        trial=_best_trial(choice, rule, ranking.score, trials).trial,
        candidates=len(ranking.candidates),
        left_out=left_out,
        limit=_limit_check(choice, rule),
        runner_up=runner_up,
        margin=None if runner_up is None else _margin(choice, runner_up, ranking, trials),
        text="",
    )
    return result.model_copy(update={"text": pick_text(result)})


def _reason_to_leave_out(setting: PickedSetting) -> str | None:
    if setting.validation is None:
        return "without results on the validation split"
    if setting.rate_bits is None or setting.validation.rate_bits is None:
        return "without a finite rate"
    for status in ("diverged", "stopped"):
        if setting.failed.get(status):
            return f"with a {status} trial"
    return None


def _rank(
    settings: Sequence[PickedSetting], rule: PickRule, reference: ReferencePoint, names: str
) -> _Ranking:
    """The settings that satisfy the rule, best first; raises `ChoiceError` if none does."""
    if rule.name in ("knee", "prefer"):
        return _rank_on_front(settings, rule, reference, names)
    criterion: Criterion = "lost_bits" if rule.name == "max_rate" else "rate_bits"
    score = _by_lost_bits if rule.name == "max_rate" else _by_rate
    kept = [s for s in settings if satisfies(rule, validation(s))]
    if not kept:
        raise ChoiceError(_none_satisfies(settings, rule, names))
    return _Ranking(criterion, score, sorted(kept, key=lambda s: score(validation(s))))


def _rank_on_front(
    settings: Sequence[PickedSetting], rule: PickRule, reference: ReferencePoint, names: str
) -> _Ranking:
    """The settings on the front of the validation split, by knee or preference.

    Settings beyond the reference point are left out: a single huge rate would move the end of the
    front, and so the scale.
    """
    inside = [s for s in settings if _is_inside(validation(s), reference)]
    if not inside:
        raise ChoiceError(
            f"no setting of {names} lies within the reference point on the validation split"
        )
    points = coordinates([validation(s) for s in inside])
    on_front = nondominated(points)
    front = [s for s, is_on_front in zip(inside, on_front, strict=True) if is_on_front]
    low, high = points[on_front].min(axis=0), points[on_front].max(axis=0)
    span = np.where(high > low, high - low, 1.0)

    def scaled(measures: Measures) -> tuple[float, float]:
        rate, lost = (coordinates([measures])[0] - low) / span
        return float(rate), float(lost)

    def by_knee(measures: Measures) -> tuple[float, float]:
        rate, lost = scaled(measures)
        # The line between the ends is rate + lost = 1.
        return rate + lost, rate

    def by_preference(measures: Measures) -> tuple[float, float]:
        (rate, lost), weight = scaled(measures), rule.value or 0.0
        weighted = weight * lost, (1 - weight) * rate
        return max(weighted), sum(weighted)

    if rule.name == "prefer":
        ranked = sorted(front, key=lambda s: by_preference(validation(s)))
        return _Ranking("preference", by_preference, ranked)
    ranked = sorted(front, key=lambda s: by_knee(validation(s)))
    if by_knee(validation(ranked[0]))[0] >= 1 - 1e-9:
        raise ChoiceError(
            f"the front of {names} has no knee on the validation split: none of its {len(front)} "
            "settings lies below the straight line between its two ends"
        )
    return _Ranking("knee", by_knee, ranked)


def validation(setting: PickedSetting) -> Measures:
    """The means of a setting on the validation split, which every setting in a ranking has."""
    assert setting.validation is not None
    return setting.validation


def satisfies(rule: PickRule, measures: Measures) -> bool:
    """Whether measures keep the limit of a rule; True for a rule without a limit."""
    limit, rate, accuracy = rule.value or 0.0, measures.rate_bits, measures.accuracy
    if rule.name == "max_rate":
        return rate is not None and (rate <= limit or nearly_equal(rate, limit))
    if rule.name == "min_accuracy":
        return accuracy is not None and (accuracy >= limit or nearly_equal(accuracy, limit))
    return True


def _by_lost_bits(measures: Measures) -> tuple[float, float]:
    return measures.lost_bits, measures.rate_bits or 0.0


def _by_rate(measures: Measures) -> tuple[float, float]:
    return measures.rate_bits or 0.0, measures.lost_bits


def _is_inside(measures: Measures, reference: ReferencePoint) -> bool:
    rate = measures.rate_bits
    inside = rate is not None and rate <= reference.rate_bits
    return inside and measures.lost_bits <= reference.lost_bits


def _none_satisfies(settings: Sequence[PickedSetting], rule: PickRule, names: str) -> str:
    value = format_number(rule.value, 4)
    if rule.name == "max_rate":
        rates = [validation(s).rate_bits or 0.0 for s in settings]
        limit, nearest = (
            f"a rate of at most {value} bits",
            f"the lowest rate is {min(rates):.4g} bits",
        )
    else:
        accuracies = [a for s in settings if (a := validation(s).accuracy) is not None]
        limit = f"an accuracy of at least {value}"
        nearest = (
            f"the highest accuracy is {max(accuracies):.4g}"
            if accuracies
            else "a continuous Y has no accuracy"
        )
    return f"no setting of {names} has {limit} on the validation split; {nearest}"


def _best_trial(
    choice: PickedSetting, rule: PickRule, score: Score, trials: dict[str, Point]
) -> Point:
    """The choice's best trial by the same rule on the validation split."""
    measured = [(p, p.validation) for key in choice.trials if (p := trials[key]).validation]
    kept = [pair for pair in measured if pair[1] and satisfies(rule, pair[1])]
    return min(kept or measured, key=lambda pair: score(pair[1] or pair[0]))[0]


def _limit_check(choice: PickedSetting, rule: PickRule) -> LimitCheck | None:
    if rule.value is None or rule.name == "prefer":
        return None
    measure = "rate_bits" if rule.name == "max_rate" else "accuracy"
    interval = choice.intervals.get(measure)
    if interval is None:
        shown = None
    else:
        shown = (
            interval.high <= rule.value if measure == "rate_bits" else interval.low >= rule.value
        )
    return LimitCheck(measure=measure, limit=rule.value, kept=satisfies(rule, choice), shown=shown)


def _margin(
    choice: PickedSetting,
    runner_up: PickedSetting,
    ranking: _Ranking,
    trials: dict[str, Point],
) -> Margin | None:
    """The margin on the test split, from pairs of equal seeds; None without such a pair."""
    own, other = (
        {trials[key].seed: ranking.score(trials[key])[0] for key in setting.trials}
        for setting in (choice, runner_up)
    )
    seeds = sorted(own.keys() & other.keys())
    if not seeds:
        return None
    differences = [other[seed] - own[seed] for seed in seeds]
    return Margin(
        criterion=ranking.criterion,
        difference=float(np.mean(differences)),
        seeds=tuple(seeds),
        interval=student_interval(differences),
    )
