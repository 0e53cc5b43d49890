"""Categorical codes: entropies and the optimal decoder."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from paretoib.data._load import load_dataset
from paretoib.discrete import CategoricalEncoding, CodebookPrediction
from paretoib.distributions import Output
from paretoib.errors import SpecError
from paretoib.models._categorical import optimal_table
from paretoib.models._model import build_model
from paretoib.objectives._categorical import (
    Categorical,
    decoder_uncertainty,
    joint_probabilities,
)
from paretoib.specs import TrialSpec, section_model, with_overrides
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Draw = Callable[..., Tensor]

Y = torch.tensor([0, 2, 1, 1, 0, 2, 2, 1])


def code(raw: Tensor, codebook: Tensor | None = None) -> Output:
    """The output of a code with one category per column of `raw`; Y has three classes."""
    encoding = CategoricalEncoding(raw)
    table = torch.zeros(raw.shape[1], 3).to(raw) if codebook is None else codebook
    book = CodebookPrediction(encoding.mean, table.log_softmax(-1))
    return Output(encoding, encoding.mean, book)


def losses(output: Output, loss: str = "decoder", compressed: str = "given_y") -> list[float]:
    options: Mapping[str, Any] = {"loss": loss, "compressed": compressed}
    objective = Categorical(**options, optimal_decoder=False)
    return [float(value) for value in objective.losses(output, Y, {})]


def test_the_entropies_equal_those_of_scipy(draw: Draw) -> None:
    """H[Y|Z], H[Z|Y], H[Z] and I(X;Z) equal the values from scipy's entropies, in nats."""
    output = code(2 * draw(8, 5))
    p = output.z.numpy()
    joint = np.stack([p[Y.numpy() == label].sum(0) for label in range(3)]) / 8
    h_yz, h_z, h_y = entropy(joint.ravel()), entropy(joint.sum(0)), entropy(joint.sum(1))
    assert losses(output, "uncertainty")[0] == pytest.approx(h_yz - h_z)
    assert losses(output)[1] == pytest.approx(h_yz - h_y)
    assert losses(output, compressed="entropy")[1] == pytest.approx(h_z)
    rate = h_z - np.mean([entropy(row) for row in p])
    assert losses(output, compressed="rate")[1] == pytest.approx(rate)


def test_the_losses_are_sums_over_categories(draw: Draw) -> None:
    """E −log q(y|z) and E −log Σ_z p(z|x) q(y|z) equal sums over categories in a loop."""
    output = code(draw(8, 5), draw(5, 3, seed=1))
    p, q = output.z, draw(5, 3, seed=1).softmax(-1)
    decoder = prediction = 0.0
    for i, label in enumerate(Y.tolist()):
        decoder -= sum(float(p[i, z]) * math.log(q[z, label]) for z in range(5)) / 8
        prediction -= math.log(sum(float(p[i, z]) * float(q[z, label]) for z in range(5))) / 8
    assert losses(output)[0] == pytest.approx(decoder)
    assert losses(output, "prediction")[0] == pytest.approx(prediction)
    torch.testing.assert_close(output.prediction.expected, p @ q)


def test_the_decoder_cross_entropy_is_the_largest_loss(draw: Draw) -> None:
    """The decoder cross-entropy H_Θ[Y|Z] is above H_Θ[Y|X] and above H[Y|Z] (uib eqs 4, 5).

    With the optimal decoder, H_Θ[Y|Z] = H[Y|Z].
    """
    for seed in range(20):
        raw = 2 * draw(8, 5, seed=seed)
        any_decoder = code(raw, 2 * draw(5, 3, seed=seed + 99))
        predicted, decoded, exact = (
            losses(any_decoder, loss)[0] for loss in ("prediction", "decoder", "uncertainty")
        )
        assert predicted < decoded > exact
        best = code(raw, optimal_table(raw.softmax(-1), Y, 3))
        assert losses(best)[0] == pytest.approx(exact)
        assert losses(best, "prediction")[0] < exact


