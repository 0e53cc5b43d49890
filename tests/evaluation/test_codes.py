"""The rate of binary and categorical codes, against enumeration."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from paretoib.distributions import Output
from paretoib.evaluation import code_rate, code_tables, discrete_information, fit_marginals
from paretoib.evaluation._codes import discrete_rate_bounds
from paretoib.models import _states
from paretoib.models._sigmoid import SigmoidHead

INPUTS = 64


def network(widths: tuple[int, ...], scale: float = 12.0) -> tuple[SigmoidHead, Tensor]:
    """A network of binary layers with random weights, and first-layer logits for all inputs."""
    torch.manual_seed(1)
    head = SigmoidHead(widths, draws=1, stochastic=True, decoder=(), classes=2, target_dim=None)
    with torch.no_grad():
        for layer in head.layers:
            layer.weight.mul_(scale)
    return head.eval(), 3 * torch.randn(INPUTS, widths[0])


def output(head: SigmoidHead, raw: Tensor, paths: int, seed: int = 0) -> Output:
    """The network's output with `paths` random paths through the layers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return head(raw, torch.randn(len(raw), paths * head.noise, generator=generator))


def test_tables_are_sums_over_all_states_of_lower_layers() -> None:
    """p(z|x) of the third layer equals a sum over all states of the first two layers.

    Each row of a table sums to 1.
    """
    head, raw = network((2, 3, 2))
    tables = code_tables(output(head, raw, 1))
    assert [table.shape for table in tables] == [(INPUTS, 4), (INPUTS, 8), (INPUTS, 4)]

    def p(bits: tuple[int, ...], logits: Tensor) -> float:
        q = logits.double().sigmoid()
        return math.prod(float(a if bit else 1 - a) for a, bit in zip(q, bits, strict=True))

    expected = 0.0
    for first, second in product(product((0, 1), repeat=2), product((0, 1), repeat=3)):
        second_logits = head.layers[0](torch.tensor(first).float())
        third_logits = head.layers[1](torch.tensor(second).float())
        expected += p(first, raw[5]) * p(second, second_logits) * p((0, 1), third_logits)
    assert float(tables[2][5, 2]) == pytest.approx(expected, rel=1e-5)
    for table in tables:
        torch.testing.assert_close(table.sum(1), torch.ones(INPUTS).double(), rtol=1e-6, atol=0)


def test_information_of_known_codes() -> None:
    """Rate and relevance are exact for a one-hot code, for one bit of Y, and for a constant."""
    one_hot = torch.eye(8).double()
    y = torch.arange(8) % 4
    rate, relevance = discrete_information(one_hot, y, 4)
    assert (float(rate), float(relevance)) == pytest.approx((math.log(8), math.log(4)))
    rate, relevance = discrete_information(one_hot[y // 2], y, 4)
    assert (float(rate), float(relevance)) == pytest.approx((math.log(2), math.log(2)))
    rate, relevance = discrete_information(torch.full((8, 3), 1 / 3, dtype=torch.float64), y, 4)
    assert (float(rate), float(relevance)) == pytest.approx((0, 0), abs=1e-12)


def test_mean_discrete_bounds_enclose_the_rate_of_the_population() -> None:
    """The mean bounds of 200 samples of 12 inputs enclose the rate of all 400 inputs."""
    generator = torch.Generator().manual_seed(0)
    p = (3 * torch.randn(400, 6, generator=generator)).double().softmax(-1)
    exact, _ = discrete_information(p, torch.zeros(400).long(), 1)
    results = []
    for _ in range(200):
        sample = p[torch.randperm(400, generator=generator)[:12]]
        for marginals in ([], [torch.full((6,), 1 / 6).double()]):
            bounds = discrete_rate_bounds(sample, marginals, complete=False)
            results.append((float(bounds.lower), float(bounds.upper), float(bounds.error)))
            assert bounds.lower <= bounds.upper
    lower, upper, error = np.mean(results, axis=0)
    assert lower < float(exact) < upper
    assert upper - lower < 0.5
    assert error > 0


def test_for_complete_inputs_the_rate_is_exact() -> None:
    """If the inputs are complete, both bounds are the exact rate, with standard error 0."""
    head, raw = network((3, 2))
    code = output(head, raw, 1)
    exact, _ = discrete_information(code_tables(code)[-1], torch.zeros(INPUTS).long(), 1)
    bounds = code_rate(code, torch.zeros(0), torch.ones(()), (), complete=True)
    assert bounds is not None
    assert float(bounds.lower) == float(bounds.upper) == pytest.approx(float(exact))
    assert float(bounds.error) == 0


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("widths", [(4,), (3, 3), (6, 5, 4)])
def test_bounds_from_sampled_paths_enclose_the_rate(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...], complete: bool
) -> None:
    """The mean bounds of 50 draws enclose the rate, which is enumerated over the same inputs.

    With several layers, more paths narrow the gap between the bounds. With a single layer p(z|x) is
    exact, so the gap does not change.
    """
    head, raw = network(widths)
    exact, _ = discrete_information(
        code_tables(output(head, raw, 1))[-1], torch.zeros(INPUTS).long(), 1
    )
    assert float(exact) > 0.1
    monkeypatch.setattr(_states, "MAX_BITS", 0)
    gaps = []
    for paths in (1, 4, 32):
        lower, upper = [], []
        for seed in range(50):
            code = output(head, raw, paths, seed)
            fitted = fit_marginals(output(head, raw, 1, seed + 1000))
            bounds = code_rate(code, torch.zeros(0), torch.ones(()), fitted, complete=complete)
            assert bounds is not None
            lower.append(float(bounds.lower))
            upper.append(float(bounds.upper))
        assert np.mean(lower) < float(exact) + 4 * np.std(lower) / 50**0.5
        assert np.mean(upper) > float(exact) - 4 * np.std(upper) / 50**0.5
        gaps.append(np.mean(upper) - np.mean(lower))
    if len(widths) == 1:
        assert gaps == pytest.approx([gaps[0]] * 3, abs=0.1)
    else:
        assert gaps[0] > gaps[1] > gaps[2]


def test_the_upper_bound_is_at_most_that_of_the_first_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The data-processing inequality makes the first layer's bound valid for the second.

    With one path the bound from the second layer is loose, so the bound from the first layer is
    used.
    """
    head, raw = network((2, 8), scale=40.0)
    monkeypatch.setattr(_states, "MAX_BITS", 0)
    code = output(head, 0.1 * raw, 1)
    bounds = code_rate(code, torch.zeros(0), torch.ones(()), ())
    first = Output(code.layers[0].encoding, code.layers[0].z, code.prediction, {}, code.layers[:1])
    first_bounds = code_rate(first, torch.zeros(0), torch.ones(()), ())
    assert bounds is not None
    assert first_bounds is not None
    assert float(bounds.upper) == float(first_bounds.upper) < 0.3
    assert float(bounds.lower) == 0  # a single path says nothing about the lower bound


def test_states_of_only_one_input_give_a_finite_upper_bound() -> None:
    """If every state occurs for at most one input, the upper bound is log S for S states.

    The other inputs and the fitted marginal give these states probability 0.
    """
    p = torch.eye(8, 16, dtype=torch.float64)
    fitted = torch.zeros(16, dtype=torch.float64)
    fitted[8:] = 1 / 8
    bounds = discrete_rate_bounds(p, (fitted,), complete=False)
    assert float(bounds.lower) == pytest.approx(math.log(8))
    assert float(bounds.upper) == pytest.approx(math.log(16))
