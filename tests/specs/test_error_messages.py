"""Error messages tell the user how to correct a spec."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec, with_overrides

from .spec_errors import error_message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"epochs": 2}, "epochs: unknown field; found value 2; did you mean `training.epochs`?"),
        ({"latent": 2}, "did you mean `model.latent`?"),
        ({"gpus": 1}, "did you mean `resources.gpus`?"),
        ({"seconds": 1}, "did you mean `budget.seconds`?"),
        ({"method": "vib", "beta": 0.1}, "did you mean `weighting.beta`?"),
        (
            {"dataset": "digits"},
            "dataset: unknown field; found value 'digits'; did you mean `data`?",
        ),
        ({"training": {"epoch": 2}}, "found value 2; did you mean `epochs`?"),
        ({"prune": {"rung": [0.5]}}, "did you mean `rungs`?"),
        ({"model": {"name": "mlp", "latnet": 2}}, "did you mean `latent`?"),
    ],
)
def test_a_misplaced_or_misspelt_field_gets_a_suggestion(document: Any, message: str) -> None:
    """A misplaced field gets its full name, a misspelt field a similar name of its section."""
    assert error_message(document).endswith(message)


@pytest.mark.parametrize(
    "document", [{"beta": 1}, {"xyzzy": 1}, {"training": {"xyzzy": 1}}, {3: 4}]
)
def test_a_field_without_a_similar_name_gets_no_suggestion(document: Any) -> None:
    """`beta` is not suggested for MIB, because only other weightings have it."""
    assert "did you mean" not in error_message(document)


@pytest.mark.parametrize("field", ["beta", "weighting.beta"])
@pytest.mark.parametrize("kind", ["fields", "grid", "space"])
def test_weighting_mib_has_no_field_beta(field: str, kind: str) -> None:
    """The message lists the weightings that have β, and suggests no similar name."""
    with pytest.raises(SpecError) as caught:
        with_overrides({"method": "mib"}, **{kind: {field: "1,2"}})
    message = str(caught.value)
    assert f"unknown field `{field}`: weighting `mib` has no such field; " in message
    others = "linear, uncertainty, task_weights, smooth_linear"
    assert f"it is a field of weighting {others}; known" in message
    assert "did you mean" not in message


def test_a_misspelt_full_name_gets_a_suggestion() -> None:
    """The suggestion replaces the last part of a full name such as `weighting.betta`."""
    with pytest.raises(SpecError, match=r"unknown field `weighting.betta`; did you mean `beta`"):
        with_overrides({"method": "vib"}, {"weighting.betta": 1})


def test_the_message_lists_sections_and_resources_too() -> None:
    """The message for an unknown field lists the names of sections and resources too."""
    with pytest.raises(SpecError) as caught:
        with_overrides({"method": "vib"}, {"resources_gpus": 1})
    known = str(caught.value).partition("known: ")[2].split(", ")
    assert {"beta", "data", "model", "objective", "resources.gpus", "seed"} <= set(known)
    assert "did you mean `resources.gpus`" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"seeds": 0}, "seeds: should be a list such as [0]; found 0"),
        ({"seeds": {}}, "seeds: should be a list; found {}"),
        (
            {"model": {"name": "mlp", "hidden": 16}},
            "hidden: should be a list such as [16]; found 16",
        ),
        ({"seeds": ["a"]}, "seeds.0: should be a valid integer; found 'a'"),
        ({"training": {"learning_rate": "a"}}, "should be a valid number; found 'a'"),
        ({"objectives": ["rate", "foo"]}, "'error' or 'cost'; found 'foo'"),
        ({"data": {"name": "gaussian", "correlations": [1.5]}}, "less than 1; found 1.5"),
        ({"reference": [1]}, "reference.1: should be given"),
        ({"seeds": ["a", "b"]}, "seeds.0: should be a valid integer; found 'a' (and 1 more)"),
    ],
)
def test_rules_are_in_plain_words(document: Any, message: str) -> None:
    """A message gives the field and the rule in words; further errors are only counted."""
    assert error_message(document).endswith(message)


@pytest.mark.parametrize(
    "document",
    [
        {"method": "mib", "grid": {"mu": [0.5] * 1_000}},
        {"seeds": [0] * 100_000},
        {"data": {"size": ["x"] * 100_000}},
        {"method": "vib", "grid": {"beta": "0:1:" + "9" * 100_000}},
        {"method": "vib", "search": "random", "space": {"beta": "a:" + "b" * 100_000}},
    ],
)
def test_a_long_value_is_truncated(document: Any) -> None:
    """If a value is long, the message still has fewer than 300 characters."""
    message = error_message(document)
    assert "…" in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"trials": True}, "trials"),
        ({"seeds": [True]}, "seeds"),
        ({"budget": {"seconds": True}}, "budget.seconds"),
        ({"resources": {"cpus": True}}, "resources.cpus"),
        ({"training": {"epochs": True}}, "training.epochs"),
        ({"reference": [True, 1]}, "reference"),
        ({"method": "vib", "grid": {"beta": [True]}}, "weighting.beta"),
        ({"method": "vib", "space": {"beta": {"low": False, "high": 1}}}, "space.beta: low"),
        ({"model": {"name": "mlp", "hidden": [8, True]}}, "model.hidden"),
    ],
)
def test_a_boolean_is_not_a_number(document: Any, field: str) -> None:
    """A number may not be a boolean, in any section or list."""
    assert error_message(document).startswith(f"{field}: should not be true or false; found ")


def test_a_section_may_not_be_true() -> None:
    """A section should be a mapping, which may be empty; `true` is refused."""
    for section in ("prune", "plateau", "training", "budget"):
        assert error_message({section: True}) == f"{section}: should be a mapping; found True"


def test_a_boolean_field_takes_true_and_false() -> None:
    """A boolean field takes true and false as its value and on an axis."""
    document = {"method": "mib", "weighting": {"name": "mib", "smooth": False}}
    assert SweepSpec.from_document(document).weighting["smooth"] is False
    spec = SweepSpec.from_document({"method": "mib", "grid": {"smooth": [True, False]}})
    assert spec.grid["weighting.smooth"] == (True, False)


@pytest.mark.parametrize(
    "name", ["\x1b[31m", "a\x00", "\x85", "a\u2028b", "\u202eabc", "a\tb", "  "]
)
def test_a_name_is_printable(name: str) -> None:
    """Unprintable characters in a name are refused, because they can harm terminals."""
    assert error_message({"name": name}).startswith(
        "name: should have only printable characters; found "
    )


def test_a_name_may_be_in_any_language() -> None:
    """A name may have letters, ideographs and emoji; an empty name gets the default."""
    for name in ("", "β-Raster 2", "実験　一", "👩‍🔬", "vib-digits"):
        assert SweepSpec.from_document({"name": name}).name == (name or "mib-digits")


@pytest.mark.parametrize(
    ("gpus", "valid"), [(0, True), (1e-4, True), (9e-5, False), (1e-320, False)]
)
def test_a_share_of_a_gpu_is_large_enough_for_ray(gpus: float, valid: bool) -> None:
    """The share of a GPU should be 0, or at least 0.0001, Ray's smallest share."""
    document = {"resources": {"gpus": gpus}}
    if valid:
        assert SweepSpec.from_document(document).resources.gpus == gpus
    else:
        assert f"resources.gpus: should be 0, or 0.0001 or more; found {gpus}" in error_message(
            document
        )


