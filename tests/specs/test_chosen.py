"""What is left of a filled-in document without its defaults, and what others it then takes."""

from typing import Any

import pytest

from paretoib.specs import METHODS, SEARCHES, SweepSpec, without_defaults

ALWAYS = {"schema", "method", "data", "objectives", "budget", "prune", "plateau", "resources"}
ALWAYS |= {"trial_seconds", "reference"}

OWN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"method": "vib", "trials": 4}, {"trials": 4}),
    ({"method": "vib", "seeds": [1, 2]}, {"seeds": [1, 2]}),
    ({"method": "vib", "name": "mine"}, {"name": "mine"}),
    ({"method": "vib", "training": {"epochs": 3}}, {"training": {"epochs": 3}}),
    ({"training": {"epochs": 40}}, {"training": {"epochs": 40}}),
    (
        {"method": "vib", "model": {"name": "mlp", "hidden": [16]}},
        {"model": {"name": "mlp", "hidden": [16]}},
    ),
    ({"weighting": {"name": "mib", "mu": 0.5}}, {"weighting": {"name": "mib", "mu": 0.5}}),
    ({"method": "vib", "search": "adaptive"}, {"search": "adaptive"}),
    (
        {"method": "vib", "search": "random", "space": {"latent": [2, 4], "beta": [1, 2]}},
        {
            "search": "random",
            "space": {"weighting.beta": [1.0, 2.0], "model.latent": [2, 4]},
        },
    ),
    (
        {"method": "deterministic", "grid": {"dropout": [0, 0.5]}},
        # So many trials are none of another grid, whose defaults can therefore not be told.
        {"grid": {"model.dropout": [0.0, 0.5]}, "trials": 6, "space": {}, "population": 0},
    ),
]


@pytest.mark.parametrize(("asked", "own"), OWN)
def test_what_was_chosen_is_left(asked: dict[str, Any], own: dict[str, Any]) -> None:
    """And it fills in to the sweep that it was."""
    spec = SweepSpec.from_document(asked)
    left = without_defaults(spec.document)
    assert SweepSpec.from_document(left) == spec
    found = {key: value for key, value in left.items() if key not in ALWAYS}
    assert found == own


@pytest.mark.parametrize("method", METHODS)
def test_no_default_is_left(method: str) -> None:
    """Of any method, by any search that it can have."""
    for search in (METHODS[method].search, "random"):
        document = {"method": method, "search": search}
        spec = SweepSpec.from_document(document)
        left = without_defaults(spec.document)
        assert SweepSpec.from_document(left) == spec
        assert left.keys() - ALWAYS == ({"search"} if search != METHODS[method].search else set())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"method": "vib"}, {"data": "gaussian"}),
        ({"method": "vib"}, {"method": "mib"}),
        ({"method": "mtvib", "data": "multi_mnist"}, {"method": "uwl"}),
        ({"method": "vib", "data": "gaussian"}, {"data": "fashion_mnist"}),
        *[({"method": "vib"}, {"search": search}) for search in SEARCHES],
        ({"method": "vib", "search": "adaptive"}, {"search": "grid"}),
        ({"method": "vib", "trials": 4}, {"search": "adaptive"}),
        ({"method": "vib", "training": {"epochs": 3}}, {"data": "gaussian"}),
        ({"method": "vib", "data": "fashion_mnist"}, {"model": "resnet18"}),
        ({"method": "mib", "training": {"epochs": 20}}, {"method": "vib"}),
    ],
)
def test_what_is_exchanged_takes_its_defaults_with_it(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """A written-out sweep with a part exchanged is the sweep that was never written out."""
    written = SweepSpec.from_document(before).document
    assert SweepSpec.from_document(without_defaults(written) | after) == SweepSpec.from_document(
        before | after
    )


def test_what_cannot_be_filled_in_is_left_as_it_is() -> None:
    """Whoever reads it says what is wrong."""
    for document in ({"method": "nope", "name": "a"}, {"data": 3}, {"method": "vib", "model": [3]}):
        assert without_defaults(document) == document
