"""Conditions on trials, such as `beta<0.1`, `accuracy>=0.95` and `seed=0`.

A condition on a field of a trial selects trials. A condition on a measure selects settings, by
their means over seeds: if it selected trials, a setting would keep only its lucky seeds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from paretoib.documents import preview, truncate
from paretoib.errors import FilterError
from paretoib.fronts._front import front_fields
from paretoib.fronts._pool import trial_fields
from paretoib.fronts._settings import nearly_equal, setting_key, settings
from paretoib.records import MEASURES, FailedTrial, Front, Measures, Point, Setting
from paretoib.specs import parse_value

Split = Literal["validation", "test"]

_CONDITION = re.compile(r"\s*(?P<field>[\w.]+)\s*(?P<sign><=|>=|!=|==|<|>|=)\s*(?P<value>.*\S)\s*")
_MEASURES: Mapping[Split, tuple[str, ...]] = {
    "validation": (*Measures.model_fields, "seconds"),
    "test": (*MEASURES, "seconds"),
}
_MAX_LISTED = 8  # values in an error message


@dataclass(frozen=True)
class Condition:
    """A condition on the field `field`, which is a measure or the full name of a trial's field."""

    text: str
    field: str
    sign: str
    value: Any
    is_measure: bool

    def holds(self, found: Any) -> bool:
        """Whether a value of the field satisfies the condition; never for an unknown value."""
        if found is None:
            return False
        numbers = _is_number(found) and _is_number(self.value)
        equal = nearly_equal(found, self.value) if numbers else _plain(found) == _plain(self.value)
        if self.sign in ("=", "!="):
            return equal == (self.sign == "=")
        if not numbers:
            raise FilterError(
                f"`{self.text}`: `{self.sign}` compares numbers; found {preview(found)} in "
                f"{self.field}"
            )
        if equal:
            return self.sign in ("<=", ">=")
        return bool(found < self.value) == self.sign.startswith("<")


def filtered(
    fronts: Sequence[Front], where: Sequence[str], *, split: Split = "test"
) -> list[Front]:
    """The fronts of the trials that satisfy all conditions; `split` is that of the measures.

    The cost of a front includes the trials that a measure leaves out, because they had to be
    trained to be measured, and not those that a field leaves out.

    Raises:
        FilterError: a condition is invalid, or no trial of any front satisfies all of them.
    """
    where = as_conditions(where)
    if not where:
        return [*fronts]
    names = dict.fromkeys(name for front in fronts for name in _field_names(front))
    conditions = [_parse(text, [*names], split) for text in where]
    kept = [_filter_front(front, conditions, split) for front in fronts]
    if not any(front.points for front in kept):
        raise FilterError(_nothing_left(fronts, conditions, split))
    return kept


def as_conditions(where: Sequence[str]) -> tuple[str, ...]:
    """The conditions; a text alone is one condition, although it is a sequence of characters."""
    return (where,) if isinstance(where, str) else tuple(where)


def _parse(text: str, fields: Sequence[str], split: Split) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise FilterError(
            "a condition should be FIELD<VALUE, with one of <, <=, =, !=, >=, >; found "
            f"`{truncate(text)}`"
        )
    value, sign = parse_value(match["value"]), match["sign"].replace("==", "=")
    if sign not in ("=", "!=") and not _is_number(value):
        raise FilterError(f"`{truncate(text)}`: `{sign}` needs a number; found {preview(value)}")
    field = _full_name(match["field"], fields, split)
    written = f"{match['field']}{sign}{match['value']}"
    return Condition(written, field, sign, value, is_measure=field in _MEASURES[split])


