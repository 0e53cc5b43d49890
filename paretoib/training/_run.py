"""run_trials: trains the trials of a pack together, and measures them."""

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from paretoib.data import load_dataset
from paretoib.errors import OutOfMemoryError, SpecError
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._checkpoint import Checkpoint, Saved
from paretoib.training._device import check_precision
from paretoib.training._memory import memory_named
from paretoib.training._pack import Pack
from paretoib.training._rungs import OnRung, rung_epochs
from paretoib.training._threads import useful_threads


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
) -> list[TrialRecord]:
    """Train the trials of a pack together and measure them; records in the order of `specs`.

    A trial's result does not depend on the pack that it ran in, within floating-point tolerance:
    its initial weights, data order and noise come from its own seed. A trial that diverges is
    recorded as diverged and leaves its neighbours untouched.

    `device` is torch's name of one; empty: CUDA where there is. `folder` holds the data sets.

    `checkpoints` is a folder: at the end of an epoch, when `every` seconds have passed since the
    last time, the pack's state is written there, and the next call for the same trials goes on from
    it, to the very same records. The file goes when the pack has ended; one that is damaged
    or not this pack's is left out with a warning.

    `rungs` are shares of the epochs. After each, `on_rung(share, reached)` is given what every
    trial of the pack has reached, key → (rate, lost) in bits on the first validation examples, or
    None where there is no such number, and returns the keys of the trials to stop. They leave the
    pack with a record that says `stopped`. After a resume it may be asked about a rung again.

    `limit_seconds` is the most that a trial may take. The time of a pack is shared out evenly, as
    in `TrialRecord.seconds`, so a pack of n may take n times as long; where it has taken longer
    after a step, its trials are recorded as failed. Time before a resume counts.

    Raises `SpecError` for trials that do not fit into one pack (`TrialSpec.pack_key`), or for
    bf16 without CUDA; `DataError` for data that are absent or damaged; `OutOfMemoryError` for
    a pack that is too large for the memory, which is free again then.
    """
    if len({s.pack_key for s in specs}) != 1:
        raise SpecError(
            "a pack's trials should differ in per-trial fields and seeds alone; found "
            f"{len({s.pack_key for s in specs})} kinds among {len(specs)} trials"
        )
    on = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    check_precision(specs[0].training, str(on))
    started = time.perf_counter()
    at = rung_epochs(rungs, specs[0].training.epochs) if on_rung else {}
    checkpoint = Checkpoint(checkpoints, [s.key for s in specs], every) if checkpoints else None

    def run() -> list[TrialRecord]:
        data = specs[0].data
        dataset = load_dataset(data.name, data.params, folder=folder).to(on)
        this = _Run(Pack(specs, dataset, on), checkpoint, started)
        with useful_threads(specs[0], this.pack.stack):
            this.train(at, on_rung, limit_seconds)
        records = this.records()
        if checkpoint:
            checkpoint.remove()
        return [records[spec.key] for spec in specs]

    try:
        return memory_named(run, on, len(specs))
    except OutOfMemoryError:
        if checkpoint:  # It is of no use to smaller packs.
            checkpoint.remove()
        raise


class _Run:
    """A pack on its way to its records, from the start or from a checkpoint."""

    def __init__(self, pack: Pack, checkpoint: Checkpoint | None, started: float) -> None:
        self.keys = [spec.key for spec in pack.specs]
        self.pack = pack
        self.checkpoint = checkpoint
        self.ended: dict[str, TrialRecord] = {}
        self.seconds = 0.0  # the share of each trial that is still in the pack
        self._mark = started
        if checkpoint and (saved := checkpoint.load()):
            self._go_on(saved, checkpoint)

    def train(self, at: Mapping[int, float], on_rung: OnRung | None, limit: float | None) -> None:
        """Train to the end, or until the time is up; `at` says which epochs end at a rung."""
        while not self.over and not self.pack.trained:
            left = math.inf if limit is None else (limit - self.seconds) * len(self.pack.specs)
            try:
                estimates = self.pack.train_epoch(self._mark + left)
            except TimeoutError:
                self._lap()
                reason = f"took longer than {limit:g} s"
                self._end(range(len(self.pack.specs)), {"status": "failed", "reason": reason})
                return
            self._lap()
            if on_rung and (share := at.get(self.pack.epoch)):
                self._stop(on_rung(share, self.pack.reached(estimates)), share)
            if self.checkpoint and self.checkpoint.due and not self.over:
                self._save(self.checkpoint)

    @property
    def over(self) -> bool:
        """Whether every trial has its record."""
        return len(self.ended) == len(set(self.keys))

    def records(self) -> dict[str, TrialRecord]:
        """Every trial's record by its key; those that have none yet are measured."""
        if not self.over:
            outcomes = self.pack.measure()
            self._lap()
            for trial, outcome in enumerate(outcomes):
                self._end([trial], outcome)
        return self.ended

    def _stop(self, keys: Collection[str], share: float) -> None:
        stays = [i for i, spec in enumerate(self.pack.specs) if spec.key not in keys]
        if len(stays) == len(self.pack.specs):
            return
        goes = set(range(len(self.pack.specs))) - set(stays)
        reason = f"dominated by others after {share:.0%} of the epochs"
        self._end(goes, {"status": "stopped", "reason": reason})
        if stays:
            self.pack = self.pack.only(stays)

    def _end(self, trials: Iterable[int], outcome: Mapping[str, Any]) -> None:
        for trial in trials:
            record = self.pack.record(trial, outcome, self.seconds)
            self.ended[record.trial] = record

    def _lap(self) -> None:
        """Share out the time since the last lap."""
        now = time.perf_counter()
        self.seconds += (now - self._mark) / len(self.pack.specs)
        self._mark = now

    def _save(self, checkpoint: Checkpoint) -> None:
        trials = tuple(spec.key for spec in self.pack.specs)
        ended = tuple(self.ended.values())
        state = self.pack.state()
        checkpoint.save(Saved(trials, self.pack.epoch, self.seconds, ended, state))

    def _go_on(self, saved: Saved, checkpoint: Checkpoint) -> None:
        pack = self.pack
        if list(saved.trials) != self.keys:
            pack = pack.only([self.keys.index(key) for key in saved.trials])
        if not pack.fits(saved.state, saved.epoch):
            checkpoint.refuse("its numbers do not fit this pack")
            return
        pack.load(saved.state, saved.epoch)
        self.pack, self.seconds = pack, saved.seconds
        self.ended = {record.trial: record for record in saved.ended}
