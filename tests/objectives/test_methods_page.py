"""docs/methods.md and the README's table agree with the registries."""

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
    """The rows of the table whose first column has the header `first`, as {column: cell}."""
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
    """The table has every entry with its class and paper, in the order of the registry."""
    rows = table(first)
    assert [row[first] for row in rows] == list(registry)
    for row in rows:
        entry = registry[row[first]]
        assert row["class"] == entry.target.removeprefix("paretoib.").replace(":", ".")
        assert row["paper"] == entry.paper
        assert all(row[column] for column in row if column != "paper")


def test_the_noise_and_the_data_are_those_of_the_rows() -> None:
    """Noise and kinds of data are those in the registries."""
    assert {r["objective"]: r["noise"] for r in table("objective")} == {
        name: row.noise for name, row in OBJECTIVES.items()
    }
    assert {r["model"]: tuple(r["data"].split(", ")) for r in table("model")} == {
        name: row.inputs for name, row in MODELS.items()
    }


@pytest.mark.parametrize(("first", "data"), [("", "digits"), ("several tasks", "multi_mnist")])
def test_what_combines_is_what_a_spec_takes(first: str, data: str) -> None:
    """Each `yes` is a valid spec, each `no` is refused."""
    rows = table(first)
    assert [row[first] for row in rows] == list(OBJECTIVES)
    for row in rows:
        assert list(row)[1:] == list(WEIGHTINGS)
        for weighting, answer in list(row.items())[1:]:
            model = OBJECTIVES[row[first]].model or "mlp"
            document = {"data": data, "model": model, "objective": row[first]}
            try:
                TrialSpec.from_document({**document, "weighting": weighting})
                accepted = "yes"
            except SpecError:
                accepted = "no"
            assert answer == accepted, (row[first], weighting)


def test_methods_that_are_no_objectives_are_listed_with_their_parts() -> None:
    """With objective, weighting and paper, in the order of METHODS."""
    rows = {row["method"]: row for row in table("method")}
    assert list(rows) == [name for name in METHODS if name not in OBJECTIVES]
    for name, row in rows.items():
        method = METHODS[name]
        parts = (row["objective"], row["weighting"], row["paper"])
        assert parts == (method.objective, method.weighting, method.paper)


def test_the_readmes_table_has_every_method_once() -> None:
    """Each row has the weighting, existing classes, a paper and a ground truth."""
    listed: list[str] = []
    for row in table("method", ROOT / "README.md"):
        names = re.findall(r"\w+", row["method"])
        weightings = {METHODS[name].weighting for name in names}
        assert weightings <= set(re.findall(r"`?(\w+)`?", row["weighting"])), names
        for reference in re.findall(r"[\w.]+", row["class"].replace(" on one task", "")):
            assert resolves(reference), reference
        assert row["paper"], names
        assert row["checked against"], names
        listed += names
    assert sorted(listed) == sorted(METHODS)


def resolves(reference: str) -> bool:
    """Whether `_module`, `package._module.Class` or `Class` is in a target of a registry."""
    targets = {
        entry.target.removeprefix("paretoib.").replace(":", ".")
        for registry in (OBJECTIVES, WEIGHTINGS, MODELS)
        for entry in registry.values()
    }
    name = reference.strip(".")
    return bool(name) and any(f".{name}." in f".{target}." for target in targets)


def test_the_papers_sizes_are_settings() -> None:
    """Each setting in the table is a valid spec on images, with the model that it names."""
    count = 0
    for row in table("paper"):
        for settings in re.findall(r"`(model=[^`]*)`", f"`{row['settings']}`"):
            fields = dict(item.split("=") for item in settings.split())
            name = fields.pop("model")
            widths = {k: v.strip("[]").split(",") if "[" in v else v for k, v in fields.items()}
            method = "det" if MODELS[name].sigmoid else "mib"
            sweep = with_overrides({"method": method, "data": "mnist", "model": name}, widths)
            assert sweep.model.name == name
            count += 1
    assert count == 11
