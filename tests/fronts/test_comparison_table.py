"""The table of a comparison."""

from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from paretoib.fronts import (
    ComparisonRow,
    compare,
    comparison_html,
    comparison_rows,
    comparison_statistics,
    format_number,
)
from paretoib.records import Comparison, Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

DOCS = Path(__file__).parents[2] / "docs" / "fronts.md"


@pytest.fixture
def comparison(make_trial: MakeTrial, make_front: MakeFront) -> Comparison:
    """A comparison of three seeds on the left and one on the right, without an exact curve."""
    left = [make_trial(1.0, 1.0 + seed, seed=seed, seconds=50.0) for seed in range(3)]
    right = [make_trial(2.0, 2.0)]
    return compare(
        [make_front(left, name="a", method="mib")], [make_front(right, name="b", method="vib")]
    )


def test_rows_hold_the_numbers_of_both_sides(comparison: Comparison) -> None:
    """A row has the numbers of both sides as text, with a dash for a missing number."""
    rows = {row.label: row for row in comparison_rows(comparison)}
    assert rows["hypervolume, bits²"][1:] == ("18", "8", "more")
    assert rows["additive ε, bits"][1:] == ("-1", "1", "less")
    assert rows["mean gap to the exact curve, bits"][1:] == ("–", "–", "less")
    assert rows["points on the front"] == ComparisonRow("points on the front", "1", "1")
    assert rows["seeds"][1:] == ("3", "1", "")
    assert rows["training time"][1:] == ("2.5 min", "1 s", "")
    mean = rows["mean hypervolume over seeds, 95 % confidence interval"]
    assert (" to " in mean.left, mean.right) == (True, "–")


def test_the_html_page_shows_every_row_and_statistic(comparison: Comparison) -> None:
    """The HTML page has all of `comparison_rows` and `comparison_statistics`."""
    html = unescape(comparison_html(comparison))
    for label, left, right, _ in comparison_rows(comparison):
        assert f"<th>{label}" in html
        assert f"<td>{left}</td><td>{right}</td>" in html
    for statistic in comparison_statistics(comparison):
        assert statistic.lower() in html.lower()


def test_the_documentation_explains_every_row(
    comparison: Comparison, make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The table in docs/fronts.md has each label, without its unit."""
    four = make_front([make_trial(1.0, 1.0)] * 4, name="a", method="mib")
    mgda = four.model_copy(
        update={"sweep": four.sweep.model_copy(update={"spec": {"weighting": {"name": "mgda"}}})}
    )
    other = make_front([make_trial(1.0, 1.0)] * 4, name="b", data={})
    sweep = other.sweep.model_copy(update={"spec": {}})
    plain = other.model_copy(update={"sweep": sweep})
    rows = [
        row
        for shown in (comparison, compare([four], [four]), compare([mgda], [plain]))
        for row in comparison_rows(shown)
    ]
    table = DOCS.read_text().partition("| row |")[2].partition("\n\n")[0]
    labels = {name for line in table.splitlines()[2:] for name in line.split("|")[1].split(",")}
    expected = {row.label.partition(",")[0] for row in rows}
    assert {label.strip() for label in labels} == expected


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 3, "–"), (0.0, 3, "0"), (1 / 3, 3, "0.333"), (1234.5, 5, "1234.5")],
)
def test_numbers_have_significant_digits(value: float | None, digits: int, text: str) -> None:
    """A number is text with the given significant digits; `None` is a dash."""
    assert format_number(value, digits) == text