def test_h_y_given_z_has_the_gradient_of_a_fixed_optimal_decoder(draw: Draw) -> None:
    """H[Y|Z] has the gradient of the cross-entropy with a fixed optimal decoder.

    The change of the optimal decoder p(y|z) adds nothing to the gradient (uib appendix A.3).
    """
    raw = draw(8, 5).requires_grad_()
    exact = decoder_uncertainty(joint_probabilities(raw.softmax(-1), Y, 3))
    fixed = code(raw, optimal_table(raw.softmax(-1), Y, 3).detach()).prediction.nll(Y).mean()
    torch.testing.assert_close(*(torch.autograd.grad(value, raw)[0] for value in (exact, fixed)))


@pytest.mark.parametrize("loss", ["decoder", "prediction", "uncertainty"])
@pytest.mark.parametrize("compressed", ["given_y", "entropy", "rate"])
def test_gradients_match_finite_differences(draw: Draw, loss: Any, compressed: Any) -> None:
    """Autograd agrees with finite differences for the logits of the code and of the decoder."""
    objective = Categorical(loss=loss, compressed=compressed, optimal_decoder=False)
    inputs = [draw(8, 4).requires_grad_(), draw(4, 3, seed=1).requires_grad_()]

    def both(raw: Tensor, codebook: Tensor) -> tuple[Tensor, ...]:
        return tuple(objective.losses(code(raw, codebook), Y, {}))

    assert torch.autograd.gradcheck(both, inputs)


def test_deterministic_codes_have_known_entropies() -> None:
    """For z = y, H[Y|Z] = H[Z|Y] = 0 and I(X;Z) = H[Y].

    For a constant z, H[Y|Z] = H[Y] and H[Z] = 0.
    """
    labels = code(200 * torch.eye(3).double()[Y])
    assert losses(labels, "uncertainty") == pytest.approx([0, 0], abs=1e-9)
    h_y = float(entropy(Y.bincount().numpy()))
    assert losses(labels, "uncertainty", "rate")[1] == pytest.approx(h_y)
    constant = code(200 * torch.eye(3).double()[torch.zeros(8).long()])
    assert losses(constant, "uncertainty", "entropy") == pytest.approx([h_y, 0], abs=1e-9)


def trial(**fields: Any) -> TrialSpec:
    small = {"latent": 8, "hidden": [32], "epochs": 6, "learning_rate": 0.01, "beta": 1e-3}
    return with_overrides({"method": "categorical"}, small | fields).template


def test_the_decoder_maps_each_category_to_class_probabilities() -> None:
    """The codebook holds log q(y|z), the decoder's output for each category z.

    The layers of the decoder have 7, 16 and 10 units here, and 100, 1024, 1024 and 10 in uib. A
    continuous Y is refused.
    """
    section = section_model("model", "mlp")(latent=7, decoder=(16,))
    shapes: dict[str, Any] = {"shape": (4,), "target_dim": None, "noise": "categorical"}
    net = build_model("mlp", section.params, classes=10, **shapes)
    output = net.head(net.encoder(torch.randn(5, 4)), None)
    expected = net.head.decoder(torch.eye(7)).log_softmax(-1)
    assert isinstance(output.prediction, CodebookPrediction)
    torch.testing.assert_close(output.prediction.codebook, expected)
    with pytest.raises(SpecError, match="needs classes; found a continuous Y"):
        build_model("mlp", section.params, classes=None, **shapes | {"target_dim": 2})


@pytest.mark.parametrize("trials", [1, 2])
def test_the_optimal_decoder_is_computed_from_the_training_data(trials: int) -> None:
    """The optimal decoder is computed from the training data, at the start and after every epoch.

    The decoder network is not trained.
    """
    specs = [
        trial(optimal_decoder=True, subset=0.2).with_fields({"seed": i}) for i in range(trials)
    ]
    data = load_dataset("digits", specs[0].data.params)
    pack = Pack(specs, data, torch.device("cpu"))
    before = pack.stack.state()["head.decoder.0.weight"].clone()
    for _ in range(3):
        state = pack.stack.state()
        for i in range(trials):
            hidden = data.train.x.flatten(1)
            for layer in (0, 2):
                hidden = hidden @ state[f"encoder.layers.{layer}.weight"][i].T
                hidden = hidden + state[f"encoder.layers.{layer}.bias"][i]
                hidden = hidden if layer else hidden.relu()
            expected = optimal_table(hidden.softmax(-1), data.train.y, 10)
            torch.testing.assert_close(state["head.table"][i], expected, rtol=1e-3, atol=1e-3)
        pack.train_epoch()
    assert torch.equal(before, pack.stack.state()["head.decoder.0.weight"])