def test_yaml_with_a_key_twice_is_refused() -> None:
    """A repeated key in YAML is refused; PyYAML alone would keep its last value."""
    for text in ("method: vib\nmethod: mib\n", "training: {epochs: 1, epochs: 2}"):
        with pytest.raises(
            SpecError, match=r"should be YAML; found the key `(method|epochs)` 2 times"
        ):
            SweepSpec.from_yaml(text)


def test_a_field_given_twice_is_refused() -> None:
    """A field that is both set and varied, or set twice, is refused."""
    for kind in ("grid", "space"):
        with pytest.raises(
            SpecError, match=r"weighting.beta: should be set, or be varied; found both"
        ):
            with_overrides(
                {"method": "vib", "search": "random"},
                {"beta": 1},
                **{kind: {"weighting.beta": "1,2"}},
            )
    with pytest.raises(SpecError, match="fields: should name each field once; found"):
        with_overrides({}, {"epochs": 3, "training.epochs": 4})


def test_pruning_needs_two_epochs() -> None:
    """Pruning needs two epochs. If `epochs` is varied, the largest value counts."""
    one_epoch = {"prune": {}, "training": {"epochs": 1}}
    assert error_message(one_epoch) == (
        "prune: should have 2 training epochs or more, so that a rung comes before the last epoch; "
        "found 1"
    )
    assert SweepSpec.from_document(one_epoch | {"method": "vib", "grid": {"epochs": [1, 4]}}).prune


def test_rounding_keeps_the_values_of_a_log_spaced_axis_different() -> None:
    """Values have four significant digits, or more if values would coincide, as here."""
    spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1:1.01:60"}})
    betas = spec.grid["weighting.beta"]
    assert len(set(betas)) == 60
    assert betas[:3] == (1.0, 1.0002, 1.0003)
