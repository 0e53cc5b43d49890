"""Fronts and comparisons as CSV and Parquet files."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

from paretoib.records import Comparison, Front, Row, RowKind

TableFormat = Literal["csv", "parquet"]


def table_file(
    source: Front | Comparison, format: TableFormat = "csv", *, trials: bool = False
) -> bytes:
    """The rows of `Front.rows` or `Comparison.rows` as a file.

    If a setting has results of two seeds, a row is a setting; with `trials` every row is a trial.
    """
    kind: RowKind = "settings" if source.replicated and not trials else "trials"
    if format == "csv":
        return _csv(source.rows(kind))
    target = io.BytesIO()
    source.to_pandas(kind).to_parquet(target, index=False)
    return target.getvalue()


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]] if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
