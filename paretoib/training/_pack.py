"""A pack of trials while it trains."""

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from paretoib.data._dataset import Dataset
from paretoib.models._model import Model, build_model
from paretoib.objectives import OBJECTIVES
from paretoib.objectives._objective import Objective
from paretoib.records import TrialRecord
from paretoib.specs import Section, TrialSpec
from paretoib.training._batches import Batch, Batches, stream_seed
from paretoib.training._history import History
from paretoib.training._measure import Estimates, Ruler, to_metrics
from paretoib.training._optimiser import Optimiser, gradient_norms
from paretoib.training._stack import Stack, stack
from paretoib.training._step import Step, training_step
from paretoib.weighting import WEIGHTINGS
from paretoib.weighting._weighting import Weighting

# Validation examples that the history's information plane is drawn from, and half the training
# examples that its marginal is fitted to.
HISTORY_INPUTS = 256


class Pack:
    """Models, optimiser and histories of trials that are trained together."""

    def __init__(self, specs: Sequence[TrialSpec], dataset: Dataset, device: torch.device) -> None:
        self.specs = specs
        self.dataset = dataset
        self.device = device
        first = specs[0]
        self.objective: Objective = _build(OBJECTIVES, first.objective)
        self.weighting: Weighting = _build(WEIGHTINGS, first.weighting)
        self.hyper = {
            kind: _per_trial([getattr(s, kind) for s in specs], device)
            for kind in ("objective", "weighting")
        }
        self.stack: Stack = stack([_model(s, dataset).to(device) for s in specs])
        self.optimiser = Optimiser(self.stack, specs)
        self.history = History(OBJECTIVES[first.objective.name].losses)
        latent = first.model["latent"]
        width = self.hyper["objective"].get("prior_width", torch.ones(len(specs), device=device))
        self.ruler = Ruler(self.stack, dataset, latent, width)
        self.batches = Batches(
            dataset.train,
            [s.seed for s in specs],
            batch_size=first.training.batch_size,
            latent=latent,
        )
        self.diverged_in: list[int | None] = [None] * len(specs)

    def train(self) -> None:
        """All epochs, or until every trial has diverged."""
        validation = self.dataset.validation.first(HISTORY_INPUTS)
        sample = self.dataset.train.first(2 * HISTORY_INPUTS)
        for epoch in range(1, self.specs[0].training.epochs + 1):
            self.stack.train(True)
            for batch in self.batches.epoch():
                step = self.step(batch)
            norms = gradient_norms([self.stack.per_trial(g) for g in step.gradients])
            marginals = self.ruler.fit_marginals(sample)
            estimates = self.ruler.estimate(validation, samples=1, marginals=marginals)
            finite = self.history.end_epoch(estimates, norms, self.optimiser.learning_rates)
            self.optimiser.end_epoch(estimates.cross_entropy)
            for trial in (~finite).nonzero().flatten().tolist():
                self.diverged_in[trial] = self.diverged_in[trial] or epoch
            if all(self.diverged_in):
                return

    def measure(self, seconds: float) -> list[TrialRecord]:
        """Every trial's record. `seconds` is what the pack has cost so far."""
        started = time.perf_counter()
        marginals = self.ruler.fit_marginals(self.dataset.train)
        splits = {"validation": self.dataset.validation, "test": self.dataset.test}
        estimates = {
            name: self.ruler.estimate(split, marginals=marginals) for name, split in splits.items()
        }
        share = (seconds + time.perf_counter() - started) / len(self.specs)
        records = []
        for trial, spec in enumerate(self.specs):
            outcome: dict[str, Any] = {"status": "finished"}
            if reason := self._diverged(trial, estimates.values()):
                outcome = {"status": "diverged", "reason": reason}
            else:
                for name, split in splits.items():
                    _, ceiling = self.dataset.entropies(split)
                    outcome[name] = to_metrics(estimates[name], trial, ceiling, len(split))
            records.append(
                TrialRecord(
                    trial=spec.key,
                    spec=spec.document,
                    history=self.history.of(trial),
                    seconds=share,
                    device=str(self.device),
                    pack=len(self.specs),
                    **outcome,
                )
            )
        return records

    def _diverged(self, trial: int, estimates: Iterable[Estimates]) -> str | None:
        """Why a trial counts as diverged, if it does."""
        if epoch := self.diverged_in[trial]:
            return f"loss not finite in epoch {epoch}"
        if not all(e.cross_entropy[trial].isfinite() for e in estimates):
            return "loss not finite after the last epoch"
        return None

    def step(self, batch: Batch) -> Step:
        """Train on one batch."""
        step = self.gradients(batch)
        self.optimiser.step(step.gradients)
        self.history.add_step(step, batch.x.shape[1])
        return step

    def gradients(self, batch: Batch) -> Step:
        """The gradients of one batch, and what they were made of."""
        with self._precision():
            raw = self.stack.map(lambda encoder, _, x: encoder(x), batch.x)

        def losses_of(raw: Tensor) -> Tensor:
            with self._precision():
                return self.stack.map(
                    self._losses, raw, batch.noise, batch.y, self.hyper["objective"]
                )

        return training_step(self.stack, self.weighting, self.hyper["weighting"], raw, losses_of)

    def _losses(
        self, _: Any, head: Any, raw: Tensor, noise: Tensor, y: Tensor, hyper: Any
    ) -> Tensor:
        return torch.stack(self.objective.losses(head(raw.float(), noise), y, hyper))

    def _precision(self) -> AbstractContextManager[Any]:
        if self.specs[0].training.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def _model(spec: TrialSpec, dataset: Dataset) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec.seed, 0))
        return build_model(
            spec.model.name,
            spec.model.params,
            shape=dataset.shape,
            classes=dataset.classes,
            target_dim=dataset.target_dim,
            noise=OBJECTIVES[spec.objective.name].noise == "learned",
        )


def _build(registry: Any, section: Section) -> Any:
    """What a section names, given the hyperparameters that all trials of a pack share."""
    shared = {k: v for k, v in section.params.items() if not section.is_per_trial(k)}
    return registry[section.name].load()(**shared)


def _per_trial(sections: Sequence[Section], device: torch.device) -> dict[str, Tensor]:
    """The hyperparameters in which trials may differ, (M,) each."""
    names = [k for k in sections[0].params if sections[0].is_per_trial(k)]
    return {k: torch.tensor([float(s[k]) for s in sections], device=device) for k in names}
