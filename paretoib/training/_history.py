"""Histories of trials: named series with one value per epoch."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paretoib.training._estimates import Estimates
from paretoib.training._step import Step


class History:
    """The histories of M trials.

    - Means over the examples of an epoch for each loss NAME: `loss/NAME` in the unit of the loss
      (see the objective), and, if the weighting or the objective computes them, `weight/NAME`,
      `weight_powered/NAME` (w̃), `alpha/NAME`, `gradient_norm/NAME` and `saturated/NAME`.
    - `gradient_norm`, the norm of the gradient over all parameters at the last step of an epoch,
      and `learning_rate`.
    - The information plane, on the first examples of the validation split with one sample of z:
      `rate_bits`, `relevance_bits` and `accuracy`; for several tasks also `TASK/relevance_bits` and
      `TASK/accuracy`.
    - Exact values, if they can be computed (`Evaluator.has_layer_information`), for each binary
      layer l: `layer_l/rate_bits` I(Z_l;X) and `layer_l/relevance_bits` I(Z_l;Y). A categorical
      code counts as one layer.
    - For categorical codes, on training examples: `decoder_uncertainty_bits` H[Y|Z],
      `decoder_cross_entropy_bits` H_Θ[Y|Z] and `prediction_cross_entropy_bits` H_Θ[Y|X] (uib
      figure 3).
    """

    def __init__(self, losses: Sequence[str]) -> None:
        self.losses = losses
        self._sums: dict[str, Tensor] = {}
        self._examples = 0
        self._epochs: dict[str, list[Tensor]] = defaultdict(list)

    def add_step(self, step: Step, examples: int, diagnostics: Mapping[str, Tensor]) -> None:
        """Add the values of a step to the sums on the device; its batch has `examples` examples."""
        series = {"loss": step.losses, **step.weights.log, **diagnostics}
        if step.gramian is not None:
            series["gradient_norm"] = step.gramian.diagonal(dim1=1, dim2=2).sqrt()
        for name, values in series.items():
            total = self._sums.get(name)
            if total is None:
                self._sums[name] = values * examples
            else:
                total.add_(values, alpha=examples)
        self._examples += examples

    def end_epoch(
        self,
        estimates: Estimates,
        gradient_norm: Tensor,
        learning_rates: Sequence[float],
        layers: Sequence[tuple[Tensor, Tensor]],
        cross_entropies: Mapping[str, Tensor],
    ) -> Tensor:
        """Append the values of the epoch; returns which trials had only finite losses.

        Args:
            estimates: the estimates on the first examples of the validation split.
            gradient_norm: the gradient norm of each trial at the last step, (M,).
            learning_rates: the learning rate of each trial in this epoch.
            layers: exact (I(Z_l;X), I(Z_l;Y)) of each layer in nats, (M,) each.
            cross_entropies: the decoder uncertainty and the cross-entropies of categorical codes by
                name, in nats, (M,) each.

        Returns:
            (M,) bool.
        """
        means = {name: (total / self._examples).cpu() for name, total in self._sums.items()}
        for name, values in means.items():
            for i, loss in enumerate(self.losses):
                self._epochs[f"{name}/{loss}"].append(values[:, i])
        series = {
            "gradient_norm": gradient_norm,
            "learning_rate": torch.tensor(learning_rates),
            "rate_bits": estimates.rate / math.log(2),
            "relevance_bits": estimates.relevance / math.log(2),
            "accuracy": estimates.accuracy.where(estimates.cross_entropy.isfinite(), math.nan),
        }
        for i, (rate, relevance) in enumerate(layers, 1):
            series[f"layer_{i}/rate_bits"] = rate / math.log(2)
            series[f"layer_{i}/relevance_bits"] = relevance / math.log(2)
        for name, entropy in cross_entropies.items():
            series[f"{name}_bits"] = entropy / math.log(2)
        for name, task in estimates.tasks.items():
            series[f"{name}/relevance_bits"] = task.relevance / math.log(2)
            series[f"{name}/accuracy"] = task.accuracy.where(
                task.cross_entropy.isfinite(), math.nan
            )
        for name, values in series.items():
            self._epochs[name].append(values.cpu())
        self._sums.clear()
        self._examples = 0
        return means["loss"].isfinite().all(1)

    def state(self) -> dict[str, Tensor]:
        """The series so far, (M, epochs) each, by name."""
        return {name: torch.stack(epochs, dim=1) for name, epochs in self._epochs.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
        self._epochs.update({name: list(rows.unbind(1)) for name, rows in state.items()})

    def of_trial(self, trial: int, last: int | None = None) -> dict[str, tuple[float | None, ...]]:
        """The history of one trial, up to epoch `last` unless `last` is None.

        Values that were not finite are None. Series without any finite value are omitted.
        """
        rows = {
            name: tuple(_finite(float(values[trial])) for values in epochs[:last])
            for name, epochs in self._epochs.items()
        }
        return {name: row for name, row in rows.items() if any(v is not None for v in row)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
