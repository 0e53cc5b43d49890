"""Exact information of binary layers along training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli

from paretoib.data._load import load_dataset
from paretoib.specs import TrialSpec, with_overrides
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials


def trial(method: str = "imb_joint", **fields: Any) -> TrialSpec:
    """A small network on the 12-bit problem, with weights that say something."""
    small = {"hidden": [5], "latent": 3, "draws": 2, "epochs": 3, "initial_scale": 6.0}
    seed = fields.pop("seed", 0)
    document = {"method": method, "data": "binary12"}
    return with_overrides(document, small | fields).template.with_fields({"seed": seed})


def mutual(joint: np.ndarray) -> float:
    """I in bits of a joint distribution (A, B)."""
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nansum(joint * np.log2(joint / independent)))


def test_the_histories_are_those_of_every_state_written_out() -> None:
    """After the last epoch, of both layers and both trials of a pack, by numpy."""
    specs = [trial(seed=seed, beta=1e-3) for seed in (0, 1)]
    data = load_dataset("binary12", {}).test
    pack = Pack(specs, load_dataset("binary12", {}), torch.device("cpu"))
    pack.train()
    state = {name: tensor.double() for name, tensor in pack.stack.state().items()}
    for i, outcome in enumerate(pack.measure()):
        history = pack.history.of_trial(i)
        p = np.eye(4096)
        codes = data.x.double()
        for layer, place in enumerate(("encoder.mean", "head.layers.0"), 1):
            weight, bias = state[f"{place}.weight"][i], state[f"{place}.bias"][i]
            width = len(bias)
            every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * width)
            given = Bernoulli(logits=(codes @ weight.T + bias).unsqueeze(1)).log_prob(every)
            p, codes = p @ given.sum(-1).exp().numpy(), every
            of_y = np.stack([p[data.y == label].sum(0) for label in (0, 1)]) / 4096
            found = {k: history[f"layer_{layer}/{k}"] for k in ("rate_bits", "relevance_bits")}
            assert {len(row) for row in found.values()} == {3}
            assert found["rate_bits"][-1] == pytest.approx(mutual(p / 4096), rel=1e-4)
            assert found["relevance_bits"][-1] == pytest.approx(mutual(of_y), rel=1e-3)
        assert mutual(p / 4096) > 0.05
        for rate in (outcome["test"].rate_bits, history["rate_bits"][-1]):
            assert rate == pytest.approx(mutual(p / 4096), rel=1e-4)
        assert outcome["test"].rate_se_bits == 0


def test_data_processing_holds_at_every_epoch() -> None:
    """A layer has no more of X and of Y than the one below it, and of Y no more than of X."""
    (record,) = run_trials([trial(hidden=[6, 5, 4], epochs=2)], device="cpu")
    rows = {name: np.array(row, float) for name, row in record.history.items()}
    for name in ("rate_bits", "relevance_bits"):
        layers = np.stack([rows[f"layer_{i}/{name}"] for i in range(1, 5)])
        assert (np.diff(layers, axis=0) <= 1e-9).all()
    assert (rows["layer_1/relevance_bits"] <= rows["layer_1/rate_bits"]).all()


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({"method": "sfnn"}, 4),
        ({"hidden": [11]}, 0),
        ({"method": "det"}, 0),
        ({"method": "vib"}, 0),
        ({"data": "digits"}, 0),
    ],
)
def test_only_what_is_exact_is_called_so(fields: dict[str, Any], rows: int) -> None:
    """Of binary layers of at most ten bits, on data of which nothing is left out."""
    small: dict[str, Any] = {"hidden": [5], "latent": 3, "epochs": 1, "train_share": 0.02}
    changed = dict(fields)
    document = {k: changed.pop(k) for k in ("method", "data") if k in changed}
    if "data" in document:
        del small["train_share"]
    spec = with_overrides({"method": "imb_joint", "data": "binary12"} | document, small | changed)
    (record,) = run_trials([spec.template], device="cpu")
    assert len([name for name in record.history if name.startswith("layer_")]) == rows
