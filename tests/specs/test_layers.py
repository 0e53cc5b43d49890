"""Checks of specs for models with binary layers: number of epochs and number of draws."""

from typing import Any

import pytest

from paretoib.specs import SweepSpec

from .spec_errors import error_message

GREEDY: dict[str, Any] = {
    "method": "imb_greedy",
    "model": {"name": "sigmoid", "hidden": [6, 5], "latent": 4},
    "training": {"epochs": 3},
}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"training": {"epochs": 2}},
            "at least 3, the number of layers, which objective `imb_greedy` trains",
        ),
        (
            {"training": {"epochs": 2}},
            "training.epochs: should be at least 3, the number of layers",
        ),
        ({"grid": {"epochs": [3, 2]}}, "another; found 2"),
        (
            {"grid": {"epochs": [3, 4], "hidden": [[6], [6, 5, 4]]}},
            "at least 4, the number of layers",
        ),
        ({"search": "random", "space": {"epochs": "int:2:9"}}, "another; found 2"),
    ],
)
def test_a_greedy_objective_refuses_fewer_epochs_than_layers(document: Any, message: str) -> None:
    """The epochs of a spec, an axis or a range should be at least the number of layers."""
    assert message in error_message(GREEDY | document)


@pytest.mark.parametrize("method", ["imb_greedy", "imb_joint", "sfnn"])
def test_an_epoch_for_each_layer_is_enough(method: str) -> None:
    """A greedy objective needs one epoch for each layer; other objectives need one epoch."""
    epochs = 3 if method == "imb_greedy" else 1
    document = GREEDY | {"method": method, "training": {"epochs": epochs}}
    assert SweepSpec.from_document(document).template.training.epochs == epochs


def test_a_search_proposes_enough_epochs_for_all_layers() -> None:
    """Each default choice of epochs has at least one epoch for each layer."""
    greedy = {k: v for k, v in GREEDY.items() if k != "method"}
    adaptive = greedy | {
        "method": "mib_exact",
        "objective": "imb_greedy",
        "training": {"epochs": 8},
    }
    assert SweepSpec.from_document(adaptive).varied["training.epochs"] == (3, 4, 8)
    assert "at least 3, the number of layers" in error_message(
        adaptive | {"training": {"epochs": 2}}
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"objective": {"name": "imb_joint", "draws": 41}}, "found 41^3"),
        ({"grid": {"draws": [2, 41]}}, "found 41^3"),
        ({"grid": {"draws": [2, 40], "hidden": [[6], [6, 5, 4]]}}, "found 40^4"),
        ({"search": "random", "space": {"draws": "int:2:64"}}, "found 64^3"),
    ],
)
def test_too_many_draws_are_refused(document: Any, message: str) -> None:
    """More than 65536 samples of the last layer, which has draws^layers samples, are refused."""
    joint = GREEDY | {"method": "imb_joint"}
    largest = SweepSpec.from_document(joint | {"objective": {"name": "imb_joint", "draws": 40}})
    assert largest.objective.params["draws"] == 40
    found = error_message(joint | document)
    assert "objective.draws: should be few enough that draws^layers is at most 65536" in found
    assert message in found


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            {"name": "imb_joint", "relative_betas": [1, 2]},
            "objective.relative_betas: should be empty or have 3 values, one for each of the 3 "
            "binary layers; found [1.0, 2.0]",
        ),
        (
            {"name": "imb_greedy", "relative_betas": [1]},
            "objective.relative_betas: should be empty or have 3 values",
        ),
        (
            {"name": "imb_joint", "gammas": [1, 1, 1]},
            "objective.gammas: should be empty or have 4 values, one for each l = 0, …, 3; found",
        ),
        ({"name": "imb_joint", "relative_betas": [1, 2, -1]}, "greater than or equal to 0"),
        ({"name": "imb_joint", "losses": "each"}, "should be 'summed' or 'per_layer'"),
    ],
)
def test_weights_of_layers_are_one_for_each_layer(objective: Any, message: str) -> None:
    """There is a β_l for each of the L layers, and a γ_l for each l from 0 to L."""
    assert message in error_message(GREEDY | {"method": objective["name"], "objective": objective})


def test_a_varied_number_of_layers_refuses_fixed_weights() -> None:
    """Each value of a varied field should fit the weights of the layers."""
    joint = {"name": "imb_joint", "relative_betas": [1, 2, 3]}
    document = GREEDY | {"method": "imb_joint", "objective": joint}
    found = error_message(document | {"grid": {"hidden": [[6, 5], [6]]}})
    assert "relative_betas: should be empty or have 2 values" in found
    varied = {"grid": {"relative_betas": [[1, 2, 3], [3, 2, 1]]}}
    assert SweepSpec.from_document(document | varied).trials == 2


@pytest.mark.parametrize(("hidden", "weighting"), [([6, 5], "epo"), ([6, 5, 4, 3], "mgda")])
def test_a_weighting_refuses_too_many_losses(hidden: list[int], weighting: str) -> None:
    """The losses of L layers are 2 L + 1; `epo` takes two, and other weightings at most nine."""
    objective = {"name": "imb_joint", "losses": "per_layer"}
    model = {"name": "sigmoid", "hidden": hidden, "latent": 2}
    document = {"method": weighting, "objective": objective, "model": model}
    count = 2 * len(hidden) + 3
    assert f"objective `imb_joint` has {count} (prediction/layer_0" in error_message(document)
    model["hidden"] = hidden[:3]
    if weighting == "mgda":
        assert len(SweepSpec.from_document(document).template.losses) == 9
