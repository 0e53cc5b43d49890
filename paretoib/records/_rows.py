"""Fronts and comparisons as tables: one row for each trial, or one for each setting.

A column is named after a field of the record, so that its unit is in its name. The columns of the
parameters have dotted names, such as `weighting.beta`. `accuracy` is a share from 0 to 1.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from paretoib.records._outcomes import (
    MEASURES,
    FailedTrial,
    Interval,
    Measures,
    Outcome,
    Point,
    Setting,
)

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]
RowKind = Literal["trials", "settings"]

# Fields of points and settings that only some documents have, in the order of the columns.
_COMPARED = ("dominated_by_other", "dominated_bits")


def trial_rows(points: Sequence[Point], failed: Iterable[FailedTrial] = ()) -> list[Row]:
    """One row for each trial; the trials without a result come last, with a reason."""
    rows = [
        {
            "trial": point.trial,
            "seed": point.seed,
            "status": "finished",
            **_params(point.params),
            **_measures(point),
            **_tasks(point),
            "seconds": point.seconds,
            "order": point.order,
            **_place(point),
            "reason": None,
        }
        for point in points
    ]
    rows += [
        {
            "trial": trial.trial,
            "seed": trial.seed,
            "status": trial.status,
            **_params(trial.params),
            "seconds": trial.seconds,
            "order": trial.order,
            "on_front": False,
            "supported": False,
            "reason": trial.reason,
        }
        for trial in failed
    ]
    return even_rows(rows)


def setting_rows(settings: Sequence[Setting]) -> list[Row]:
    """One row for each setting: means over seeds, and the ends of their intervals.

    `seeds` is the number of seeds with a result, and `failed` the number of trials without one.
    """
    return even_rows(
        {
            **_params(setting.params),
            "seeds": len(setting.seeds),
            "failed": sum(setting.failed.values()),
            **_measures(setting),
            "seconds": setting.seconds,
            **{
                name: value
                for measure in (*MEASURES, "seconds")
                for name, value in _ends(measure, setting.intervals.get(measure)).items()
            },
            **_place(setting),
            "trials": " ".join(setting.trials),
        }
        for setting in settings
    )


def even_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows with equal columns, each with cells of one type.

    A cell that a row does not have is None. A column with several types, such as numbers and text,
    becomes text.
    """
    rows = list(rows)
    columns = dict.fromkeys(name for row in rows for name in row)
    cells = {name: _of_one_type([row.get(name) for row in rows]) for name in columns}
    return [{name: cells[name][i] for name in columns} for i in range(len(rows))]


def _of_one_type(cells: list[Any]) -> list[Any]:
    types = {type(cell) for cell in cells if cell is not None}
    if len(types) < 2 or types == {int, float}:
        return cells
    return [None if cell is None else str(cell) for cell in cells]


def data_frame(rows: Sequence[Row]) -> "DataFrame":
    """The rows as a pandas table; a column of numbers that are all unknown has NaN."""
    # pandas takes half a second to import.
    from pandas import DataFrame

    frame = DataFrame(rows)
    unknown = [name for name in frame if name != "reason" and frame[name].isna().all()]
    return frame.astype(dict.fromkeys(unknown, float))


def _params(params: Mapping[str, Any]) -> Row:
    """The parameters, with lists and mappings as JSON: the cells of a table are scalars."""
    return {
        name: json.dumps(value) if isinstance(value, list | tuple | Mapping) else value
        for name, value in params.items()
    }


def _measures(outcome: Outcome) -> Row:
    validation = outcome.validation
    return {name: getattr(outcome, name) for name in MEASURES} | {
        f"validation_{name}": getattr(validation, name, None) for name in Measures.model_fields
    }


def _tasks(point: Point) -> Row:
    return {
        f"{task}_{name}": value for task, metrics in point.tasks.items() for name, value in metrics
    }


def _place(outcome: Outcome) -> Row:
    """Where an outcome lies on the front, on the hull, and in a comparison."""
    low, high = outcome.beta_interval or (None, None)
    return {
        "on_front": outcome.on_front,
        "supported": outcome.supported,
        "beta_low": low,
        "beta_high": high,
        "hull_gap_bits": outcome.hull_gap_bits,
        **_ends("hull_gap_bits", outcome.hull_gap_interval),
        **{name: getattr(outcome, name) for name in _COMPARED if hasattr(outcome, name)},
    }


def _ends(name: str, interval: Interval | None) -> Row:
    return {f"{name}_low": interval and interval.low, f"{name}_high": interval and interval.high}
