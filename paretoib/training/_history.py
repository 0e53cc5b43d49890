"""What a trial's history keeps: one value an epoch under each name."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paretoib.training._estimates import Estimates
from paretoib.training._step import Step


class History:
    """The histories of M trials.

    `loss/NAME` in the objective's own units (nats), `weight/NAME`, `weight_powered/NAME` (w̃),
    `alpha/NAME`, `gradient_norm/NAME` where a weighting computes them, all averaged over the
    epoch's examples; `gradient_norm` of the epoch's last step; `learning_rate`; and, on the first
    examples of the validation split with one sample of z, `rate_bits`, `relevance_bits` and
    `accuracy`: the information plane. Of several tasks also `TASK/relevance_bits` and
    `TASK/accuracy`. Where it is known exactly, `layer_1/rate_bits` and `layer_1/relevance_bits`,
    I(Z_1;X) and I(Z_1;Y), and so on for each binary layer. Of categorical codes, on training
    examples, `decoder_uncertainty_bits` H[Y|Z], `decoder_cross_entropy_bits` H_Θ[Y|Z] and
    `prediction_cross_entropy_bits` H_Θ[Y|X] (uib figure 3).
    """

    def __init__(self, losses: Sequence[str]) -> None:
        self.losses = losses
        self._sums: dict[str, Tensor] = {}
        self._examples = 0
        self._epochs: dict[str, list[Tensor]] = defaultdict(list)

    def add_step(self, step: Step, examples: int, watched: Mapping[str, Tensor]) -> None:
        """Take note of a step over a batch of `examples`; nothing leaves the device."""
        noted = {"loss": step.losses, **step.weights.log, **watched}
        if step.gramian is not None:
            noted["gradient_norm"] = step.gramian.diagonal(dim1=1, dim2=2).sqrt()
        for name, values in noted.items():
            held = self._sums.get(name)
            if held is None:
                self._sums[name] = values * examples
            else:
                held.add_(values, alpha=examples)
        self._examples += examples

    def end_epoch(
        self,
        estimates: Estimates,
        gradient_norm: Tensor,
        learning_rates: Sequence[float],
        layers: Sequence[tuple[Tensor, Tensor]],
        cross_entropies: Mapping[str, Tensor],
    ) -> Tensor:
        """Close the epoch; whether each trial's losses were finite throughout, (M,) bool."""
        means = {name: (total / self._examples).cpu() for name, total in self._sums.items()}
        for name, values in means.items():
            for i, loss in enumerate(self.losses):
                self._epochs[f"{name}/{loss}"].append(values[:, i])
        plane = {
            "gradient_norm": gradient_norm,
            "learning_rate": torch.tensor(learning_rates),
            "rate_bits": estimates.rate / math.log(2),
            "relevance_bits": estimates.relevance / math.log(2),
            "accuracy": estimates.accuracy.where(estimates.cross_entropy.isfinite(), math.nan),
        }
        for i, (rate, relevance) in enumerate(layers, 1):
            plane[f"layer_{i}/rate_bits"] = rate / math.log(2)
            plane[f"layer_{i}/relevance_bits"] = relevance / math.log(2)
        for name, entropy in cross_entropies.items():
            plane[f"{name}_bits"] = entropy / math.log(2)
        for task, of_task in estimates.tasks.items():
            plane[f"{task}/relevance_bits"] = of_task.relevance / math.log(2)
            plane[f"{task}/accuracy"] = of_task.accuracy.where(
                of_task.cross_entropy.isfinite(), math.nan
            )
        for name, values in plane.items():
            self._epochs[name].append(values.cpu())
        self._sums.clear()
        self._examples = 0
        return means["loss"].isfinite().all(1)

    def state(self) -> dict[str, Tensor]:
        """The epochs that have ended, (M, epochs) under each name."""
        return {name: torch.stack(epochs, dim=1) for name, epochs in self._epochs.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._epochs.update({name: list(rows.unbind(1)) for name, rows in state.items()})

    def of(self, trial: int, last: int | None = None) -> dict[str, tuple[float | None, ...]]:
        """One trial's history, up to its `last` epoch where it did not take part in all.

        None where a value was not finite, no row where none ever was.
        """
        rows = {
            name: tuple(_finite(float(values[trial])) for values in epochs[:last])
            for name, epochs in self._epochs.items()
        }
        return {name: row for name, row in rows.items() if any(v is not None for v in row)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
