"""`run_trials`: train and measure the trials of a pack."""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from paretoib.data import load_dataset
from paretoib.errors import OutOfMemoryError, SpecError
from paretoib.records import PackProgress, TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._checkpoint import Checkpoint, SavedPack
from paretoib.training._device import check_precision
from paretoib.training._memory import translate_memory_errors
from paretoib.training._pack import Pack
from paretoib.training._rungs import OnRung, rung_epochs
from paretoib.training._threads import limit_threads

_log = logging.getLogger(__name__)

OnEpoch = Callable[[PackProgress], None]
OnModels = Callable[[Sequence[TrialRecord], int, Callable[[str], bytes]], None]


def run_trials(
    specs: Sequence[TrialSpec],
    *,
    device: str = "",
    folder: Path | None = None,
    checkpoints: Path | None = None,
    every: float = 60.0,
    rungs: Collection[float] = (),
    on_rung: OnRung | None = None,
    limit_seconds: float | None = None,
    on_epoch: OnEpoch = lambda _: None,
    on_models: OnModels | None = None,
) -> list[TrialRecord]:
    """Train and measure the trials of a pack; returns their records in the order of `specs`.

    The result of a trial does not depend on its pack, within floating-point tolerance: its initial
    weights, data order and noise come from its own seed. A trial that diverges is recorded as
    diverged and does not affect the other trials.

    Args:
        specs: the trials.
        device: a torch device; empty: CUDA if available, otherwise the CPU.
        folder: the folder of the data sets.
        checkpoints: the folder of checkpoints. The state of the pack is saved there at the end of
            an epoch if `every` seconds have passed since the last save. The next call for the same
            trials resumes from this file. The records of that call differ from the records of an
            uninterrupted call only in `seconds`. The file is deleted when the pack has ended. A
            file that is damaged or belongs to another pack is ignored with a warning.
        every: seconds between checkpoints.
        rungs: shares of all epochs. `on_rung` is called at the end of the first epoch at which a
            share is completed.
        on_rung: gets the share from `rungs` and the results so far: for each trial key, (rate, lost
            bits) on the first validation examples, or None if not finite or if the trial diverged.
            `on_rung` returns the keys of the trials to stop, which leave the pack and are recorded
            as stopped. After a resume `on_rung` may be called for the same rung again.
        limit_seconds: the time limit per trial. The time of a pack is divided evenly among its
            trials, as in `TrialRecord.seconds`, so a pack of n trials may take n times as long.
            The limit is checked after each step. Trials that exceed the limit are recorded as
            failed. Time before a resume counts.
        on_epoch: gets the progress of the pack before its first epoch and after each epoch.
        on_models: gets the records of the finished trials, the size of the weights of one model in
            bytes, and a function that returns the content of a trial's model file by trial key. It
            is called once, after the measurement; its exceptions are logged, and lose no record.

    Raises:
        SpecError: the trials have different `pack_key`s, the precision is bf16 without CUDA, or the
            data set, the model or the objective refuses a value.
        DataError: data are missing or damaged.
        OutOfMemoryError: the pack does not fit into memory; the memory is free again afterwards.
    """
    if len({s.pack_key for s in specs}) != 1:
        raise SpecError(
            "the trials of a pack should differ only in per-trial fields and seeds; found "
            f"{len(specs)} trials that need {len({s.pack_key for s in specs})} packs"
        )
    torch_device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    check_precision(specs[0].training, str(torch_device))
    started = time.perf_counter()
    shares = rung_epochs(rungs, specs[0].training.epochs) if on_rung else {}
    checkpoint = Checkpoint(checkpoints, [s.key for s in specs], every) if checkpoints else None

    def train_and_measure() -> list[TrialRecord]:
        data = specs[0].data
        dataset = load_dataset(data.name, data.params, folder=folder).to(torch_device)
        run = _Run(Pack(specs, dataset, torch_device), checkpoint, started)
        with limit_threads(specs[0], run.pack.stack):
            run.train(shares, on_rung, limit_seconds, on_epoch)
        records = run.records()
        if on_models:
            run.pass_models(on_models)
        if checkpoint:
            checkpoint.remove()
        return [records[spec.key] for spec in specs]

    try:
        return translate_memory_errors(train_and_measure, torch_device, len(specs))
    except OutOfMemoryError:
        if checkpoint:  # smaller packs of these trials cannot resume from the file
            checkpoint.remove()
        raise


