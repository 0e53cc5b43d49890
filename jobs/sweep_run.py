"""A running sweep in its writer process: writes trials and front, and ends the sweep at a limit."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

from jobs.heartbeat import heartbeat_thread
from jobs.models import KeptModels, ModelLimit, SentModel
from paretoib.errors import ParetoIBError, StoreError
from paretoib.fronts import GrowingFront
from paretoib.interrupts import TerminatedError, deferred_interrupts, termination_count
from paretoib.progress import ProgressLines, ProgressText
from paretoib.records import (
    Front,
    OnProgress,
    RunningPacks,
    Status,
    SweepState,
    TrialRecord,
    Workers,
)
from paretoib.search import Driver
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, File, Ruler, Tracker, front_of, with_trials

_log = logging.getLogger(__name__)

FRONT_SECONDS = 10.0  # minimum time between two updates of the stored front
PROGRESS_SECONDS = 2.0  # minimum time between two reads of the progress of packs
FRONT_SHARE = 0.02  # maximum share of the sweep's time for updates of the stored front


class SweepRun:
    """A sweep that this process runs, as its only writer."""

    def __init__(
        self,
        spec: SweepSpec,
        state: SweepState,
        store: Tracker,
        ruler: Ruler,
        driver: Driver,
        on_progress: OnProgress,
        workers: Workers | None = None,
        models: KeptModels | None = None,
    ) -> None:
        self.spec = spec
        self.id = state.id
        self.store = store
        self.ruler = ruler
        self.status: Status = "running"
        self.cancelled = False  # by Ctrl-C, by request, or because the store refused a heartbeat
        self.driver = driver
        self.records: list[TrialRecord] = []
        self._models = models or KeptModels(0)
        self.read_packs: Callable[[], RunningPacks | None] = lambda: None
        self._state = state.model_copy(update={"workers": workers})
        self._packs: RunningPacks | None = None
        self._packs_read = 0.0
        self._progress = ProgressText(state.name, "")
        self._log_lines = ProgressLines(self._progress, _log.info)
        self._refused: Exception | None = None
        self._request_received = False
        self._on_progress = on_progress
        self._front = GrowingFront(ruler.reference)
        self._hypervolume = 0.0
        # Limits see only the validation split, as searches do.
        self._validation_front = GrowingFront(ruler.reference)
        self._validation_hypervolumes: list[float] = []
        self._limit_reached: str | None = None
        # Limits count from the last extension.
        self._ended_before = spec.extensions[-1].ended if spec.extensions else 0
        self._started = self._front_updated = time.monotonic()
        self._update_seconds = 0.0

    def begin(self) -> None:
        """Begin the sweep; the driver receives the ended trials of a resumed sweep."""
        self.store.begin(self.id, self.ruler, self._state.workers, self._models.megabytes)
        try:
            for record in self.store.records(self.id):
                self._remember(EndedTrial(record, self._front.add(record)))
                self.driver.tell(record.model_copy(update={"test": None}))
            self._drop(self._models.restore(self.records, self.store.models(self.id)))
        except BaseException:
            # The stored trials stay as they are; the sweep can be resumed.
            with self._interrupts_stop_waiting():
                self.store.close(self.id, "interrupted", None, ())
            raise

    @property
    def model_limit(self) -> ModelLimit:
        """The limit on the models of the next pack."""
        return self._models.limit

    def add(self, records: Sequence[TrialRecord], models: Sequence[SentModel] = ()) -> None:
        """Write the trials of a pack, and also the front if its last update is long ago."""
        by_trial, dropped = self._models.add(records, models)
        trials = [
            EndedTrial(record, self._front.add(record), by_trial.get(record.trial))
            for record in records
        ]
        self.store.add(self.id, trials)
        self._drop(dropped)
        for trial in trials:
            self._remember(trial)
            _log_trial(trial.record)
        now = time.monotonic()
        if now - self._front_updated > max(FRONT_SECONDS, self._update_seconds / FRONT_SHARE):
            self.store.update(self.id, self.front())
            self._front_updated = time.monotonic()
            self._update_seconds = self._front_updated - now
        self._packs = self.read_packs()
        self._report()

    def report_packs(self) -> None:
        """Report the packs in training, unless the last read is recent or shows no change."""
        if time.monotonic() - self._packs_read < PROGRESS_SECONDS:
            return
        self._packs_read = time.monotonic()
        if (packs := self.read_packs()) != self._packs:
            self._packs = packs
            self._report()
        self._log_lines.check()

    def front(self) -> Front:
        """The front of all trials so far."""
        return front_of(self._current_state().info, self.records, self.ruler)

    def should_stop(self) -> bool:
        """Whether to start no further trial: the sweep is cancelled or has reached a limit."""
        if self.cancelled:
            return True
        self._limit_reached = self._limit_reached or self._find_limit()
        return self._limit_reached is not None

    @property
    def complete(self) -> bool:
        """Whether all trials have ended."""
        return len(self.records) >= self.spec.trials

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close the sweep in the store when the block ends, however it ends."""
        outcome: Status = "failed"
        failure: str | None = None
        by_person, terminations = True, termination_count()
        _log.info("%s (%s) begins: %s", self._state.name, self.id, self._described_start())
        try:
            try:
                self._report()
                with heartbeat_thread(self.store, self.id, lambda: self._packs, self._end):
                    yield
            except KeyboardInterrupt as interrupt:
                self.cancelled = True
                terminated = isinstance(interrupt, TerminatedError)
                terminated = terminated or termination_count() > terminations
                by_person = not terminated or self._cancel_requested()
            if self._refused:
                raise self._refused
            if not self.cancelled:
                self._limit_reached = self._limit_reached or self.driver.shortfall
            # If all trials have ended, a cancellation does not change the status.
            interrupted = self.cancelled and not self.complete
            stopped: Status = "cancelled" if by_person else "interrupted"
            outcome = stopped if interrupted else self._outcome()
        except Exception as error:
            failure = described(error)
            # At level INFO, because the caller prints the error on stderr.
            _log.info("the sweep fails:", exc_info=True)
            raise
        finally:
            # Closing takes time, and a second Ctrl-C must not lose the front. The store refuses
            # to close a sweep that another process has taken over.
            with self._interrupts_stop_waiting():
                self.status, self._packs = outcome, None
                try:
                    self._close(failure)
                except StoreError as error:
                    _log.info("%s", error)
                    raise
                self._report()
                reason = failure or self._reason()
                ending = f"{self.status} ({reason})" if reason else self.status
                _log.info("%s · %s", self._progress.line, ending)

    def _cancel_requested(self) -> bool:
        """Whether a person has requested to cancel the sweep."""
        if self._request_received:
            return True
        # A request to cancel may have come since the last heartbeat: a service stores the request
        # and also stops the Ray job, which gets SIGTERM.
        with suppress(StoreError):
            return self.store.state(self.id).cancel_requested
        return False

    def _interrupts_stop_waiting(self) -> AbstractContextManager[object]:
        """Within this block, an interrupt only ends the wait for an unavailable store."""
        return deferred_interrupts(partial(self.store.stop_waiting, self.id))

    def _drop(self, trials: Collection[str]) -> None:
        if trials:
            self.store.drop_models(self.id, trials, self._models.reason)

    def _remember(self, trial: EndedTrial) -> None:
        record = trial.record.model_copy(update={"history": {}})
        self.records.append(record)
        self._hypervolume = trial.hypervolume
        validated = record.model_copy(update={"test": record.validation})
        self._validation_hypervolumes.append(self._validation_front.add(validated))

    def _end(self, refused: Exception | None) -> None:
        self.cancelled, self._refused = True, refused
        self._request_received = refused is None

    def _find_limit(self) -> str | None:
        """The first limit of the spec that the sweep has reached, as text; None without one."""
        budget, plateau = self.spec.budget, self.spec.plateau
        if budget.seconds is not None and time.monotonic() - self._started > budget.seconds:
            return f"the budget of {budget.seconds:g} s is spent"
        if budget.device_seconds is not None:
            spent = sum(record.seconds for record in self.records[self._ended_before :])
            if spent > budget.device_seconds:
                return f"the budget of {budget.device_seconds:g} s of training is spent"
        new_trials = len(self.records) - self._ended_before
        if plateau is not None and new_trials > plateau.trials:
            before = self._validation_hypervolumes[-1 - plateau.trials]
            now = self._validation_hypervolumes[-1]
            # A hypervolume of 0 is no plateau: no trial is below the reference point yet.
            if 0 < now <= before * (1 + plateau.percent / 100):
                return (
                    f"the hypervolume grew by no more than {plateau.percent:g} % "
                    f"in {plateau.trials} trials"
                )
        return None

    def _outcome(self) -> Status:
        finished = any(record.status == "finished" for record in self.records)
        return "finished" if finished else "failed"

    def _close(self, failure: str | None) -> None:
        front, pictures = None, []
        reason = failure or self._reason()
        try:
            front = self.front()
            if any(point.rate_bits is not None for point in front.points):
                pictures = list(_pictures(front))
        finally:
            self.store.close(self.id, self.status, front, pictures, reason)

    def _described_start(self) -> str:
        trials = f"{self.spec.trials} trials, {len(self.records)} have ended"
        return f"{trials}, {self._state.workers}" if self._state.workers else trials

    def _report(self) -> None:
        state = self._current_state()
        self._progress.show(state)
        self._on_progress(state)

    def _current_state(self) -> SweepState:
        """The sweep's state, with trials that the store may not hold yet."""
        state = with_trials(self._state, self.records, self._hypervolume)
        now = {"status": self.status, "reason": self._reason(), "packs": self._packs}
        return state.model_copy(update=now)

    def _reason(self) -> str | None:
        """Why the sweep failed, or the limit that ended it; None if all trials have ended."""
        if self.status == "failed" and self.records:
            reasons = Counter(record.reason for record in self.records)
            return f"no trial finished: {reasons.most_common(1)[0][0]}"
        return None if self.complete else self._limit_reached


def _log_trial(record: TrialRecord) -> None:
    reason = f": {record.reason}" if record.reason else ""
    seconds = f"{record.seconds:.1f} s"
    _log.info("trial %s %s after %s%s", record.trial[:12], record.status, seconds, reason)


def _pictures(front: Front) -> Iterator[File]:
    """The pictures of a front. A picture that cannot be drawn is left out, with a warning."""
    from paretoib.fronts import front_html, front_image, parallel_image

    for name, draw in (
        ("front.html", lambda: front_html(front).encode()),
        ("front.png", lambda: front_image(front)),
        ("trials.png", lambda: parallel_image(front)),
    ):
        try:
            yield File(name, draw())
        except Exception as error:
            _log.warning("%s could not be drawn: %s", name, described(error))


def described(error: Exception) -> str:
    """The error in one line, with its type unless it is a `ParetoIBError`."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ParetoIBError) else f"{type(error).__name__}: {text}"