def _full_name(name: str, fields: Sequence[str], split: Split) -> str:
    measures = _MEASURES[split]
    if name in (*measures, *fields):
        return name
    if f"{name}.name" in fields:
        return f"{name}.name"
    full_names = [field for field in fields if field.rpartition(".")[2] == name]
    if len(full_names) == 1:
        return full_names[0]
    if full_names:
        raise FilterError(f"`{name}` is in several sections: name one of {', '.join(full_names)}")
    known = [*measures, *(field.rpartition(".")[2] for field in fields), *fields]
    if near := get_close_matches(name, known, n=3, cutoff=0.6):
        hint = f"did you mean {' or '.join(f'`{n}`' for n in near)}?"
    else:
        hint = f"known: {', '.join([*measures, *fields])}"
    raise FilterError(f"unknown field `{truncate(name)}`; {hint}")


def _filter_front(front: Front, conditions: Sequence[Condition], split: Split) -> Front:
    on_fields = [condition for condition in conditions if not condition.is_measure]
    on_measures = [condition for condition in conditions if condition.is_measure]
    fields_of = _fields_of(front)

    def matches(trial: Point | FailedTrial) -> bool:
        fields = fields_of(trial)
        return all(condition.holds(fields.get(condition.field)) for condition in on_fields)

    points = [point for point in front.points if matches(point)]
    failed = [trial for trial in front.failed if matches(trial)]
    trained: list[Point | FailedTrial] = [*points, *failed]
    spent = {trial.order: trial.seconds for trial in trained}
    keys = [setting_key(point.params) for point in points]
    by_key = settings(points, keys, [], [])
    rejected_keys = {
        key
        for key, setting in by_key.items()
        if not all(c.holds(_measure(setting, c.field, split)) for c in on_measures)
    }
    kept = [point for point, key in zip(points, keys, strict=True) if key not in rejected_keys]
    fields = front_fields(kept, failed, spent, front.reference)
    texts = tuple(condition.text for condition in conditions)
    return front.model_copy(update={**fields, "where": (*front.where, *texts)})


def _fields_of(front: Front) -> Callable[[Point | FailedTrial], dict[str, Any]]:
    """A function that returns all fields of a trial of this front, by their full names."""
    common = trial_fields(front.sweep)
    return lambda trial: {**common, **trial.params, "seed": trial.seed}


def _trials(front: Front) -> list[Point | FailedTrial]:
    return [*front.points, *front.failed]


def _field_names(front: Front) -> list[str]:
    varied = (name for trial in _trials(front) for name in trial.params)
    return [*dict.fromkeys((*trial_fields(front.sweep), *varied, "seed"))]


def _measure(setting: Setting, name: str, split: Split) -> float | None:
    source = setting.validation if split == "validation" and name != "seconds" else setting
    value: float | None = getattr(source, name, None)
    return value


def _nothing_left(fronts: Sequence[Front], conditions: Sequence[Condition], split: Split) -> str:
    """Why no trial satisfies the conditions; with the values of a field that no trial satisfies."""
    for condition in conditions:
        values = [v for front in fronts for v in _values(front, condition, split) if v is not None]
        if values and not any(map(condition.holds, values)):
            return f"no trial satisfies `{condition.text}`; {_near(condition, values)}"
    return f"no trial satisfies {' and '.join(f'`{condition.text}`' for condition in conditions)}"


def _values(front: Front, condition: Condition, split: Split) -> list[Any]:
    if condition.is_measure:
        return [_measure(setting, condition.field, split) for setting in front.settings]
    fields_of = _fields_of(front)
    return [fields_of(trial).get(condition.field) for trial in _trials(front)]


def _near(condition: Condition, values: Sequence[Any]) -> str:
    if _is_number(condition.value) and all(map(_is_number, values)):
        nearest = min(values, key=lambda value: abs(value - condition.value))
        # All digits of a field, so that `=` with this value matches.
        value = f"{nearest:.4g}" if condition.is_measure else nearest
        return f"the nearest value of {condition.field} is {value}"
    found = [*dict.fromkeys(map(preview, values))]
    more = ", …" if len(found) > _MAX_LISTED else ""
    return f"the values of {condition.field} are {', '.join(found[:_MAX_LISTED])}{more}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """A list for a tuple, and a text for true and false, because Python's true equals 1."""
    if isinstance(value, bool):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
