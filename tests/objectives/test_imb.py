"""Information multi-bottlenecks with binary layers (imb)."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence

from paretoib.data._load import load_dataset
from paretoib.discrete import BernoulliEncoding, BinaryLayer, raiko
from paretoib.distributions import CategoricalPrediction, Output, TaskPredictions
from paretoib.errors import SpecError
from paretoib.evaluation import discrete_information
from paretoib.models._model import build_model
from paretoib.models._states import states
from paretoib.objectives import OBJECTIVES
from paretoib.objectives._imb import (
    SFNN,
    IMBGreedy,
    IMBJoint,
    compression,
    conditional_relevance,
)
from paretoib.specs import SweepSpec, TrialSpec, section_model, with_overrides
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.weighting import WEIGHTINGS

Draw = Callable[..., Tensor]

# No weights of single layers.
PLAIN = {"relative_betas": torch.zeros(0), "gammas": torch.zeros(0)}
JOINT, GREEDY, LIKELIHOOD = IMBJoint(draws=4, losses="summed"), IMBGreedy(draws=4), SFNN(draws=4)
Y = torch.tensor([0, 2, 1, 1, 0])


def sampled(draw: Draw, draws: tuple[int, ...] = (3, 4)) -> Output:
    """The output for five examples: layer i has i + 2 bits and `draws[i]` samples."""
    layers = []
    for i in range(len(draws)):
        width = i + 2
        encoding = BernoulliEncoding(draw(*draws[:i], 5, width, seed=i))
        layers.append(BinaryLayer(encoding, torch.zeros(5, width).double(), draw(width, seed=9)))
    prediction = CategoricalPrediction(draw(*draws, 5, 3, seed=7))
    return Output(layers[-1].encoding, layers[-1].z, prediction, layers=tuple(layers))


def test_conditional_relevance_equals_loops_over_samples(draw: Draw) -> None:
    """VCR_0, VCR_1 and VCR_2 of two layers equal loops over samples (imb eqs 6 and 7).

    VCR_l averages over the samples of layers 1 to l outside the logarithm, and over the samples of
    higher layers inside.
    """
    output = sampled(draw)
    q = output.prediction.logits.softmax(-1)  # type: ignore[union-attr]
    expected = [0.0, 0.0, 0.0]
    for b, label in enumerate(Y.tolist()):
        p = [[float(q[i, j, b, label]) for j in range(4)] for i in range(3)]
        flat = [value for row in p for value in row]
        expected[0] -= math.log(sum(flat) / 12) / 5
        expected[1] -= sum(math.log(sum(row) / 4) for row in p) / 3 / 5
        expected[2] -= sum(math.log(value) for value in flat) / 12 / 5
    nll = output.prediction.nll(Y)
    actual = [float(conditional_relevance(nll, level)) for level in range(3)]
    assert actual == pytest.approx(expected)
    assert actual[0] < actual[1] < actual[2]  # imb theorem 3.2 (Jensen's inequality)


def test_compression_is_the_kl_of_torch(draw: Draw) -> None:
    """Compression of a layer is the mean of torch's Σ_i KL(Bernoulli(p_i) ‖ Bernoulli(r_i)).

    p_i and r_i are the probabilities of bit i in the layer and in its prior. The mean is over
    examples and samples.
    """
    for layer in sampled(draw).layers:
        logits, prior = torch.broadcast_tensors(layer.encoding.logits, layer.prior)
        each = kl_divergence(Bernoulli(logits=logits), Bernoulli(logits=prior))
        torch.testing.assert_close(compression(layer), each.sum(-1).mean())


def test_joint_greedy_and_sfnn_use_different_layers(draw: Draw) -> None:
    """`IMBJoint` sums the losses of all layers, and `SFNN` uses VCR_0.

    `IMBGreedy` uses the losses of the first layer that is not frozen.
    """
    output = sampled(draw)
    nll = output.prediction.nll(Y)
    levels = [float(conditional_relevance(nll, level)) for level in range(3)]
    terms = [float(compression(layer)) for layer in output.layers]
    joint = JOINT.losses(output, Y, PLAIN)
    assert [float(loss) for loss in joint] == pytest.approx([sum(levels), sum(terms)])
    for stage in (0, 1):
        frozen = Output(**{**vars(output), "frozen": stage})
        greedy = [float(loss) for loss in GREEDY.losses(frozen, Y, PLAIN)]
        assert greedy == pytest.approx([levels[stage + 1], terms[stage]])
    assert [float(loss) for loss in LIKELIHOOD.losses(output, Y, {})] == [levels[0]]


def test_each_layer_has_its_own_weights(draw: Draw) -> None:
    """The losses are γ_l VCR_l and γ_l β_l Ĩ_l, of each layer or summed over the layers.

    β_l multiplies compression only. `IMBGreedy` uses the β_l of its layer.
    """
    output = sampled(draw)
    nll = output.prediction.nll(Y)
    gammas, betas = (0.5, 2.0, 3.0), (10.0, 0.1)
    hyper = {"relative_betas": torch.tensor(betas), "gammas": torch.tensor(gammas)}
    vcr = [g * float(conditional_relevance(nll, level)) for level, g in enumerate(gammas)]
    rates = [b * float(compression(layer)) for layer, b in zip(output.layers, betas, strict=True)]
    weighted = [g * rate for g, rate in zip(gammas[1:], rates, strict=True)]
    each = IMBJoint(draws=4, losses="per_layer").losses(output, Y, hyper)
    assert [float(loss) for loss in each] == pytest.approx([*vcr, *weighted])
    joint = JOINT.losses(output, Y, hyper)
    assert [float(loss) for loss in joint] == pytest.approx([sum(vcr), sum(weighted)])
    for stage in (0, 1):
        frozen = Output(**{**vars(output), "frozen": stage})
        assert float(GREEDY.losses(frozen, Y, hyper)[1]) == pytest.approx(rates[stage])


def test_each_task_has_the_losses_that_it_has_alone(draw: Draw) -> None:
    """Each of two tasks has the prediction loss that it has alone, from q(y_k|z).

    The tasks share the compression loss.
    """
    task_1, prediction_2 = sampled(draw), CategoricalPrediction(draw(3, 4, 5, 2, seed=8))
    task_2 = Output(**{**vars(task_1), "prediction": prediction_2})
    predictions = TaskPredictions((task_1.prediction, prediction_2))
    two_tasks = Output(**{**vars(task_1), "prediction": predictions})
    for objective in (JOINT, GREEDY, LIKELIHOOD):
        (first, *rest), (second, *_) = (
            objective.losses(output, y, PLAIN) for output, y in ((task_1, Y), (task_2, Y % 2))
        )
        actual = objective.losses(two_tasks, torch.stack([Y, Y % 2], dim=1), PLAIN)
        torch.testing.assert_close(actual, (first, second, *rest))


@pytest.mark.parametrize("frozen", [0, 1])
@pytest.mark.parametrize("objective", [JOINT, GREEDY, LIKELIHOOD])
def test_gradients_match_finite_differences(draw: Draw, objective: Any, frozen: int) -> None:
    """Autograd agrees with finite differences for q(y|z), the layers and their priors.

    All of these are given as logits.
    """
    original = sampled(draw)

    def losses(logits: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        layers = tuple(
            BinaryLayer(BernoulliEncoding(logits), layer.z, prior)
            for layer, logits, prior in zip(original.layers, rest[:2], rest[2:], strict=True)
        )
        prediction = CategoricalPrediction(logits)
        output = Output(original.encoding, original.z, prediction, {}, layers, frozen)
        return tuple(objective.losses(output, Y, PLAIN))

    inputs = [
        original.prediction.logits,  # type: ignore[union-attr]
        *(layer.encoding.logits for layer in original.layers),
        *(layer.prior for layer in original.layers),
    ]
    assert torch.autograd.gradcheck(losses, [t.clone().requires_grad_() for t in inputs])


def model(draws: int, hidden: tuple[int, ...] = (2,), noise: Any = "bernoulli") -> Any:
    torch.manual_seed(3)
    section = section_model("model", "sigmoid")(hidden=hidden, latent=3, initial_scale=3.0)
    built = build_model(
        "sigmoid",
        section.params,
        shape=(4,),
        classes=3,
        target_dim=None,
        noise=noise,
        draws=draws,
    )
    return built.double()


def test_losses_from_samples_agree_with_all_states(draw: Draw) -> None:
    """VCR_0, VCR_1, VCR_2, Ĩ_1 and Ĩ_2 from samples agree with sums over all states.

    There are 200² samples; the two layers have 2 and 3 bits.
    """
    net, x = model(200), draw(5, 4)
    raw = net.encoder(x).detach()
    with torch.no_grad():
        output = net.head(raw, draw(5, net.head.training_noise, seed=1))
        (below,) = net.head.layers
        first, last = states(2), states(3)
        p1 = Bernoulli(logits=raw).log_prob(first.unsqueeze(1)).sum(-1).exp()  # (4, B)
        logits = below(first)
        p2 = Bernoulli(logits=logits).log_prob(last.unsqueeze(1)).sum(-1).exp()  # (8, 4)
        q = net.head.decoder(last).softmax(-1)[:, Y]  # (8, B)
    vcr = [
        -((p1.T @ p2.T * q.T).sum(-1).log()).mean(),
        -(p1 * (p2.T @ q).log()).sum(0).mean(),
        -(p1.T @ p2.T * q.T.log()).sum(-1).mean(),
    ]
    half = Bernoulli(logits=torch.zeros(()).double())
    kl2 = kl_divergence(Bernoulli(logits=logits), half).sum(-1)
    kl = [kl_divergence(Bernoulli(logits=raw), half).sum(-1).mean(), (p1.T @ kl2).mean()]
    for level, expected in enumerate(vcr):
        actual = conditional_relevance(output.prediction.nll(Y), level).detach()
        assert float(actual) == pytest.approx(float(expected), abs=0.01), level
    for layer, expected in zip(output.layers, kl, strict=True):
        assert float(compression(layer).detach()) == pytest.approx(float(expected), abs=0.01)


def test_the_best_prior_is_the_mean(draw: Draw) -> None:
    """The gradient of Ĩ with respect to the prior is zero at r = E p(z|x).

    With this prior, Ĩ is I(X;Z) for one bit and larger than I(X;Z) for four bits.
    """
    for width in (1, 4):
        logits = 2 * draw(64, width)
        prior = torch.logit(logits.sigmoid().mean(0)).requires_grad_()
        loss = compression(BinaryLayer(BernoulliEncoding(logits), logits, prior))
        (gradient,) = torch.autograd.grad(loss, prior)
        torch.testing.assert_close(gradient, torch.zeros(width).double())
        each = Bernoulli(logits=logits.unsqueeze(1)).log_prob(states(width)).sum(-1).exp()
        rate, _ = discrete_information(each, torch.zeros(64).long(), 1)
        assert float(loss - rate) == pytest.approx(0, abs=1e-9) if width == 1 else loss > rate


def test_the_gradient_of_raiko_is_unbiased_if_the_loss_is_linear_in_each_bit(draw: Draw) -> None:
    """Raiko's gradient of Σ_{i<j} A_ij z_i z_j is unbiased; the gradient of Σ_i z_i² is biased.

    With p_i = sigmoid(a_i) and z_i² = z_i, the exact derivative of the second sum by a_i is p_i′.
    Raiko's derivative is 2 z_i p_i′, whose mean is 2 p_i p_i′.
    """
    a = draw(3)
    pairs = draw(3, 3, seed=1).triu(1)

    def exact(a: Tensor) -> Tensor:
        p = a.sigmoid()
        return p @ pairs @ p

    def estimated(a: Tensor) -> Tensor:
        z = raiko(a.sigmoid(), draw(400_000, 3, seed=2))
        return torch.einsum("ni,ij,nj->n", z, pairs, z).mean()

    gradient = torch.func.grad(exact)(a)
    torch.testing.assert_close(torch.func.grad(estimated)(a), gradient, atol=2e-3, rtol=0)
    squares = torch.func.grad(lambda a: raiko(a.sigmoid(), draw(400_000, 3)).square().mean(0).sum())
    p = a.sigmoid()
    torch.testing.assert_close(squares(a), 2 * p * p * (1 - p), atol=2e-3, rtol=0)


def test_the_bits_of_raiko_are_1_with_the_given_probabilities(draw: Draw) -> None:
    """All samples of `raiko` are 0 or 1 and have mean p, also for p = 0 and p = 1."""
    p = torch.tensor([0.0, 0.1, 0.5, 0.93, 1.0]).double()
    z = raiko(p, draw(100_000, 5))
    torch.testing.assert_close(z, z.round(), atol=1e-12, rtol=0)
    torch.testing.assert_close(z.mean(0), p, atol=0.005, rtol=0)


def test_det_is_a_network_of_sigmoid_layers(draw: Draw) -> None:
    """The output of `det` equals a loop over sigmoid layers.

    Without noise, the output of the binary network also equals such a loop.
    """
    x = draw(5, 4)
    for noise in ("none", "bernoulli"):
        net = model(2, (6, 2), noise)
        hidden = net.encoder(x).sigmoid()
        for layer in net.head.layers:
            hidden = layer(hidden).sigmoid()
        output = net.head(net.encoder(x), None)
        torch.testing.assert_close(output.z, hidden)
        torch.testing.assert_close(output.prediction.logits, net.head.decoder(hidden))
    assert len(list(net.head.layers)) == 2


def greedy(epochs: int, seed: int = 0) -> TrialSpec:
    small = {"hidden": [6, 5], "latent": 4, "draws": 2, "subset": 0.1, "epochs": epochs}
    template = with_overrides({"method": "imb_greedy"}, small).template
    return template.with_fields({"seed": seed, "learning_rate": 0.01})


def packed(*specs: TrialSpec) -> Pack:
    return Pack(specs, load_dataset("digits", specs[0].data.params), torch.device("cpu"))


@pytest.mark.parametrize("trials", [1, 2])
def test_greedy_trains_one_layer_after_another(trials: int) -> None:
    """`imb_greedy` divides seven epochs into stages of three, two and two, one per layer.

    The weights of a layer are trained up to the layer's stage and frozen afterwards. The prior of a
    layer is trained in the layer's stage only, and the decoder in all stages.
    """
    pack = packed(*(greedy(7, seed) for seed in range(trials)))
    layer_of = {"encoder.mean": 0, "head.layers.0": 1, "head.layers.1": 2, "head.decoder": 3}
    for stage in (0, 0, 0, 1, 1, 2, 2):
        before = {name: tensor.clone() for name, tensor in pack.stack.state().items()}
        pack.train_epoch()
        for name, tensor in pack.stack.state().items():
            changed = not torch.equal(tensor, before[name])
            if name.startswith("head.prior"):
                assert changed == (name == f"head.prior.{stage}"), (stage, name)
            elif (module := name.rpartition(".")[0]) in layer_of or "decoder" in name:
                assert changed == (layer_of.get(module, 3) >= stage), (stage, name)


def test_greedy_resumes_in_the_stage_of_the_next_epoch() -> None:
    """A resumed pack has the same final parameters as an uninterrupted pack.

    The resumed pack was stopped after the first or the second of three epochs.
    """
    uninterrupted = packed(greedy(3))
    uninterrupted.train()
    for epoch in (1, 2):
        part = packed(greedy(3))
        for _ in range(epoch):
            part.train_epoch()
        resumed = part.subset([0])
        resumed.train()
        for name, tensor in resumed.stack.state().items():
            assert torch.equal(tensor, uninterrupted.stack.state()[name]), (epoch, name)


def test_greedy_needs_an_epoch_for_each_layer() -> None:
    """`imb_greedy` refuses fewer epochs than layers; the error gives both numbers."""
    with pytest.raises(SpecError, match=r"should be at least 3, the number of layers.*found 2"):
        packed(greedy(2))


def test_too_many_draws_are_refused() -> None:
    """The number of samples, draws^layers, may be at most 65536."""
    with pytest.raises(SpecError, match=r"draws\^layers is at most 65536; found 32\^4"):
        model(32, (2, 2, 2))


def test_model_sigmoid_refuses_gaussian_noise() -> None:
    """Model `sigmoid` refuses `vib`, whose noise is Gaussian.

    `sigmoid` is the default model of imb's methods, which accept other models too.
    """
    with pytest.raises(SpecError, match="takes objectives whose noise is bernoulli or none"):
        SweepSpec.from_document({"method": "vib", "model": "sigmoid"})
    for method, model in product(("imb_joint", "imb_greedy", "sfnn", "det"), ("mlp", "resnet18")):
        assert SweepSpec.from_document({"method": method, "model": model}).model.name == model
        assert SweepSpec.from_document({"method": method}).model.name == "sigmoid"


def test_model_sigmoid_has_its_own_default_learning_rate() -> None:
    """The default learning rate of model `sigmoid` is 0.01, unless the spec sets another.

    Other training fields do not change this default.
    """

    def learning_rate(**document: Any) -> float:
        return SweepSpec.from_document({"method": "sfnn", **document}).training.learning_rate

    assert learning_rate() == learning_rate(training={"epochs": 3}) == 0.01
    assert learning_rate(training={"learning_rate": 0.5}) == 0.5
    assert learning_rate(model="mlp") == 1e-3


def layered(method: str = "imb_joint", **fields: Any) -> TrialSpec:
    """A trial of a network with two binary layers, whose losses are separate."""
    small = {"hidden": [8], "latent": 5, "draws": 2, "subset": 0.2, "epochs": 2, "batch_size": 64}
    document = {"method": method, "objective": "imb_joint", "model": "sigmoid"}
    return with_overrides(document, {**small, "losses": "per_layer", **fields}).template


NAMES = [
    *(f"prediction/layer_{i}" for i in range(3)),
    *(f"compression/layer_{i}" for i in (1, 2)),
]


def test_beta_weighs_the_compression_of_every_layer() -> None:
    """With `linear`, separate losses have the gradients of the summed losses."""
    fields: dict[str, Any] = {"beta": 0.3, "relative_betas": [2, 7], "gammas": [0.5, 1, 3]}
    separate, summed = (packed(layered(losses=kind, **fields)) for kind in ("per_layer", "summed"))
    for pack in (separate, summed):
        pack.stack.train(True)
    steps = [pack.step(next(pack.batches.epoch())) for pack in (separate, summed)]
    assert steps[0].weights.step.tolist() == [pytest.approx([1, 1, 1, 0.3, 0.3])]
    for left, right in zip(steps[0].gradients, steps[1].gradients, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(steps[0].training_loss, steps[1].training_loss)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("mib", {"iterations": 7}),
        ("mib_exact", {}),
        ("mgda", {"solver": "frank_wolfe", "iterations": 3}),
        *((name, {}) for name in ("upgrad", "cagrad", "aligned_mtl", "famo", "dwa", "unit_sum")),
    ],
)
def test_adaptive_weights_are_those_of_all_layers(method: str, fields: dict[str, Any]) -> None:
    """Each of 2 L + 1 losses has its own weight and history; a trial does not depend on its pack.

    The trials of the pack differ in the weights of the layers.
    """
    specs = [
        layered(method, relative_betas=betas, **fields).with_fields({"seed": seed})
        for seed, betas in enumerate(([1, 1], [5, 0.1]))
    ]
    together = run_trials(specs, device="cpu")
    (alone,) = run_trials(specs[1:], device="cpu")
    for name in NAMES:
        series = f"loss/{name}"
        assert together[1].history[series] == pytest.approx(alone.history[series], rel=1e-3)
    weights = [alone.history[f"weight/{name}"][-1] for name in NAMES]
    assert all(weight is not None for weight in weights)
    assert len(set(weights)) > 2 or method == "dwa"  # equal in the first two epochs


def test_the_weights_of_a_layered_step_are_those_of_a_scalar_loop() -> None:
    """The weights of a step are those of mib eqs 9 to 11 after T iterations on its Gramian."""
    pack = packed(layered("mgda", solver="frank_wolfe", iterations=6))
    pack.stack.train(True)
    step = pack.gradients(next(pack.batches.epoch()))
    assert step.gramian is not None
    gramian, w = step.gramian[0].double(), torch.full((5,), 0.2).double()
    for t in range(6):
        vertex = int((gramian @ w).argmin())
        w = w * (1 - 2 / (t + 2))
        w[vertex] += 2 / (t + 2)
    assert step.weights.step[0].tolist() == pytest.approx(w.tolist(), abs=1e-6)


@pytest.mark.parametrize("weighting", ["uncertainty", "task_weights"])
def test_the_losses_of_several_tasks_and_layers_are_in_one_order(weighting: str) -> None:
    """The losses of the layers follow each other for each task; a task's weight holds for all."""
    entry = OBJECTIVES["imb_joint"]
    names = entry.losses_of(("left", "right"), {"losses": "per_layer"}, 1)
    assert names == (
        *("prediction/left/layer_0", "prediction/left/layer_1"),
        *("prediction/right/layer_0", "prediction/right/layer_1"),
        "compression/layer_1",
    )
    weights = WEIGHTINGS[weighting].build({})
    weights.prediction_count = 4
    hyper = {"beta": torch.tensor([0.1]), "task_weights": torch.tensor([[2.0, 3.0]])}
    hyper["log_variance"] = torch.tensor([[2.0, 2.0, 3.0, 3.0]]).log().neg()
    step = weights(torch.ones(1, 5), None, hyper).step
    assert step.tolist() == [pytest.approx([2, 2, 3, 3, 0.1])]
