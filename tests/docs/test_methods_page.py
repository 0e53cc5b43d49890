"""docs/reference/methods.md agrees with the registries."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Entry
from paretoib.specs import METHODS, TrialSpec, with_overrides
from paretoib.weighting import WEIGHTINGS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "methods.md"


def table(first: str) -> list[dict[str, str]]:
    """The rows, by column, of the page's table whose first column has the heading `first`."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    header, _, *body = rows
    return [dict(zip(header, row, strict=True)) for row in body]


@pytest.mark.parametrize(
    ("first", "registry"),
    [("objective", OBJECTIVES), ("weighting", WEIGHTINGS), ("model", MODELS)],
)
def test_a_table_lists_the_whole_registry(first: str, registry: Mapping[str, Entry]) -> None:
    """Every row with its class and paper, in the registry's order."""
    rows = table(first)
    assert [row[first] for row in rows] == list(registry)
    for row in rows:
        entry = registry[row[first]]
        assert row["class"] == entry.target.removeprefix("paretoib.").replace(":", ".")
        assert row["paper"] == entry.paper
        assert all(row[column] for column in row if column != "paper")


def test_the_noise_and_the_data_are_those_of_the_rows() -> None:
    """As the registries declare them."""
    assert {r["objective"]: r["noise"] for r in table("objective")} == {
        name: row.noise for name, row in OBJECTIVES.items()
    }
    assert {r["model"]: tuple(r["data"].split(", ")) for r in table("model")} == {
        name: row.inputs for name, row in MODELS.items()
    }


@pytest.mark.parametrize(
    ("first", "data"), [("one task", "digits"), ("several tasks", "multi_mnist")]
)
def test_what_combines_is_what_a_spec_takes(first: str, data: str) -> None:
    """Each `yes` is a trial, and each `no` is refused."""
    rows = table(first)
    assert [row[first] for row in rows] == list(OBJECTIVES)
    for row in rows:
        assert list(row)[1:] == list(WEIGHTINGS)
        for weighting, answer in list(row.items())[1:]:
            model = OBJECTIVES[row[first]].model or "mlp"
            document = {"data": data, "model": model, "objective": row[first]}
            try:
                TrialSpec.from_document({**document, "weighting": weighting})
                taken = "yes"
            except SpecError:
                taken = "no"
            assert answer == taken, (row[first], weighting)


def test_every_method_is_listed_once_with_its_parts() -> None:
    """In the order of METHODS, with its paper and what it was checked against."""
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


def test_the_papers_sizes_are_settings() -> None:
    """Each line of them makes a trial on images, with the model that it names."""
    found = 0
    for row in table("paper"):
        for settings in re.findall(r"`(model=[^`]*)`", f"`{row['settings']}`"):
            fields = dict(item.split("=") for item in settings.split())
            name = fields.pop("model")
            widths = {k: v.strip("[]").split(",") if "[" in v else v for k, v in fields.items()}
            method = "det" if MODELS[name].sigmoid else "mib"
            sweep = with_overrides({"method": method, "data": "mnist", "model": name}, widths)
            assert sweep.model.name == name
            found += 1
    assert found == 11
