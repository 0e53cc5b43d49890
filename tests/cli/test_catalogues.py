"""`paretoib methods`, `datasets`, `models` and `searches`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoib.specs import METHODS, SweepSpec, Training

Run = Callable[..., Any]


@pytest.mark.parametrize("command", ["methods", "datasets", "models", "searches"])
def test_catalogues_name_every_entry(run: Run, tmp_path: Path, command: str) -> None:
    """The text lists the names of the JSON document, in its order."""
    document = run(tmp_path, command, "--json").document
    printed = run(tmp_path, command)
    assert document["schema"] == 1
    labels = [line.partition(": ")[0] for line in printed.out.splitlines()]
    assert [name for name in labels if name in document[command]] == list(document[command])
    fields = any(entry["fields"] for entry in document[command].values())
    assert (f"paretoib {command} NAME" in printed.err) == fields


@pytest.mark.parametrize("command", ["datasets", "models", "searches"])
def test_an_entry_is_printed_with_all_its_fields(run: Run, tmp_path: Path, command: str) -> None:
    """`--json` prints the same entry and no other."""
    entries = run(tmp_path, command, "--json").document[command]
    name = list(entries)[1]
    printed = run(tmp_path, command, name).out
    assert printed.startswith(f"{name}: ")
    assert all(f"  {field} " in printed for field in entries[name]["fields"])
    assert run(tmp_path, command, name, "--json").document == {
        "schema": 1,
        command: {name: entries[name]},
    }


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("vib", ["search grid: 16 trials; seeds 0", "varies weighting.beta: 0.0001, "]),
        (
            "mib",
            ["search adaptive: 12 trials; seeds 0, 1, 2", "weighting.mu: 0.02 to 20 (log)"],
        ),
        ("gs", ["weighting task_weights", "model small_alexnet", "data multi_mnist"]),
    ],
)
def test_a_method_is_printed_with_its_default_sweep(
    run: Run, tmp_path: Path, name: str, parts: list[str]
) -> None:
    """The output has the search, the varied fields and every field that can be set."""
    printed = run(tmp_path, "methods", name).out
    assert all(part in printed for part in parts)
    template = SweepSpec.from_document({"method": name}).template
    fields = [*template.weighting.params, *template.model.params, *Training.model_fields]
    assert all(f"\n  {field} " in printed for field in fields)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_defaults_are_its_own(run: Run, tmp_path: Path, name: str) -> None:
    """The catalogue has the defaults of the method's sweep, such as the switches of an ablation."""
    fields = run(tmp_path, "methods", name, "--json").document["methods"][name]["fields"]
    document = SweepSpec.from_document({"method": name}).document
    values = {**document["objective"], **document["weighting"]}
    defaults = {name: field["default"] for name, field in fields.items()}
    assert defaults == {name: values[name] for name in fields}


def test_an_unknown_name_is_refused(run: Run, tmp_path: Path) -> None:
    """The error lists the known names and suggests a similar one."""
    ended = run(tmp_path, "methods", "vibb")
    assert (ended.code, ended.out) == (2, "")
    assert "unknown method: should be one of mib, " in ended.err
    assert "found `vibb`; did you mean `vib`?" in ended.err
