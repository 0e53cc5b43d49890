"""Cross-entropies and accuracies from samples of z, against loops and sums over all states."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.discrete import CategoricalEncoding, CodebookPrediction
from paretoib.distributions import CategoricalPrediction, GaussianPrediction, Output, PointEncoding
from paretoib.models import state_probabilities
from paretoib.models._states import states
from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._predictions import Predictions, SampledPredictions, predictions_of

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

EXAMPLES, CLASSES, SAMPLES = 6, 3, 4
Y = torch.tensor([0, 2, 1, 1, 0, 2])
ZEROS = torch.zeros(EXAMPLES, 1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def one_trial(prediction: Any, y: Tensor) -> Predictions:
    """The predictions of a single trial, with its axis M."""
    (task,) = predictions_of(Output(PointEncoding(ZEROS), ZEROS, prediction), y)
    return Predictions(*(part.unsqueeze(0) for part in task.parts))


def test_estimates_equal_loops_over_samples() -> None:
    """H_Θ[Y|Z], H_Θ[Y|X], E q(y|z) and all accuracies equal loops over examples and samples.

    The class of the mean prediction is not the class of the mean latent or of every sample.
    """
    logits, at_mean = 3 * draw(SAMPLES, EXAMPLES, CLASSES), draw(EXAMPLES, CLASSES, seed=3)
    sampled = SampledPredictions()
    for sample in logits:
        sampled.add(one_trial(CategoricalPrediction(sample), Y))
    found = sampled.estimates(Y, one_trial(CategoricalPrediction(at_mean), Y), math.log(3), 1.0)
    q = logits.softmax(-1)
    decoder = prediction = probability = 0.0
    right = {"mean": 0.0, "sampled": 0.0, "one": 0.0}
    for i, label in enumerate(Y.tolist()):
        each = [float(q[s, i, label]) for s in range(SAMPLES)]
        decoder -= sum(math.log(p) for p in each) / SAMPLES
        prediction -= math.log(sum(each) / SAMPLES)
        probability += sum(each) / SAMPLES
        right["mean"] += int(at_mean[i].argmax()) == label
        right["sampled"] += int(q[:, i].mean(0).argmax()) == label
        right["one"] += sum(int(q[s, i].argmax()) == label for s in range(SAMPLES)) / SAMPLES
    assert float(found.cross_entropy) == pytest.approx(decoder / EXAMPLES)
    assert float(found.prediction_cross_entropy) == pytest.approx(prediction / EXAMPLES)
    assert float(found.label_probability) == pytest.approx(probability / EXAMPLES)
    accuracies = (found.accuracy, found.accuracy_sampled, found.accuracy_one_sample)
    assert [float(a) for a in accuracies] == pytest.approx([n / EXAMPLES for n in right.values()])
    assert len(set(right.values())) == 3


def test_probabilities_below_the_smallest_float_have_a_logarithm() -> None:
    """The prediction cross-entropy is finite if q(y|z) of every sample underflows."""
    logits = torch.zeros(EXAMPLES, CLASSES).scatter(1, Y.unsqueeze(1), -500.0)
    sampled = SampledPredictions()
    for shift in (0.0, 10.0):
        sampled.add(one_trial(CategoricalPrediction(logits - shift * torch.eye(6, 3)), Y))
    found = sampled.estimates(Y, one_trial(CategoricalPrediction(logits), Y), 1.0, 1.0)
    assert 500 < float(found.prediction_cross_entropy) < 511
    assert float(found.label_probability) == 0


def test_a_categorical_code_needs_no_samples() -> None:
    """H_Θ[Y|X], E q(y|z) and the accuracy of one sample are sums over the categories."""
    code, book = CategoricalEncoding(draw(EXAMPLES, 5)), draw(5, CLASSES, seed=2).log_softmax(-1)
    p, q = code.mean, book.exp()
    prediction = CodebookPrediction(p, book)
    once = one_trial(prediction, Y)
    sampled = SampledPredictions()
    sampled.add(once)
    found = sampled.estimates(Y, once, 1.0, 1.0)
    label = (p @ q).gather(1, Y.unsqueeze(1)).squeeze(1)
    right = (p * (q.argmax(1) == Y.unsqueeze(1))).sum(1)
    assert float(found.prediction_cross_entropy) == pytest.approx(float(-label.log().mean()))
    assert float(found.label_probability) == pytest.approx(float(label.mean()))
    assert float(found.accuracy_one_sample) == pytest.approx(float(right.mean()))
    mixed = ((p @ q).argmax(1) == Y).double().mean()
    assert float(found.accuracy) == float(found.accuracy_sampled) == pytest.approx(float(mixed))
    assert float(right.mean()) != pytest.approx(float(mixed))


def test_a_continuous_y_has_cross_entropies_only() -> None:
    """For a continuous Y, accuracies and the label probability are NaN."""
    y = draw(EXAMPLES, 2, seed=3)
    sampled = SampledPredictions()
    for seed in (4, 5):
        q = GaussianPrediction(draw(EXAMPLES, 2, seed=seed), torch.eye(2).double())
        sampled.add(one_trial(q, y))
    found = sampled.estimates(y, one_trial(q, y), 1.0, 1.0)
    assert float(found.prediction_cross_entropy) < float(found.cross_entropy)
    shares = (found.accuracy, found.accuracy_sampled, found.accuracy_one_sample)
    assert all(share.isnan().all() for share in (*shares, found.label_probability))


def test_the_likelihood_of_sfnn_is_that_of_the_network(trial: Trial, pack_of: PackOf) -> None:
    """From many samples, the prediction cross-entropy is VCR_0, a sum over all states of Z.

    From twelve samples it is larger, but smaller than the decoder cross-entropy.
    """
    fields: dict[str, Any] = {"model": "sigmoid", "hidden": [6], "draws": 4, "initial_scale": 8.0}
    pack = pack_of([trial("sfnn", epochs=15, learning_rate=0.03, **fields)])
    pack.train()
    split = pack.dataset.test.first(100)
    head = pack.stack.head.eval()
    with torch.no_grad():
        raw = pack.evaluator._encode(split.x)[0]
        output = head(raw, torch.zeros(len(raw), head.noise))
        p = state_probabilities(output.layers)[-1]
        q = head.decoder(states(4).float()).softmax(-1).double()
    exact = float(-(p @ q).gather(1, split.y.unsqueeze(1)).log().mean())
    many, twelve = (pack.evaluator.estimate(split, samples=n) for n in (1000, 12))
    assert float(many.prediction_cross_entropy) == pytest.approx(exact, rel=0.01)
    assert exact + 0.02 < float(twelve.prediction_cross_entropy) < float(twelve.cross_entropy) - 0.1
    assert (many.samples, twelve.samples) == (1000, 12)
