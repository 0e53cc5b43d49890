"""What there is: methods, data sets, models and searches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoib.specs import METHODS, SweepSpec, Training

Run = Callable[..., Any]


@pytest.mark.parametrize("command", ["methods", "datasets", "models", "searches"])
def test_catalogues_name_every_entry(run: Run, tmp_path: Path, command: str) -> None:
    """In words one after another; as JSON with their fields."""
    document = run(tmp_path, command, "--json").document
    shown = run(tmp_path, command)
    assert document["schema"] == 1
    heads = [line.partition(": ")[0] for line in shown.out.splitlines()]
    assert [name for name in heads if name in document[command]] == list(document[command])
    fields = any(row["fields"] for row in document[command].values())
    assert (f"paretoib {command} NAME" in shown.err) == fields


@pytest.mark.parametrize("command", ["datasets", "models", "searches"])
def test_one_is_shown_with_all_its_fields(run: Run, tmp_path: Path, command: str) -> None:
    """With their defaults and what they are; as JSON it alone."""
    rows = run(tmp_path, command, "--json").document[command]
    name = list(rows)[1]
    shown = run(tmp_path, command, name).out
    assert shown.startswith(f"{name}: ")
    assert all(f"  {field} " in shown for field in rows[name]["fields"])
    assert run(tmp_path, command, name, "--json").document == {
        "schema": 1,
        command: {name: rows[name]},
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("vib", ["search grid: 16 trials, over seeds 0", "varies weighting.beta: 0.0001, "]),
        (
            "mib",
            ["search adaptive: 12 trials, over seeds 0, 1, 2", "weighting.mu: 0.02 to 20 (log)"],
        ),
        ("gs", ["weighting task_weights", "model small_alexnet", "data multi_mnist"]),
    ],
)
def test_a_method_is_shown_with_its_sweep(
    run: Run, tmp_path: Path, name: str, told: list[str]
) -> None:
    """How it is searched, what it varies, and every field that can be set, training's too."""
    shown = run(tmp_path, "methods", name).out
    assert all(part in shown for part in told)
    template = SweepSpec.from_document({"method": name}).template
    fields = [*template.weighting.params, *template.model.params, *Training.model_fields]
    assert all(f"\n  {field} " in shown for field in fields)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_defaults_are_its_own(run: Run, tmp_path: Path, name: str) -> None:
    """What is off in an ablation is shown as off: as its sweep has it."""
    fields = run(tmp_path, "methods", name, "--json").document["methods"][name]["fields"]
    document = SweepSpec.from_document({"method": name}).document
    own = {**document["objective"], **document["weighting"]}
    assert {field: row["default"] for field, row in fields.items()} == {f: own[f] for f in fields}


def test_one_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    """With those that are, and a guess."""
    ended = run(tmp_path, "methods", "vibb")
    assert (ended.code, ended.out) == (2, "")
    assert "unknown method: should be one of mib, " in ended.err
    assert "found `vibb`; did you mean `vib`?" in ended.err
