"""What an error says so that the next try is right."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec, with_overrides

from .refusing import refusal


@pytest.mark.parametrize(
    ("document", "said"),
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
def test_a_field_in_the_wrong_place_comes_with_the_right_one(document: Any, said: str) -> None:
    """Its section where it stands outside one, and else the nearest name beside it."""
    assert refusal(document).endswith(said)


@pytest.mark.parametrize(
    "document", [{"beta": 1}, {"xyzzy": 1}, {"training": {"xyzzy": 1}}, {3: 4}]
)
def test_a_field_that_is_nowhere_comes_with_no_guess(document: Any) -> None:
    """MIB has no β."""
    assert "did you mean" not in refusal(document)


@pytest.mark.parametrize("field", ["beta", "weighting.beta"])
@pytest.mark.parametrize("kind", ["fields", "grid", "space"])
def test_min_norm_weights_leave_no_beta_to_give(field: str, kind: str) -> None:
    """And no likeness of other names leads astray; what has a β is named."""
    with pytest.raises(SpecError) as caught:
        with_overrides({"method": "mib"}, **{kind: {field: "1,2"}})
    said = str(caught.value)
    assert f"unknown field `{field}` of vib + mib on digits, where weighting `mib` sets" in said
    assert "it is a field of weighting linear, uncertainty, task_weights; known" in said
    assert "did you mean" not in said


def test_full_names_are_guessed_at_as_bare_ones_are() -> None:
    """By their last part."""
    with pytest.raises(SpecError, match=r"`weighting.betta` of .*; did you mean `beta`"):
        with_overrides({"method": "vib"}, {"weighting.betta": 1})


def test_what_can_be_set_beside_the_trials_fields_is_known() -> None:
    """Sections, by their names, and resources."""
    with pytest.raises(SpecError) as caught:
        with_overrides({"method": "vib"}, {"resources_gpus": 1})
    known = str(caught.value).partition("known: ")[2].split(", ")
    assert {"beta", "data", "model", "objective", "resources.gpus", "seed"} <= set(known)
    assert "did you mean `resources.gpus`" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
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
def test_rules_are_said_in_plain_words(document: Any, said: str) -> None:
    """One wrong item is one error, however short the list is without it."""
    assert refusal(document).endswith(said)


@pytest.mark.parametrize(
    "document",
    [
        {"method": "mib", "grid": {"mu": [0.5] * 100_000}},
        {"seeds": [0] * 100_000},
        {"data": {"size": ["x"] * 100_000}},
        {"method": "vib", "grid": {"beta": "0:1:" + "9" * 100_000}},
        {"method": "vib", "search": "random", "space": {"beta": "a:" + "b" * 100_000}},
    ],
)
def test_of_a_long_value_the_beginning_is_shown(document: Any) -> None:
    """An error stays a line."""
    said = refusal(document)
    assert "…" in said
    assert len(said) < 300


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
def test_true_is_no_number(document: Any, field: str) -> None:
    """In every section; also in lists."""
    assert refusal(document).startswith(f"{field}: should not be true or false; found ")


def test_a_section_is_not_switched_on() -> None:
    """It is a mapping, if an empty one."""
    for section in ("prune", "plateau", "training", "budget"):
        assert refusal({section: True}) == f"{section}: should be a mapping; found True"


def test_switches_stay_switches() -> None:
    """True and false where they are meant, also as an axis."""
    document = {"method": "mib", "weighting": {"name": "mib", "smooth": False}}
    assert SweepSpec.from_document(document).weighting["smooth"] is False
    spec = SweepSpec.from_document({"method": "mib", "grid": {"smooth": [True, False]}})
    assert spec.grid["weighting.smooth"] == (True, False)


@pytest.mark.parametrize(
    "name", ["\x1b[31m", "a\x00", "\x85", "a\u2028b", "\u202eabc", "a\tb", "  "]
)
def test_a_name_is_printable(name: str) -> None:
    """Others have it on their terminals; PostgreSQL keeps no NUL."""
    assert refusal({"name": name}).startswith("name: should be of printable characters; found ")


def test_a_name_may_be_of_any_language() -> None:
    """Words, marks and pictures."""
    for name in ("", "β-Raster 2", "実験　一", "👩‍🔬", "vib-digits"):
        assert SweepSpec.from_document({"name": name}).name == (name or "mib-digits")


@pytest.mark.parametrize(
    ("gpus", "fits"), [(0, True), (1e-4, True), (9e-5, False), (1e-320, False)]
)
def test_a_share_of_a_gpu_is_one_that_ray_counts(gpus: float, fits: bool) -> None:
    """Nothing, or a ten-thousandth or more."""
    document = {"resources": {"gpus": gpus}}
    if fits:
        assert SweepSpec.from_document(document).resources.gpus == gpus
    else:
        assert f"resources.gpus: should be 0, or 0.0001 or more; found {gpus}" in refusal(document)


def test_yaml_with_a_key_twice_is_refused() -> None:
    """The last would be taken, and the first be forgotten."""
    for text in ("method: vib\nmethod: mib\n", "training: {epochs: 1, epochs: 2}"):
        with pytest.raises(
            SpecError, match=r"should be YAML; found the key `(method|epochs)` 2 times"
        ):
            SweepSpec.from_yaml(text)


def test_a_field_is_set_or_varied_and_set_once() -> None:
    """A contradiction has no meaning to guess at."""
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


def test_one_epoch_has_no_rung_to_prune_at() -> None:
    """Of epochs that vary the most count."""
    one = {"prune": {}, "training": {"epochs": 1}}
    assert "prune: should have 2 epochs or more to compare trials at; found 1" in refusal(one)
    assert SweepSpec.from_document(one | {"method": "vib", "grid": {"epochs": [1, 4]}}).prune


def test_a_log_spaced_axis_is_rounded_no_further_than_its_values_differ() -> None:
    """Four digits where they do."""
    spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1:1.01:60"}})
    betas = spec.grid["weighting.beta"]
    assert len(set(betas)) == 60
    assert betas[:3] == (1.0, 1.0002, 1.0003)