class _Run:
    """The training of one pack, from the start or from a checkpoint, and its records."""

    def __init__(self, pack: Pack, checkpoint: Checkpoint | None, started: float) -> None:
        self.keys = [spec.key for spec in pack.specs]
        self.pack = pack
        self.checkpoint = checkpoint
        self.ended: dict[str, TrialRecord] = {}
        self.seconds = 0.0  # the time of each trial that is still in the pack
        self._last = started
        if checkpoint and (saved := checkpoint.load()):
            self._resume(saved, checkpoint)

    def train(
        self,
        shares: Mapping[int, float],
        on_rung: OnRung | None,
        limit: float | None,
        on_epoch: OnEpoch,
    ) -> None:
        """Train to the end or to the time limit, `limit` seconds per trial.

        `shares` maps the epoch of each rung to its share in `rungs`.
        """
        on_epoch(self._progress())
        while not self.complete and not self.pack.trained:
            remaining = math.inf if limit is None else (limit - self.seconds) * len(self.pack.specs)
            try:
                estimates = self.pack.train_epoch(self._last + remaining)
            except TimeoutError:
                self._add_elapsed()
                reason = f"took longer than {limit:g} s"
                self._end(range(len(self.pack.specs)), {"status": "failed", "reason": reason})
                return
            self._add_elapsed()
            if on_rung and (share := shares.get(self.pack.epoch)):
                self._stop(on_rung(share, self.pack.rung_results(estimates)))
            if self.checkpoint and self.checkpoint.due and not self.complete:
                self._save(self.checkpoint)
            on_epoch(self._progress())

    @property
    def complete(self) -> bool:
        """Whether every trial has a record."""
        return len(self.ended) == len(set(self.keys))

    def records(self) -> dict[str, TrialRecord]:
        """The record of every trial by key; measures the trials that have no record yet."""
        if not self.complete:
            outcomes = self.pack.measure()
            self._add_elapsed()
            for trial, outcome in enumerate(outcomes):
                self._end([trial], outcome)
        return self.ended

    def pass_models(self, on_models: OnModels) -> None:
        """Call `on_models` with the finished trials; an exception is logged."""
        # Only trials that were measured are finished, and all of these are still in the pack.
        indices = {spec.key: trial for trial, spec in enumerate(self.pack.specs)}
        finished = [record for record in self.ended.values() if record.status == "finished"]
        if not finished:
            return
        try:
            on_models(
                finished, self.pack.model_bytes, lambda key: self.pack.model_file(indices[key])
            )
        except Exception as error:
            _log.warning("the models of a pack are not kept: %s", error)

    def _progress(self) -> PackProgress:
        specs = self.pack.specs
        return PackProgress(
            trials=len(specs), epoch=self.pack.epoch, epochs=specs[0].training.epochs
        )

    def _stop(self, keys: Collection[str]) -> None:
        remaining = [i for i, spec in enumerate(self.pack.specs) if spec.key not in keys]
        if len(remaining) == len(self.pack.specs):
            return
        stopped = set(range(len(self.pack.specs))) - set(remaining)
        epochs = self.pack.specs[0].training.epochs
        reason = f"dominated by others after {self.pack.epoch} of {epochs} epochs"
        self._end(stopped, {"status": "stopped", "reason": reason})
        if remaining:
            self.pack = self.pack.subset(remaining)

    def _end(self, trials: Iterable[int], outcome: Mapping[str, Any]) -> None:
        for trial in trials:
            record = self.pack.record(trial, outcome, self.seconds)
            self.ended[record.trial] = record

    def _add_elapsed(self) -> None:
        """Divide the time since the last call among the trials."""
        now = time.perf_counter()
        self.seconds += (now - self._last) / len(self.pack.specs)
        self._last = now

    def _save(self, checkpoint: Checkpoint) -> None:
        trials = tuple(spec.key for spec in self.pack.specs)
        ended = tuple(self.ended.values())
        state = self.pack.state()
        checkpoint.save(SavedPack(trials, self.pack.epoch, self.seconds, ended, state))

    def _resume(self, saved: SavedPack, checkpoint: Checkpoint) -> None:
        pack = self.pack
        if list(saved.trials) != self.keys:
            pack = pack.subset([self.keys.index(key) for key in saved.trials])
        if not pack.fits(saved.state, saved.epoch):
            checkpoint.warn_ignored("its tensors do not match this pack")
            return
        pack.load(saved.state, saved.epoch)
        self.pack, self.seconds = pack, saved.seconds
        self.ended = {record.trial: record for record in saved.ended}
