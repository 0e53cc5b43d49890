"""A sweep while it runs: what is written of it, and when it has had enough."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from jobs.heartbeat import heartbeat_thread
from paretoib.fronts import GrowingFront
from paretoib.interrupts import interrupts_held
from paretoib.records import Front, Progress, Status, SweepInfo, TrialRecord
from paretoib.search import Driver
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, File, Ruler, Tracker, front_of

FRONT_EVERY = 10.0  # seconds between two writings of the front while trials end
FRONT_SHARE = 0.02  # of the sweep's time, at most, that goes into writing it


OnProgress = Callable[[Progress], None]


class Run:
    """The only writer of a sweep's trials."""

    def __init__(
        self,
        spec: SweepSpec,
        info: SweepInfo,
        store: Tracker,
        ruler: Ruler,
        driver: Driver,
        on_progress: OnProgress,
    ) -> None:
        self.spec = spec
        self.info = info
        self.store = store
        self.ruler = ruler
        self.status: Status = "running"
        self.cancelled = False  # by Ctrl-C or request, or as the store refused its beat
        self._refused: Exception | None = None
        self.driver = driver
        self.records: list[TrialRecord] = []
        self._on_progress = on_progress
        self._growing = GrowingFront(ruler.reference)
        self._hypervolume = 0.0
        # What limits go by: as a search, they see the validation split alone.
        self._validated = GrowingFront(ruler.reference)
        self._grown: list[float] = []  # its hypervolumes
        self._ended: str | None = None
        self._started = self._written = time.monotonic()
        self._writing = 0.0

    def begin(self) -> None:
        """Take the sweep up: the trials that the store has count, and the driver is told them."""
        self.store.begin(self.info.id, self.ruler)
        try:
            for record in self.store.records(self.info.id):
                self._remember(EndedTrial(record, self._growing.add(record)))
                self.driver.tell(record.model_copy(update={"test": None}))
        except BaseException:
            # What the store has stays as it is, for the next to take up.
            with self._interrupts_hurry():
                self.store.close(self.info.id, "interrupted", None, ())
            raise

    def add(self, records: Sequence[TrialRecord]) -> None:
        """Write the trials of a pack that ended, and now and then the front."""
        ended = [EndedTrial(record, self._growing.add(record)) for record in records]
        self.store.add(self.info.id, ended)
        for one in ended:
            self._remember(one)
        now = time.monotonic()
        if now - self._written > max(FRONT_EVERY, self._writing / FRONT_SHARE):
            self.store.update(self.info.id, self.front("running"))
            self._written = time.monotonic()
            self._writing = self._written - now
        self._report()

    def front(self, status: Status) -> Front:
        """The front of all trials so far."""
        info = self.info.model_copy(update={"status": status})
        return front_of(info, self.records, self.ruler)

    def ended(self) -> bool:
        """Whether no further trial is to be started, by a limit of the spec or by request."""
        if self.cancelled:
            return True
        self._ended = self._ended or self._limit()
        return self._ended is not None

    @property
    def whole(self) -> bool:
        """Whether all trials have ended."""
        return len(self.records) >= self.spec.trials

    @contextmanager
    def closing(self) -> Iterator[None]:
        """However a begun sweep ends, its store says so and holds its front and pictures."""
        self.status = "failed"
        try:
            try:
                self._report()
                with heartbeat_thread(self.store, self.info.id, self._end):
                    yield
            except KeyboardInterrupt:
                self.cancelled = True
            if self._refused:
                raise self._refused
            if not self.cancelled:
                self._ended = self._ended or self.driver.shortfall
            # After the last trial a request has interrupted nothing.
            self.status = "interrupted" if self.cancelled and not self.whole else self._outcome()
        finally:
            # Closing takes a moment; a further Ctrl-C must not cost the front. Of a sweep that
            # another process has taken over, the store refuses it.
            with self._interrupts_hurry():
                self._close()
                self._report()

    def _interrupts_hurry(self) -> AbstractContextManager[object]:
        """Within it Ctrl-C ends nothing but the wait for a store that is away."""
        return interrupts_held(partial(self.store.stop_waiting, self.info.id))

    def _remember(self, ended: EndedTrial) -> None:
        record = ended.record.model_copy(update={"history": {}})
        self.records.append(record)
        self._hypervolume = ended.hypervolume
        seen = record.model_copy(update={"test": record.validation})
        self._grown.append(self._validated.add(seen))

    def _end(self, refused: Exception | None) -> None:
        self.cancelled, self._refused = True, refused

    def _limit(self) -> str | None:
        """The first limit of the spec that has been reached, in words."""
        budget, plateau = self.spec.budget, self.spec.plateau
        if budget.seconds is not None and time.monotonic() - self._started > budget.seconds:
            return f"its {budget.seconds:g} s are over"
        if budget.device_seconds is not None:
            spent = sum(record.seconds for record in self.records)
            if spent > budget.device_seconds:
                return f"its trials have trained {budget.device_seconds:g} s"
        if plateau is not None and len(self.records) > plateau.trials:
            before, now = self._grown[-1 - plateau.trials], self._grown[-1]
            # From nothing it has yet to grow.
            if 0 < now <= before * (1 + plateau.percent / 100):
                return (
                    f"its hypervolume grew by no more than {plateau.percent:g} % "
                    f"in {plateau.trials} trials"
                )
        return None

    def _outcome(self) -> Status:
        finished = any(record.status == "finished" for record in self.records)
        return "finished" if finished else "failed"

    def _close(self) -> None:
        front, pictures = None, []
        try:
            front = self.front(self.status)
            if any(point.rate_bits is not None for point in front.points):
                from paretoib.fronts import front_html, front_png

                pictures = [
                    File("front.html", front_html(front).encode()),
                    File("front.png", front_png(front)),
                ]
        finally:
            self.store.close(self.info.id, self.status, front, pictures)

    def _report(self) -> None:
        # What has run whole was ended by nothing.
        ended = None if self.whole else self._ended
        self._on_progress(Progress.of(self.info, self.records, self._hypervolume, ended))
