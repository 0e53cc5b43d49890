"""docs/methods.md says what there is."""

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
PAGE = ROOT / "docs" / "methods.md"


def table(first: str, page: Path = PAGE) -> list[dict[str, str]]:
    """The rows of the page's table whose first column is headed `first`, each by column."""
    lines = page.read_text().splitlines()
    head = "| " + f"{first} |".lstrip()
    start = next(i for i, line in enumerate(lines) if line.startswith(head))
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


@pytest.mark.parametrize(("first", "data"), [("", "digits"), ("several tasks", "multi_mnist")])
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


def test_methods_that_are_no_objectives_are_listed_with_their_parts() -> None:
    """In the order of METHODS."""
    rows = {row["method"]: row for row in table("method")}
    assert list(rows) == [name for name in METHODS if name not in OBJECTIVES]
    for name, row in rows.items():
        method = METHODS[name]
        found = (row["objective"], row["weighting"], row["paper"])
        assert found == (method.objective, method.weighting, method.paper)


def test_the_readmes_table_has_every_method_once() -> None:
    """With its weighting, classes that there are, a paper, and what it was checked against."""
    found: list[str] = []
    for row in table("method", ROOT / "README.md"):
        names = re.findall(r"\w+", row["method"])
        weightings = {METHODS[name].weighting for name in names}
        assert weightings <= set(re.findall(r"`?(\w+)`?", row["weighting"])), names
        for place in re.findall(r"[\w.]+", row["class"].replace(" on one task", "")):
            assert resolves(place), place
        assert row["paper"], names
        assert row["checked against"], names
        found += names
    assert sorted(found) == sorted(METHODS)


def resolves(place: str) -> bool:
    """Whether `_module`, `package._module.Class` or `Class` is part of the objectives or so."""
    targets = {
        entry.target.removeprefix("paretoib.").replace(":", ".")
        for registry in (OBJECTIVES, WEIGHTINGS, MODELS)
        for entry in registry.values()
    }
    return any(f".{place.strip('.')}." in f".{target}." for target in targets if place.strip("."))


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
