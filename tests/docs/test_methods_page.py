"""docs/reference/methods.md agrees with the registries."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Entry
from paretoib.specs import METHODS, TrialSpec
from paretoib.weighting import WEIGHTINGS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "methods.md"


def table(first_heading: str) -> list[dict[str, str]]:
    """The rows, by column, of the page's table whose first column has this heading."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    header, _, *body = rows
    return [dict(zip(header, row, strict=True)) for row in body]


@pytest.mark.parametrize(
    ("first_heading", "registry"),
    [("objective", OBJECTIVES), ("weighting", WEIGHTINGS), ("model", MODELS)],
)
def test_a_table_lists_the_whole_registry(
    first_heading: str, registry: Mapping[str, Entry]
) -> None:
    """The rows of a table have the order, the classes and the papers of the registry."""
    rows = table(first_heading)
    assert [row[first_heading] for row in rows] == list(registry)
    for row in rows:
        entry = registry[row[first_heading]]
        assert row["class"] == entry.target.removeprefix("paretoib.").replace(":", ".")
        assert row["paper"] == entry.paper
        assert all(row[column] for column in row if column != "paper")


def test_noise_and_data_agree_with_the_registries() -> None:
    """The page has the noise of each objective and the data of each model."""
    assert {r["objective"]: r["noise"] for r in table("objective")} == {
        name: entry.noise for name, entry in OBJECTIVES.items()
    }
    assert {r["model"]: tuple(r["data"].split(", ")) for r in table("model")} == {
        name: entry.inputs for name, entry in MODELS.items()
    }


@pytest.mark.parametrize(
    ("first_heading", "data"), [("one task", "digits"), ("several tasks", "multi_mnist")]
)
def test_the_page_has_the_combinations_that_a_spec_accepts(first_heading: str, data: str) -> None:
    """A `yes` in a table is a valid trial, and a `no` is a trial that is refused."""
    rows = table(first_heading)
    assert [row[first_heading] for row in rows] == list(OBJECTIVES)
    for row in rows:
        assert list(row)[1:] == list(WEIGHTINGS)
        for weighting, cell in list(row.items())[1:]:
            model = OBJECTIVES[row[first_heading]].model or "mlp"
            document = {"data": data, "model": model, "objective": row[first_heading]}
            try:
                TrialSpec.from_document({**document, "weighting": weighting})
                expected = "yes"
            except SpecError:
                expected = "no"
            assert cell == expected, (row[first_heading], weighting)


def test_every_method_is_listed_once_with_its_parts() -> None:
    """The table of methods has the order of METHODS. Each row has a paper and a check."""
    rows = table("method")
    assert [row["method"] for row in rows] == list(METHODS)
    objectives = [row["objective"] for row in table("objective")]
    weightings = [row["weighting"] for row in table("weighting")]
    for row in rows:
        method = METHODS[row["method"]]
        assert row["objective"] == method.objective
        assert row["objective"] in objectives
        assert row["weighting"] == method.weighting
        assert row["weighting"] in weightings
        assert row["paper"] == method.paper
        assert row["paper"]
        assert row["checked against"]
