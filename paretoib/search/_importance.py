"""The importance of a sweep's fields: functional ANOVA, by Optuna.

Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter Importance, 2014. A
forest of regression trees predicts a measure from the fields of a trial. The importance of a field
is the share of the forest's variance that depends on this field alone, divided by the sum over
all fields.
"""

import json
from collections.abc import Sequence
from math import log10
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from paretoib.records import Front, Importance, Point

MIN_TRIALS = 8
"""Minimum number of trials: with fewer, a forest cannot tell the fields apart."""

MAX_TRIALS = 1000
"""The forest is fitted to at most this many trials, evenly spaced over the sweep."""

# Hide Optuna's log of new studies.
optuna.logging.set_verbosity(optuna.logging.CRITICAL)

_SMALLEST = 1e-6  # bits or seconds, so that every value has a logarithm


def field_importance(front: Front) -> Importance:
    """The importance of each varied field, and of the seed, for each measure of a front's trials.

    Only trials with a finite rate count. The logarithms of the rate and of the training time are
    predicted, because these measures span orders of magnitude.
    """
    points = [point for point in front.points if point.rate_bits is not None]
    points = sorted(points, key=lambda point: point.order)
    points = points[:: -(-len(points) // MAX_TRIALS) or 1]
    fields = _fields(points)
    if len(points) < MIN_TRIALS:
        return Importance(trials=len(points), reason=f"fewer than {MIN_TRIALS} measured trials")
    if len(fields) < 2:
        return Importance(trials=len(points), reason="fewer than two fields vary")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials(
        optuna.trial.create_trial(
            params={name: _value(point, name) for name in fields}, distributions=fields, value=0.0
        )
        for point in points
    )
    return Importance(
        trials=len(points),
        shares={measure: _shares(study, values) for measure, values in _measures(points).items()},
    )


def _measures(points: Sequence[Point]) -> dict[str, list[float]]:
    """The values of every measure that differ between the trials."""
    measures = {
        "rate": [log10(max(point.rate_bits or 0.0, _SMALLEST)) for point in points],
        "lost": [point.lost_bits for point in points],
        "error": [1 - point.accuracy for point in points if point.accuracy is not None],
        "seconds": [log10(max(point.seconds, _SMALLEST)) for point in points],
    }
    return {name: values for name, values in measures.items() if len(set(values)) > 1}


def _shares(study: optuna.Study, values: Sequence[float]) -> dict[str, float]:
    evaluator = FanovaImportanceEvaluator(seed=0)
    return get_param_importances(
        study, evaluator=evaluator, target=lambda trial: values[trial.number]
    )


def _fields(points: Sequence[Point]) -> dict[str, BaseDistribution]:
    """The distributions of the fields that differ between the trials, and that all trials have."""
    names = [*dict.fromkeys(name for point in points for name in point.params), "seed"]
    fields: dict[str, BaseDistribution] = {}
    for name in names:
        if name != "seed" and any(name not in point.params for point in points):
            continue
        values = {_value(point, name) for point in points}
        if len(values) > 1:
            fields[name] = _distribution(values)
    return fields


def _value(point: Point, name: str) -> Any:
    """A field's value as a number, or as text. A seed is text, because its size has no meaning."""
    if name == "seed":
        return str(point.seed)
    value = point.params[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else json.dumps(value)


def _distribution(values: set[Any]) -> BaseDistribution:
    if any(isinstance(value, str) for value in values):
        return CategoricalDistribution(sorted(values))
    low, high = min(values), max(values)
    return FloatDistribution(low, high, log=low > 0 and high > 10 * low)
