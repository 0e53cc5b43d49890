"""What specs make of binary layers: enough epochs to train them in turn, few enough samples."""

from typing import Any

import pytest

from paretoib.specs import SweepSpec

from .refusing import refusal

GREEDY: dict[str, Any] = {
    "method": "imb_greedy",
    "model": {"name": "sigmoid", "hidden": [6, 5], "latent": 4},
    "training": {"epochs": 3},
}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"training": {"epochs": 2}}, "3 layers, which objective `imb_greedy` trains one after"),
        ({"training": {"epochs": 2}}, "training.epochs: should be at least the 3 layers"),
        ({"grid": {"epochs": [3, 2]}}, "another; found 2"),
        ({"grid": {"epochs": [3, 4], "hidden": [[6], [6, 5, 4]]}}, "4 layers"),
        ({"search": "random", "space": {"epochs": "int:2:9"}}, "another; found 2"),
    ],
)
def test_fewer_epochs_than_layers(document: Any, found: str) -> None:
    """Where these are trained one after another, also as values of axes and ends of ranges."""
    assert found in refusal(GREEDY | document)


@pytest.mark.parametrize("method", ["imb_greedy", "imb_joint", "sfnn"])
def test_epochs_for_each_layer(method: str) -> None:
    """As many are enough, and only a greedy objective asks for them."""
    epochs = 3 if method == "imb_greedy" else 1
    document = GREEDY | {"method": method, "training": {"epochs": epochs}}
    assert SweepSpec.from_document(document).template.training.epochs == epochs


def test_a_search_proposes_no_training_that_is_too_short() -> None:
    """By default it varies the epochs, but keeps to one a layer."""
    greedy = {k: v for k, v in GREEDY.items() if k != "method"}
    adaptive = greedy | {"method": "mib", "objective": "imb_greedy", "training": {"epochs": 8}}
    assert SweepSpec.from_document(adaptive).varied["training.epochs"] == (3, 4, 8)
    assert "3 layers" in refusal(adaptive | {"training": {"epochs": 2}})


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"objective": {"name": "imb_joint", "draws": 41}}, "found 41^3"),
        ({"grid": {"draws": [2, 41]}}, "found 41^3"),
        ({"grid": {"draws": [2, 40], "hidden": [[6], [6, 5, 4]]}}, "found 40^4"),
        ({"search": "random", "space": {"draws": "int:2:64"}}, "found 64^3"),
    ],
)
def test_too_many_draws(document: Any, found: str) -> None:
    """What grows as draws to the power of layers is bounded."""
    joint = GREEDY | {"method": "imb_joint"}
    most = SweepSpec.from_document(joint | {"objective": {"name": "imb_joint", "draws": 40}})
    assert most.objective.params["draws"] == 40
    said = refusal(joint | document)
    assert "objective.draws: should be few enough that draws^layers is at most 65536" in said
    assert found in said
