"""The choice of one setting from the fronts of one or more sweeps."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field

from paretoib.documents import Document
from paretoib.errors import ChoiceError
from paretoib.records._outcomes import Interval, Setting
from paretoib.records._sweeps import SweepInfo

RuleName = Literal["max_rate", "min_accuracy", "knee", "prefer"]
Criterion = Literal["lost_bits", "rate_bits", "knee", "preference"]

# Smallest and largest value of each rule.
_BOUNDS: Mapping[RuleName, tuple[float, float]] = {
    "max_rate": (0, float("inf")),
    "min_accuracy": (0, 1),
    "prefer": (0, 1),
}


class PickRule(Document):
    """How a setting is chosen.

    `max_rate`: the fewest lost bits at a rate of at most `value` bits. `min_accuracy`: the lowest
    rate with an accuracy (0 to 1) of at least `value`. `knee`: the knee of the front, without a
    value. `prefer`: the weight `value` (0 to 1) for few lost bits, and 1 − `value` for a low rate.
    """

    name: RuleName
    value: float | None = None

    @classmethod
    def of(
        cls,
        *,
        max_rate: float | None = None,
        min_accuracy: float | None = None,
        knee: bool = False,
        prefer: float | None = None,
    ) -> Self:
        """The rule that one of these arguments gives.

        Raises `ChoiceError` for none or several of them, and for a value out of bounds.
        """
        values: dict[RuleName, float | None] = {
            "max_rate": max_rate,
            "min_accuracy": min_accuracy,
            "knee": None,
            "prefer": prefer,
        }
        given: list[RuleName] = [
            n for n, v in values.items() if v is not None or (n == "knee" and knee)
        ]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ChoiceError(f"one rule of {', '.join(values)} should be given; found {found}")
        name, value = given[0], values[given[0]]
        if value is not None:
            low, high = _BOUNDS[name]
            if not (low <= value <= high and value < float("inf")):
                upper = f" and at most {high:g}" if high < float("inf") else " and finite"
                raise ChoiceError(f"{name} should be at least {low:g}{upper}; found {value:g}")
        return cls(name=name, value=value)


class PickedSetting(Setting):
    """A setting of a pick; front and hull are those of the means of all sweeps of the pick.

    `sweeps` are the ids of the sweeps that have a trial of the setting.
    """

    sweeps: tuple[str, ...]


class LimitCheck(Document):
    """Whether the chosen setting keeps the limit of the rule on the test split too.

    `measure` is the field that the rule limits. `kept` compares its mean on the test split with the
    `limit`. `shown` says whether the whole confidence interval keeps the limit; None without an
    interval.
    """

    measure: Literal["rate_bits", "accuracy"]
    limit: float
    kept: bool
    shown: bool | None


class Margin(Document):
    """How far the runner-up lies behind the choice on the test split.

    `difference` is runner-up minus choice in the `criterion` that the rule minimises, as the mean
    over the `seeds` that both settings have; it is in bits for `lost_bits` and `rate_bits`, and in
    units of the scaled axes for `knee` and `preference`. `interval` is its interval by Student's t;
    None with fewer than three such seeds. The seeds show a difference if the interval excludes 0.
    """

    criterion: Criterion
    difference: float
    seeds: tuple[int, ...]
    interval: Interval | None

    @property
    def shown(self) -> bool:
        """Whether the two settings differ by more than the noise of the seeds."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


class Pick(Document):
    """One setting, chosen by its means on the validation split; the document of `pick --json`.

    The measures of `choice` and `runner_up` are those of the test split, and their `validation` has
    those that the rule compared. `trial` is the key of the choice's best trial by the same rule, on
    the validation split too. `candidates` counts the settings that satisfy the rule, and `left_out`
    counts the settings that cannot be chosen, by reason. `text` says all this in one line.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    split: Literal["test"] = "test"
    rule: PickRule
    where: tuple[str, ...] = ()
    sweeps: tuple[SweepInfo, ...]
    choice: PickedSetting
    trial: str
    candidates: int
    left_out: Mapping[str, int] = {}
    limit: LimitCheck | None = None
    runner_up: PickedSetting | None = None
    margin: Margin | None = None
    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Pick {self.text}>"
