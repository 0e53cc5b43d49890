"""Numbers and dates in YAML and in flags, as users mean them."""

from typing import Any

import pytest

from paretoib.documents import load_yaml
from paretoib.errors import SpecError
from paretoib.specs import SweepSpec, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("1:10:4", "1:10:4"),
        ("010", 10),
        ("-3", -3),
        ("0x10", 16),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("2.", 2.0),
        ("-.inf", float("-inf")),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-02", "2024-01-02"),
        ("0b_", "0b_"),
        ("64,128", [64, 128]),
        ("true", True),
        ("null", None),
    ],
)
def test_values_are_read_as_in_yaml_1_2(text: str, value: Any) -> None:
    """Flags and files read no sexagesimal or octal numbers and no dates."""
    assert parse_value(text) == value
    assert load_yaml(f"field: {text}")["field"] == (text if isinstance(value, list) else value)


def test_ranges_in_a_config_need_no_quotes() -> None:
    """In a config, `1:10:4` is an axis and `2:32` is a range, not a sexagesimal number."""
    grid = SweepSpec.from_yaml("{method: vib, grid: {beta: 1:10:4}}")
    assert grid.grid["weighting.beta"] == (1.0, 2.154, 4.642, 10.0)
    space = SweepSpec.from_yaml("{method: vib, search: random, space: {latent: 2:32}}")
    latent: Any = space.space["model.latent"]
    assert (latent.low, latent.high, latent.whole) == (2, 32, True)


@pytest.mark.parametrize("value", ["2024-13-45", "0b_", "1:30"])
def test_a_value_that_is_not_a_number_is_refused(value: str) -> None:
    """The error for text instead of a number has the field and the text."""
    with pytest.raises(SpecError, match=rf"latent: should be .*; found '{value}'"):
        SweepSpec.from_document(
            {"method": "vib", "model": {"name": "mlp", "latent": parse_value(value)}}
        )
    assert SweepSpec.from_yaml("{method: vib, name: 2024-13-45}").name == "2024-13-45"
