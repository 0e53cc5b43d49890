"""A pack: trials that are trained together."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from paretoib.data import Dataset
from paretoib.errors import SpecError
from paretoib.models import Model
from paretoib.objectives import OBJECTIVES, Objective
from paretoib.records import TrialRecord
from paretoib.specs import Section, TrialSpec
from paretoib.trained import ModelHeader, encode_model, trial_model
from paretoib.training._average import WeightAverage
from paretoib.training._batches import Batch, Batches, stream_seed
from paretoib.training._estimates import Estimates, to_metrics
from paretoib.training._history import History
from paretoib.training._measure import Evaluator
from paretoib.training._memory import keep_freed_memory
from paretoib.training._optimiser import Optimiser, gradient_norms
from paretoib.training._stack import Stack, stack_models
from paretoib.training._step import Losses, Step, training_step
from paretoib.weighting import WEIGHTINGS, Weighting

# Number of validation examples for the information plane of the history. If exact values can be
# computed, all validation examples are used. Marginals are fitted to twice as many training
# examples as `HISTORY_INPUTS`, or to more for a large latent.
HISTORY_INPUTS = 128

# Attributes of a pack whose states change during training and are stored in checkpoints.
_PARTS = ("stack", "optimiser", "average", "batches", "history")


class Pack:
    """Models, optimiser, batches and histories of trials that are trained together."""

    def __init__(self, specs: Sequence[TrialSpec], dataset: Dataset, device: torch.device) -> None:
        keep_freed_memory()
        self.specs = specs
        self.dataset = dataset
        self.device = device
        first = specs[0]
        self.objective: Objective = OBJECTIVES[first.objective.name].build(first.objective.params)
        self.weighting: Weighting = WEIGHTINGS[first.weighting.name].build(first.weighting.params)
        losses = first.losses
        self.weighting.prediction_count = sum(name.startswith("prediction") for name in losses)
        self.weighting.loss_count = len(losses)
        self.hyper = {
            kind: _per_trial([getattr(s, kind) for s in specs], device)
            for kind in ("objective", "weighting")
        }
        self.stack: Stack = stack_models(
            [_model(s, dataset, self.weighting).to(device) for s in specs]
        )
        self.stages = self._stages()
        self.optimiser = Optimiser(self.stack, specs)
        self.average = WeightAverage(self.stack, first.training.weight_average)
        self.history = History(losses)
        latent = first.model["latent"]
        width = self.hyper["objective"].get("prior_width", torch.ones(len(specs), device=device))
        self.evaluator = Evaluator(self.stack, dataset, width)
        self.batches = Batches(
            dataset.train,
            [s.seed for s in specs],
            batch_size=first.training.batch_size,
            noise_size=self.stack.head.training_noise,
            weighting_noise=self.weighting.noise,
        )
        exact = self.evaluator.has_layer_information
        self.history_split = dataset.validation.first(
            len(dataset.validation) if exact else HISTORY_INPUTS
        )
        self.marginal_split = dataset.train.first(max(2 * HISTORY_INPUTS, 4 * latent))
        self._refresh_decoder()
        self.epoch = 0
        self.diverged_in: list[int | None] = [None] * len(specs)

    def train(self) -> None:
        """Train all remaining epochs, or until every trial has diverged."""
        while not self.trained:
            self.train_epoch()

    @property
    def trained(self) -> bool:
        """Whether all epochs are completed or all trials have diverged."""
        return self.epoch == self.specs[0].training.epochs or all(self.diverged_in)

    def train_epoch(self, until: float = math.inf) -> Estimates:
        """Train one epoch; returns estimates on the first examples of the validation split.

        Raises:
            TimeoutError: a step has ended after `until` (seconds of `time.perf_counter`).
        """
        self._begin_epoch()
        total, examples = torch.zeros(len(self.specs), device=self.device), 0
        for batch in self.batches.epoch():
            step = self.step(batch)
            if self.optimiser.learning_rates.follow_losses:
                total += batch.x.shape[1] * step.training_loss
            examples += batch.x.shape[1]
            if time.perf_counter() > until:
                raise TimeoutError
        self.epoch += 1
        self.stack.update_weighting(self.weighting.after_epoch(self._weighting_hyper()))
        norms = gradient_norms([self.stack.per_trial(g) for g in step.gradients])
        with self.average.applied():
            self._refresh_decoder()
            marginals = self.evaluator.fit_marginals(self.marginal_split)
            estimates = self.evaluator.estimate(self.history_split, samples=1, marginals=marginals)
            finite = self.history.end_epoch(
                estimates,
                norms,
                self.optimiser.learning_rates.now,
                self.evaluator.layer_information(),
                self.evaluator.cross_entropies(),
            )
        if self.average.active:
            self._refresh_decoder()
        self.optimiser.end_epoch(self.epoch, total / examples)
        for trial in (~finite).nonzero().flatten().tolist():
            self.diverged_in[trial] = self.diverged_in[trial] or self.epoch
        return estimates

    def _stages(self) -> int:
        """The number of layers that a greedy objective trains one after another, otherwise 1.

        A stage is the training of one of these layers.
        """
        entry = OBJECTIVES[self.specs[0].objective.name]
        layers = len(getattr(self.stack.head, "widths", ())) if entry.greedy else 1
        epochs = self.specs[0].training.epochs
        if epochs < layers:
            raise SpecError(
                f"training.epochs: should be at least {layers}, the number of layers, which "
                f"objective `{self.specs[0].objective.name}` trains one after another; "
                f"found {epochs}"
            )
        return layers

    def _begin_epoch(self) -> None:
        """Switch to training mode; at the start of a stage, freeze layers and reset the optimiser.

        The reset sets all moments to zero, so that frozen layers no longer change.
        """
        self.stack.train(True)
        epochs = self.specs[0].training.epochs
        stage = self.epoch * self.stages // epochs
        self.stack.head.frozen = stage
        if self.stages > 1:
            self.stack.share_layers(stage)
        if stage > (self.epoch - 1) * self.stages // epochs >= 0:
            self.optimiser.reset()

    def _refresh_decoder(self) -> None:
        """Set optimal decoders to p(y|z) of the training data under the present weights."""
        if self.objective.optimal_decoder:
            self.evaluator.refresh_decoder()

    def rung_results(self, estimates: Estimates) -> dict[str, tuple[float, float] | None]:
        """(rate, lost bits) by trial key; None if not finite or if the trial diverged."""
        rates = (estimates.rate / math.log(2)).tolist()
        lost = ((estimates.ceiling - estimates.relevance) / math.log(2)).tolist()
        all_finite = estimates.cross_entropy.isfinite() & estimates.rate.isfinite()
        return {
            spec.key: (rate, lost) if finite and not diverged else None
            for spec, rate, lost, finite, diverged in zip(
                self.specs, rates, lost, all_finite.tolist(), self.diverged_in, strict=True
            )
        }

    def state(self) -> dict[str, Tensor]:
        """Everything that training changes, with one row for each trial."""
        states = {part: getattr(self, part).state() for part in _PARTS}
        named = {f"{part}/{k}": t for part, tensors in states.items() for k, t in tensors.items()}
        return {"diverged_in": torch.tensor([e or 0 for e in self.diverged_in]), **named}

    def fits(self, state: Mapping[str, Tensor], epoch: int) -> bool:
        """Whether names, shapes and types in `state` match this pack after epoch number `epoch`."""
        current = self.state()
        history = {n: tuple(t.shape) for n, t in state.items() if n.startswith("history/")}
        shapes = {n: (t.shape, t.dtype) for n, t in state.items() if n not in history}
        return (
            0 < epoch <= self.specs[0].training.epochs
            and shapes == {n: (t.shape, t.dtype) for n, t in current.items()}
            and set(history.values()) == {(len(self.specs), epoch)}
        )

    def load(self, state: Mapping[str, Tensor], epoch: int) -> None:
        """Restore a `state()` of the same trials, saved after epoch number `epoch`."""
        self.epoch = epoch
        self.diverged_in = [e or None for e in state["diverged_in"].tolist()]
        for part in _PARTS:
            prefix = f"{part}/"
            tensors = {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
            getattr(self, part).load(tensors)

    def subset(self, trials: Sequence[int]) -> "Pack":
        """A new pack of some trials in their present state; `trials` holds their indices."""
        pack = Pack([self.specs[i] for i in trials], self.dataset, self.device)
        pack.load({name: rows[list(trials)] for name, rows in self.state().items()}, self.epoch)
        return pack

    def measure(self) -> list[dict[str, Any]]:
        """The outcome of every trial: a status, and metrics or the reason why there are none.

        From here on, the weights of the pack are their averages, if the weights are averaged.
        """
        if self.average.active:
            self.average.apply()
            self._refresh_decoder()
        marginals = self.evaluator.fit_marginals(self.dataset.train)
        splits = {"validation": self.dataset.validation, "test": self.dataset.test}
        estimates = {
            name: self.evaluator.estimate(split, marginals=marginals)
            for name, split in splits.items()
        }
        outcomes = []
        for trial in range(len(self.specs)):
            outcome: dict[str, Any] = {"status": "finished"}
            if reason := self._diverged(trial, estimates.values()):
                outcome = {"status": "diverged", "reason": reason}
            else:
                for name, split in splits.items():
                    outcome[name] = to_metrics(estimates[name], trial, len(split))
            outcomes.append(outcome)
        return outcomes

    def record(self, trial: int, outcome: Mapping[str, Any], seconds: float) -> TrialRecord:
        """The record of a trial: its outcome, its history so far and its time in `seconds`.

        A trial whose loss was not finite is recorded as diverged, unless its outcome is "finished".
        """
        if outcome["status"] != "finished" and (reason := self._diverged(trial)):
            outcome = {"status": "diverged", "reason": reason}
        return TrialRecord(
            trial=self.specs[trial].key,
            spec=self.specs[trial].document,
            # The history ends where the trial diverged; the pack continued with other trials.
            history=self.history.of_trial(trial, self.diverged_in[trial]),
            seconds=seconds,
            device=str(self.device),
            pack=len(self.specs),
            **outcome,
        )

    @property
    def model_bytes(self) -> int:
        """The size of the weights of one trial's model, in bytes."""
        tensors = self._model_state().values()
        return sum(t.numel() * t.element_size() for t in tensors) // len(self.specs)

    def model_file(self, trial: int) -> bytes:
        """The content of the model file of a trial, with its present weights.

        After `measure`, these are the measured weights.
        """
        header = ModelHeader(
            trial=self.specs[trial].key,
            spec=self.specs[trial].document,
            shape=self.dataset.shape,
            input_range=self._input_range,
            classes=self.dataset.classes,
            tasks=self.dataset.tasks,
            target_dim=self.dataset.target_dim,
        )
        return encode_model(header, {name: t[trial] for name, t in self._model_state().items()})

    def _model_state(self) -> dict[str, Tensor]:
        """The state of all models, (M, …) each, without that of the weighting."""
        state = self.stack.state().items()
        return {name: tensor for name, tensor in state if not name.startswith("weighting.")}

    @cached_property
    def _input_range(self) -> tuple[float, float]:
        low, high = torch.aminmax(self.dataset.train.x)
        return float(low), float(high)

    def _diverged(self, trial: int, estimates: Iterable[Estimates] = ()) -> str | None:
        """The reason why a trial has diverged; None if it has not."""
        if epoch := self.diverged_in[trial]:
            return f"loss not finite in epoch {epoch}"
        if not all(e.cross_entropy[trial].isfinite() for e in estimates):
            return "loss not finite after the last epoch"
        return None

    def step(self, batch: Batch) -> Step:
        """Train on one batch."""
        step = self.gradients(batch)
        self.optimiser.step(step.gradients)
        self.average.update()
        self._after_step(batch, step)
        examples = batch.x.shape[1]
        diagnostics = self.objective.diagnostics(step.losses, examples)
        self.history.add_step(step, examples, diagnostics)
        return step

    def gradients(self, batch: Batch) -> Step:
        """The gradients of one batch, with the losses, weights and Gramian."""
        hyper = {**self._weighting_hyper(), "noise": batch.weighting_noise}
        losses_of = partial(self._losses_of, batch)
        return training_step(self.stack, self.weighting, hyper, self._raw(batch), losses_of)

    def _after_step(self, batch: Batch, step: Step) -> None:
        """Update the state of the weighting."""

        def new_losses() -> Tensor:
            return torch.stack(self._losses_of(batch, self._raw(batch)), dim=1)

        with torch.no_grad():
            state = self.weighting.after_step(self._weighting_hyper(), step.losses, new_losses)
            self.stack.update_weighting(state)

    def _weighting_hyper(self) -> dict[str, Tensor]:
        """The hyperparameters, the parameters and the state of the weighting."""
        return {**self.hyper["weighting"], **self.stack.weighting()}

    def _raw(self, batch: Batch) -> Tensor:
        """The encoder's output for a batch."""
        with self._precision():
            return self.stack.map(lambda encoder, _, x: encoder(x).float(), batch.x)

    def _losses_of(self, batch: Batch, raw: Tensor) -> Losses:
        """The losses of a batch, from the encoder's output."""
        with self._precision():
            return self.stack.map(self._losses, raw, batch.noise, batch.y, self.hyper["objective"])

    def _losses(
        self, _: Any, head: Any, raw: Tensor, noise: Tensor, y: Tensor, hyper: Any
    ) -> Losses:
        output = head(raw, noise)
        # Losses are computed in single precision, because their terms nearly cancel.
        with self._precision(mixed=False):
            return self.objective.losses(output, y, hyper)

    def _precision(self, *, mixed: bool = True) -> AbstractContextManager[Any]:
        if self.specs[0].training.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16, enabled=mixed)
        return nullcontext()


def _model(spec: TrialSpec, dataset: Dataset, weighting: Weighting) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec.seed, 0))
        return trial_model(
            spec,
            shape=dataset.shape,
            classes=dataset.classes,
            target_dim=dataset.target_dim,
            weighting=weighting.parameters(),
            weighting_state=weighting.state(),
        )


def _per_trial(sections: Sequence[Section], device: torch.device) -> dict[str, Tensor]:
    """The per-trial hyperparameters, (M,) each, or (M, n) for a list of n values."""
    names = [k for k in sections[0].params if sections[0].is_per_trial(k)]
    return {
        k: torch.tensor([s[k] for s in sections], dtype=torch.float32, device=device) for k in names
    }
