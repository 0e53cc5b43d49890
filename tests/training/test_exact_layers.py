"""Exact information of binary layers in histories."""

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
    """A trial of a small network on `binary12`.

    The large initial weights make the layers keep information on the input.
    """
    small = {"hidden": [5], "latent": 3, "draws": 2, "epochs": 3, "initial_scale": 6.0}
    seed = fields.pop("seed", 0)
    document = {"method": method, "data": "binary12"}
    return with_overrides(document, small | fields).template.with_fields({"seed": seed})


def mutual_information(joint: np.ndarray) -> float:
    """I(A;B) in bits of a joint distribution (A, B)."""
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nansum(joint * np.log2(joint / independent)))


def test_layer_information_agrees_with_an_enumeration_of_all_states() -> None:
    """After the last epoch, the information of both layers agrees with an enumeration in numpy."""
    specs = [trial(seed=seed, beta=1e-3) for seed in (0, 1)]
    data = load_dataset("binary12", {}).test
    pack = Pack(specs, load_dataset("binary12", {}), torch.device("cpu"))
    pack.train()
    state = {name: tensor.double() for name, tensor in pack.stack.state().items()}
    for i, outcome in enumerate(pack.measure()):
        history = pack.history.of_trial(i)
        p = np.eye(4096)
        codes = data.x.double()
        for layer, module in enumerate(("encoder.mean", "head.layers.0"), 1):
            weight, bias = state[f"{module}.weight"][i], state[f"{module}.bias"][i]
            width = len(bias)
            states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * width)
            bits = Bernoulli(logits=(codes @ weight.T + bias).unsqueeze(1)).log_prob(states)
            p, codes = p @ bits.sum(-1).exp().numpy(), states
            p_yz = np.stack([p[data.y == label].sum(0) for label in (0, 1)]) / 4096
            exact_rate, exact_relevance = mutual_information(p / 4096), mutual_information(p_yz)
            rates, relevances = (
                history[f"layer_{layer}/{name}"] for name in ("rate_bits", "relevance_bits")
            )
            assert len(rates) == len(relevances) == 3
            assert rates[-1] == pytest.approx(exact_rate, rel=1e-4)
            assert relevances[-1] == pytest.approx(exact_relevance, rel=1e-3)
        assert exact_rate > 0.05
        for rate in (outcome["test"].rate_bits, history["rate_bits"][-1]):
            assert rate == pytest.approx(exact_rate, rel=1e-4)
        assert outcome["test"].rate_se_bits == 0


def test_data_processing_holds_at_every_epoch() -> None:
    """Rate and relevance do not increase from layer to layer, and relevance ≤ rate."""
    (record,) = run_trials([trial(hidden=[6, 5, 4], epochs=2)], device="cpu")
    rows = {name: np.array(row, float) for name, row in record.history.items()}
    for name in ("rate_bits", "relevance_bits"):
        layers = np.stack([rows[f"layer_{i}/{name}"] for i in range(1, 5)])
        assert (np.diff(layers, axis=0) <= 1e-9).all()
    assert (rows["layer_1/relevance_bits"] <= rows["layer_1/rate_bits"]).all()


@pytest.mark.parametrize(
    ("fields", "series"),
    [
        ({"method": "sfnn"}, 4),
        ({"hidden": [11]}, 0),
        ({"method": "det"}, 0),
        ({"method": "vib"}, 0),
        ({"data": "digits"}, 0),
    ],
)
def test_only_exact_layer_information_is_in_the_history(
    fields: dict[str, Any], series: int
) -> None:
    """Layers have series if all are binary with at most ten bits and the data have every input."""
    small: dict[str, Any] = {"hidden": [5], "latent": 3, "epochs": 1, "train_share": 0.02}
    changed = dict(fields)
    document = {k: changed.pop(k) for k in ("method", "data") if k in changed}
    if "data" in document:
        del small["train_share"]
    spec = with_overrides({"method": "imb_joint", "data": "binary12"} | document, small | changed)
    (record,) = run_trials([spec.template], device="cpu")
    assert len([name for name in record.history if name.startswith("layer_")]) == series


def test_noisy_labels_are_counted_exactly() -> None:
    """With flipped labels, the information of a layer is that of all copies of all patterns.

    It is computed from p(y|x), counted from the labels of the copies. No relevance exceeds
    I(X;Y) = 1 − h(0.25), and the rate is exact, too.
    """
    spec = trial(label_noise=0.25, beta=1e-4, epochs=2, learning_rate=0.05, batch_size=512)
    data = load_dataset("binary12", spec.data.params)
    pack = Pack([spec], data, torch.device("cpu"))
    pack.train()
    outcome, history = pack.measure()[0], pack.history.of_trial(0)
    state = {name: tensor[0].double() for name, tensor in pack.stack.state().items()}
    logits = data.test.x.double() @ state["encoder.mean.weight"].T + state["encoder.mean.bias"]
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 5)
    p = Bernoulli(logits=logits.unsqueeze(1)).log_prob(states).sum(-1).exp().numpy()
    joint = np.stack([p[data.test.y == label].sum(0) for label in (0, 1)]) / len(p)
    relevance = mutual_information(joint)
    assert relevance > 0.002
    assert history["layer_1/relevance_bits"][-1] == pytest.approx(relevance, rel=1e-4)
    assert history["layer_1/rate_bits"][-1] == pytest.approx(
        mutual_information(p[:4096] / 4096), rel=1e-4
    )
    ceiling = 1 + 0.25 * np.log2(0.25) + 0.75 * np.log2(0.75)
    for metrics in (outcome["validation"], outcome["test"]):
        assert metrics.ceiling_bits == pytest.approx(ceiling)
        assert metrics.lost_bits == pytest.approx(ceiling - metrics.relevance_bits)
        assert metrics.examples == 4 * 4096
        assert metrics.rate_se_bits == 0
        assert metrics.rate_bits == metrics.rate_lower_bits
    layers = [history[f"layer_{i}/relevance_bits"] for i in (1, 2)]
    assert max(max(layer) for layer in layers) <= ceiling


def test_the_relevance_of_noisy_labels_is_at_most_their_information() -> None:
    """A network that knows every pattern has the relevance I(X;Y), up to its error, not H(Y).

    With a Gaussian latent, the rate of 4096 equally likely patterns is at most 12 bits.
    """
    document = {"method": "vib", "data": "binary12"}
    fields = {"label_noise": 0.25, "hidden": [128], "latent": 8, "epochs": 12, "beta": 1e-6}
    (record,) = run_trials([with_overrides(document, fields).template], device="cpu")
    ceiling = 1 + 0.25 * np.log2(0.25) + 0.75 * np.log2(0.75)
    assert record.test is not None
    assert record.test.rate_bits is not None
    assert record.test.ceiling_bits == pytest.approx(ceiling)
    assert 0.5 * ceiling < record.test.relevance_bits <= ceiling
    assert 0.70 < (record.test.accuracy or 0) < 0.76
    assert 3 < record.test.rate_bits <= 12
    assert all(bits <= ceiling + 1e-9 for bits in record.history["relevance_bits"] if bits)
