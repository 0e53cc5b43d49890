"""The line that says which setting a rule chose, why, and how sure the choice is."""

from collections.abc import Mapping

from paretoib.fronts._format import format_number, format_param
from paretoib.records import (
    Criterion,
    LimitCheck,
    Margin,
    Measures,
    Pick,
    PickedSetting,
    Setting,
)
from paretoib.specs import short_name

# How much worse the runner-up is, by criterion; `{}` is a number.
_WORSE: Mapping[Criterion, str] = {
    "lost_bits": "{} more lost bits",
    "rate_bits": "{} more bits of rate",
    "knee": "lies {} nearer to the line between the ends of the front",
    "preference": "lies {} farther from the ideal point",
}
_BETTER: Mapping[Criterion, str] = {
    "lost_bits": "{} fewer lost bits",
    "rate_bits": "{} fewer bits of rate",
    "knee": "lies {} farther below the line between the ends of the front",
    "preference": "lies {} nearer to the ideal point",
}


def pick_text(pick: Pick) -> str:
    """One line: the setting, its values on the test split, the reason, and how sure it is."""
    facts = (
        f"{_setting(pick, pick.choice)}: {_values(pick.choice)} on the test split",
        f"Chosen on the validation split: {_reason(pick)}",
        _where(pick),
        _limit(pick.limit),
        _runner_up(pick),
        _left_out(pick),
        _trial(pick),
    )
    return " ".join(f"{fact}." for fact in facts if fact)


def _setting(pick: Pick, setting: PickedSetting) -> str:
    """The parameters of a setting, its sweeps and its seeds."""
    names = {sweep.id: sweep.name for sweep in pick.sweeps}
    params = ", ".join(
        f"{short_name(name)} {format_param(value)}" for name, value in setting.params.items()
    )
    sweeps = " and ".join(names[sweep] for sweep in setting.sweeps)
    trial = f", trial {setting.trials[0]}" if len(setting.trials) == 1 else ""
    return f"{params or 'the only setting'} of {sweeps} ({_seeds(len(setting.seeds))}{trial})"


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number != 1)}"


def _values(setting: Setting) -> str:
    values = [
        f"rate {_with_half_width(setting, 'rate_bits', setting.rate_bits)} bits",
        f"lost {_with_half_width(setting, 'lost_bits', setting.lost_bits)} bits",
    ]
    if setting.accuracy is not None:
        values.append(f"accuracy {_percent(setting)} %")
    return ", ".join(values)


def _with_half_width(setting: Setting, name: str, value: float | None) -> str:
    interval = setting.intervals.get(name)
    if interval is None:
        return format_number(value)
    return f"{format_number(value)} ± {format_number((interval.high - interval.low) / 2, 2)}"


def _percent(setting: Setting) -> str:
    interval = setting.intervals.get("accuracy")
    text = f"{100 * (setting.accuracy or 0.0):.1f}"
    return text if interval is None else f"{text} ± {50 * (interval.high - interval.low):.1f}"


def _reason(pick: Pick) -> str:
    rule, count = pick.rule, pick.candidates
    measured = pick.choice.validation
    assert measured is not None
    value = format_number(rule.value, 4)
    if rule.name == "max_rate":
        return (
            f"the fewest lost bits ({format_number(measured.lost_bits)}) of {_settings(count)} "
            f"with a rate of at most {value} bits ({format_number(measured.rate_bits)})"
        )
    if rule.name == "min_accuracy":
        return (
            f"the lowest rate ({format_number(measured.rate_bits)} bits) of {_settings(count)} "
            f"with an accuracy of at least {value} ({format_number(measured.accuracy)})"
        )
    place = f"of {_settings(count)} on the front{_coordinates(measured)}"
    if rule.name == "knee":
        return f"the knee, farthest below the line between the ends of the front, {place}"
    weights = (
        f"weights {value} for lost bits and {format_number(1 - (rule.value or 0), 4)} for rate"
    )
    return f"the nearest to the ideal point, with {weights}, {place}"


def _where(pick: Pick) -> str | None:
    return f"Only trials with {' and '.join(pick.where)} take part" if pick.where else None


def _coordinates(measured: Measures) -> str:
    rate, lost = format_number(measured.rate_bits), format_number(measured.lost_bits)
    return f" (rate {rate} bits, lost {lost} bits)"


def _settings(count: int) -> str:
    return f"{count} setting{'s' * (count != 1)}"


def _limit(limit: LimitCheck | None) -> str | None:
    """Whether the choice keeps the limit on the test split; None if it surely does."""
    if limit is None or (limit.kept and limit.shown is not False):
        return None
    measure = "rate" if limit.measure == "rate_bits" else "accuracy"
    if limit.kept:
        return f"On the test split the 95 % interval of the {measure} reaches beyond the limit"
    beyond = "above" if measure == "rate" else "below"
    return f"On the test split the {measure} is {beyond} the limit"


def _runner_up(pick: Pick) -> str:
    if pick.runner_up is None:
        return "No other setting satisfies the rule"
    name = f"The runner-up, {_setting(pick, pick.runner_up)},"
    margin = pick.margin
    if margin is None:
        return f"{name} has no seed in common with it, so noise cannot be told from a difference"
    return f"{name} {_difference(margin)}"


def _difference(margin: Margin) -> str:
    verb = "has " if margin.criterion in ("lost_bits", "rate_bits") else ""
    words = _WORSE if margin.difference >= 0 else _BETTER
    text = verb + words[margin.criterion].format(format_number(abs(margin.difference)))
    if margin.interval is None:
        seeds = _seeds(len(margin.seeds))
        return f"{text} on the test split, with {seeds}: noise cannot be told from a difference"
    ends = sorted(abs_end for abs_end in (margin.interval.low, margin.interval.high))
    if margin.difference < 0:
        ends = [-ends[1], -ends[0]]
    low, high = map(format_number, ends)
    noise = "more than" if margin.shown else "may be"
    return (
        f"{text} on the test split (95 % confidence interval {low} to {high}): "
        f"{noise} the noise of seeds"
    )


def _left_out(pick: Pick) -> str | None:
    if not pick.left_out:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in pick.left_out.items())
    return f"Settings left out: {reasons}"


def _trial(pick: Pick) -> str | None:
    if len(pick.choice.trials) == 1:
        return None
    return f"Its best trial on the validation split is {pick.trial}"