def exact_rate_bits(pack: Pack) -> float:
    split = pack.dataset.test
    pack.stack.train(False)
    with torch.no_grad():
        p = pack.stack.map(lambda e, h, x: h(e(x), None).z, split.x.unsqueeze(0))[0]
    return float(entropy(p.mean(0).double()) - np.mean(entropy(p.double(), axis=1))) / math.log(2)


@pytest.mark.parametrize("loss", ["decoder", "prediction", "uncertainty"])
def test_each_loss_trains_a_relevant_code(loss: str) -> None:
    """Each loss trains a code with a relevance above 1.6 bits (the ceiling is 3.3 bits).

    `rate_lower_bits` is the exact rate of an X that is uniform over the test inputs.
    """
    spec = trial(loss=loss, latent=16, decoder=[], epochs=30, batch_size=100, learning_rate=0.02)
    data = load_dataset("digits", spec.data.params)
    (record,) = run_trials([spec], device="cpu")
    assert record.test is not None
    assert record.test.relevance_bits > 1.6
    pack = Pack([spec], data, torch.device("cpu"))
    pack.train()
    exact = exact_rate_bits(pack)
    assert record.test.rate_lower_bits == pytest.approx(exact, rel=1e-3)
    assert record.test.rate_bits is not None
    assert exact <= record.test.rate_bits < exact + 0.3


def test_histories_have_all_three_losses_in_bits() -> None:
    """H[Y|Z] and both cross-entropies of the training examples are recorded after each epoch.

    They are in bits (uib figure 3).
    """
    spec = trial(subset=0.3, epochs=3)
    data = load_dataset("digits", spec.data.params)
    pack = Pack([spec, spec.with_fields({"seed": 1})], data, torch.device("cpu"))
    pack.train()
    pack.stack.train(False)
    x, y = data.train.x, data.train.y
    names = ("decoder_uncertainty", "decoder_cross_entropy", "prediction_cross_entropy")

    def code_and_decoder(encoder: Any, head: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        output = head(encoder(x), None)
        return output.z, output.prediction.codebook.exp()

    with torch.no_grad():
        codes, decoders = pack.stack.map(code_and_decoder, x.expand(2, *x.shape))
    for i in range(2):
        rows = np.array([pack.history.of_trial(i)[f"{name}_bits"] for name in names])
        assert rows.shape == (3, 3)
        assert (rows[1] > rows[0]).all()
        assert (rows[1] > rows[2]).all()
        p, q = codes[i].double().numpy(), decoders[i].double().numpy()
        joint = np.stack([p[y.numpy() == label].sum(0) for label in range(10)]) / len(y)
        uncertainty = entropy(joint.ravel(), base=2) - entropy(joint.sum(0), base=2)
        decoder = -(p * np.log2(q[:, y.numpy()].T)).sum(1).mean()
        prediction = -np.log2((p @ q)[np.arange(len(y)), y.numpy()]).mean()
        assert rows[:, -1] == pytest.approx([uncertainty, decoder, prediction], rel=1e-4)


def test_the_optimal_decoder_has_the_smallest_cross_entropy() -> None:
    """With the optimal decoder, H_Θ[Y|Z] = H[Y|Z] after every epoch (uib eq. 5)."""
    (record,) = run_trials([trial(optimal_decoder=True, subset=0.3, epochs=3)], device="cpu")
    exact = record.history["decoder_uncertainty_bits"]
    assert record.history["decoder_cross_entropy_bits"] == pytest.approx(exact, rel=1e-4)


def test_on_complete_data_the_rate_is_exact() -> None:
    """If the data are all possible inputs, both bounds on the rate are the exact I(X;Z).

    The history has I(X;Z) and I(Y;Z).
    """
    template = with_overrides(
        {"method": "categorical", "data": "binary12"}, {"epochs": 2, "latent": 5}
    ).template
    (record,) = run_trials([template], device="cpu")
    assert record.test is not None
    assert record.test.rate_bits == record.test.rate_lower_bits
    assert record.history["layer_1/rate_bits"][-1] == pytest.approx(record.test.rate_bits)
    assert record.history["layer_1/relevance_bits"][-1] is not None
