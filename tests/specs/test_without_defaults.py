"""`without_defaults` drops values that repeat defaults, so that a new method sets its defaults."""

from typing import Any

import pytest

from paretoib.specs import METHODS, SEARCHES, SweepSpec, without_defaults

# Fields that are never dropped.
ALWAYS = {"schema", "method", "data", "objectives", "budget", "prune", "plateau", "resources"}
ALWAYS |= {"preset", "trial_seconds", "reference", "extensions"}

# Documents, and the fields that remain if all defaults are written out and dropped again.
REMAINING: list[tuple[dict[str, Any], dict[str, Any]]] = [
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
        # Six trials do not fit the default grid, so defaults that depend on it cannot be found.
        {"grid": {"model.dropout": [0.0, 0.5]}, "trials": 6, "space": {}, "population": 0},
    ),
]


@pytest.mark.parametrize(("document", "remaining"), REMAINING)
def test_fields_that_differ_from_defaults_remain(
    document: dict[str, Any], remaining: dict[str, Any]
) -> None:
    """The document without defaults describes the same sweep."""
    spec = SweepSpec.from_document(document)
    short = without_defaults(spec.document)
    assert SweepSpec.from_document(short) == spec
    assert {key: value for key, value in short.items() if key not in ALWAYS} == remaining


@pytest.mark.parametrize("method", METHODS)
def test_all_defaults_are_dropped(method: str) -> None:
    """For each method, with its default search or with `random`, no default remains."""
    for search in (METHODS[method].search, "random"):
        document = {"method": method, "search": search}
        spec = SweepSpec.from_document(document)
        short = without_defaults(spec.document)
        assert SweepSpec.from_document(short) == spec
        assert short.keys() - ALWAYS == ({"search"} if search != METHODS[method].search else set())


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
def test_a_change_sets_its_own_defaults(before: dict[str, Any], after: dict[str, Any]) -> None:
    """A change gives the same sweep in the shortened document as in the original document."""
    written = SweepSpec.from_document(before).document
    assert SweepSpec.from_document(without_defaults(written) | after) == SweepSpec.from_document(
        before | after
    )


def test_an_invalid_document_is_not_changed() -> None:
    """An invalid document is returned as it is; a later validation reports the fault."""
    for document in ({"method": "nope", "name": "a"}, {"data": 3}, {"method": "vib", "model": [3]}):
        assert without_defaults(document) == document
