"""The published solver of the min-norm weights: T iterations of Frank-Wolfe (mib eqs 9–11).

Iteration t = 0, 1, …, T − 1 moves the weights from w to (1 − γ_t) w + γ_t v, where v is the vertex
of the simplex with the smallest slope, (G w)_i, and γ_t = 2/(t + 2). The first weights are equal.
The weights after T iterations can differ much from the min-norm weights: for the Gramian
diag(1, 10⁴), whose min-norm weights are (0.9999, 0.0001), the second weight is 0.036 after 10
iterations and 4e-4 after 100. So T acts as β does, and moves MIB along the front.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._min_norm import stationary_weight


class FrankWolfe:
    """Frank-Wolfe with T_i iterations for trial i, from one tensor of the T_i."""

    def __init__(self, iterations: Float[Tensor, " M"]) -> None:
        self.iterations = iterations
        self._most = int(iterations.max())
        self._tables = _stack_tables([int(n) for n in iterations.tolist()], iterations.device)

    def __call__(self, gramian: Float[Tensor, "M m m"]) -> Float[Tensor, "M m"]:
        """The weights after T_i iterations; NaN if the Gramian of the trial is not finite."""
        weights = self._look_up(gramian) if gramian.shape[-1] == 2 else self._iterate(gramian)
        finite = gramian.isfinite().flatten(1).all(1)
        return weights.masked_fill(~finite.unsqueeze(1), torch.nan)

    def _look_up(self, gramian: Float[Tensor, "M 2 2"]) -> Float[Tensor, "M 2"]:
        """The weights of two losses, from the tables: one search instead of T iterations."""
        starts, weights = self._tables
        # With equal gradients, both slopes are equal, and every iteration takes the first vertex,
        # as for a stationary weight above 1.
        x = stationary_weight(gramian).nan_to_num(nan=2).clamp(-1, 2)
        index = torch.searchsorted(starts, x.unsqueeze(1), right=True) - 1
        first = weights.gather(1, index).squeeze(1)
        return torch.stack([first, 1 - first], dim=1)

    def _iterate(self, gramian: Float[Tensor, "M m m"]) -> Float[Tensor, "M m"]:
        losses = gramian.shape[-1]
        w = torch.full_like(gramian[..., 0], 1 / losses)
        for t in range(self._most):
            slope = (gramian @ w.unsqueeze(-1)).squeeze(-1)
            vertex = torch.nn.functional.one_hot(slope.argmin(1), losses).to(w)
            gamma = 2 / (t + 2)
            moved = (1 - gamma) * w + gamma * vertex
            w = torch.where((t < self.iterations).unsqueeze(1), moved, w)
        return w


@lru_cache(maxsize=128)
def step_function(iterations: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """The first weight of two losses after T iterations, as a function of the exact weight.

    Returns the starts of n intervals of x, in ascending order, and the weight on each interval.
    x is the stationary point of ‖x g_1 + (1 − x) g_2‖² on the whole line, also outside of [0, 1].
    The difference of the two slopes at w is proportional to w − x, so an iteration takes the first
    vertex if w ≤ x. Therefore the weights depend on the Gramian only through x. n is 30 for T = 10,
    11 500 for T = 200 and 68 634 for T = 500.
    """
    start = torch.tensor([-torch.inf], dtype=torch.float64)
    end = torch.tensor([torch.inf], dtype=torch.float64)
    # After t > 0 iterations the weight is 2 k/(t (t + 1)), where k is the sum of s + 1 over the
    # iterations s that took the first vertex. Whole numbers leave no rounding errors.
    k = torch.zeros(1, dtype=torch.int64)
    for t in range(iterations):
        weight = 2 * k.double() / (t * (t + 1)) if t else torch.full_like(start, 0.5)
        # Each interval [start, end) is split where x = w: below, the second vertex is taken.
        starts = torch.stack([start, torch.maximum(start, weight)], dim=1).flatten()
        ends = torch.stack([torch.minimum(end, weight), end], dim=1).flatten()
        sums = torch.stack([k, k + t + 1], dim=1).flatten()
        kept = starts < ends
        start, end, k = starts[kept], ends[kept], sums[kept]
    return start, 2 * k.double() / (iterations * (iterations + 1))


def _stack_tables(
    iterations: Sequence[int], device: torch.device
) -> tuple[Float[Tensor, "M n"], Float[Tensor, "M n"]]:
    """The tables of `step_function` for every trial, padded to one length."""
    tables = [step_function(n) for n in iterations]
    length = max(len(start) for start, _ in tables)
    starts = [_padded(start, length, torch.inf) for start, _ in tables]
    weights = [_padded(weight, length, torch.nan) for _, weight in tables]
    return torch.stack(starts).to(device), torch.stack(weights).to(device)


def _padded(values: Float[Tensor, " n"], length: int, value: float) -> Float[Tensor, " length"]:
    return torch.nn.functional.pad(values, (0, length - len(values)), value=value)
