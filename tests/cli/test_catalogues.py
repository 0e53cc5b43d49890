"""`paretoib methods`, `datasets`, `models` and `searches`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoib.specs import METHODS, SweepSpec, Training

Run = Callable[..., Any]


@pytest.mark.parametrize("command", ["methods", "datasets", "models", "searches"])
def test_catalogues_name_every_entry(run: Run, tmp_path: Path, command: str) -> None:
    """The text of a catalogue has the entries of the JSON document, in the same order."""
    document = run(tmp_path, command, "--json").document
    text = run(tmp_path, command)
    assert document["schema"] == 1
    heads = [line.partition(": ")[0] for line in text.out.splitlines()]
    assert [name for name in heads if name in document[command]] == list(document[command])
    has_fields = any(entry["fields"] for entry in document[command].values())
    assert (f"paretoib {command} NAME" in text.err) == has_fields


@pytest.mark.parametrize("command", ["datasets", "models", "searches"])
def test_one_entry_is_printed_with_all_its_fields(run: Run, tmp_path: Path, command: str) -> None:
    """With an entry's name, the text lists the entry's fields, and the JSON has only this entry."""
    entries = run(tmp_path, command, "--json").document[command]
    name = list(entries)[1]
    text = run(tmp_path, command, name).out
    assert text.startswith(f"{name}: ")
    assert all(f"  {field} " in text for field in entries[name]["fields"])
    assert run(tmp_path, command, name, "--json").document == {
        "schema": 1,
        command: {name: entries[name]},
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vib", ["search grid: 16 trials, seed 0\n", "varies weighting.beta: 0.0001, "]),
        (
            "mib",
            [
                "search adaptive: 24 trials, seeds 0, 1, 2\n",
                "varies weighting.iterations: 2 to 200 (log)",
            ],
        ),
        ("gs", ["weighting task_weights", "model small_alexnet", "data multi_mnist"]),
    ],
)
def test_a_method_is_printed_with_its_default_sweep(
    run: Run, tmp_path: Path, name: str, expected: list[str]
) -> None:
    """`methods NAME` prints the search, the varied fields, and every field.

    These are the fields of the weighting, the model and the training.
    """
    text = run(tmp_path, "methods", name).out
    assert all(part in text for part in expected)
    template = SweepSpec.from_document({"method": name}).template
    fields = [*template.weighting.params, *template.model.params, *Training.model_fields]
    assert all(f"\n  {field} " in text for field in fields)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_listed_with_its_own_defaults(run: Run, tmp_path: Path, name: str) -> None:
    """`methods NAME --json` gives the default values that a sweep of the method has.

    These may differ from the default values of the objective and the weighting; an ablation of mib,
    for example, turns a field off.
    """
    fields = run(tmp_path, "methods", name, "--json").document["methods"][name]["fields"]
    document = SweepSpec.from_document({"method": name}).document
    values = {**document["objective"], **document["weighting"]}
    defaults = {field: schema["default"] for field, schema in fields.items()}
    assert defaults == {field: values[field] for field in fields}


def test_an_unknown_name_is_refused(run: Run, tmp_path: Path) -> None:
    """The message for an unknown method lists the known methods and suggests the nearest one."""
    result = run(tmp_path, "methods", "vibb")
    assert (result.code, result.out) == (2, "")
    assert "unknown method: should be one of mib, " in result.err
    assert "found `vibb`; did you mean `vib`?" in result.err
