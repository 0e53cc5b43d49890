"""The store as the service reads and marks it: MLflow's, with how each sweep stands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat as presence
from paretoib.tracking._mlflow.layout import SWEEPS
from paretoib.tracking._mlflow.reader import FAILURES, as_store_error, info_of
from paretoib.tracking._mlflow.tracker import MLflowTracker
from service.schemas import Counts, Row, Sweep

# A tag of a sweep's run. MLflow's pages do not show what is called "mlflow.…".
_REQUEST = "mlflow.paretoib.request"
# Shown in MLflow's pages, as a failed trial's is.
_REASON = "reason"


class Store(MLflowTracker):
    """MLflow's store, with the marks that the service leaves on its sweeps.

    A sweep that was started elsewhere and shows no sign of life is called interrupted, and nothing
    of it is written: its writer may have been cut off for a while. Of those that the service
    submitted Ray knows more.
    """

    def __init__(self, uri: str | None = None) -> None:
        super().__init__(uri)
        # While MLflow is away, no writer can give a sign of life.
        self._back = datetime.now(UTC)

    @as_store_error
    def check(self) -> None:
        """`StoreError` unless MLflow answers."""
        self._client.search_experiments(max_results=1)

    @as_store_error
    def row(self, sweep_id: str) -> Row:
        """The sweep with this id."""
        with self._asking():
            return _row(self._run(sweep_id), self._back)

    @as_store_error
    def rows(self, condition: str = SWEEPS) -> list[Row]:
        """All sweeps, newest first."""
        with self._asking():
            return [_row(run, self._back) for run in self._sweeps(condition)]

    def running(self) -> list[Row]:
        """Those that count as running."""
        return self.rows(f"{SWEEPS} AND attributes.status = 'RUNNING'")

    def requested(self, request: str) -> Row | None:
        """The sweep that was made for this request, a hexadecimal number, if there is one."""
        found = self.rows(f"{SWEEPS} AND tags.`{_REQUEST}` = '{request}'")
        return found[0] if found else None

    def make(self, spec: SweepSpec, request: str | None) -> str:
        """The id of a new sweep that is to be handed to Ray and was made for this request.

        Marked as such from the first moment: wherever the rest is cut off, a repetition of the
        request finds it, and so does who looks for sweeps that nobody runs.
        """
        return self.create(spec, _submitted() | ({_REQUEST: request} if request else {})).id

    @as_store_error
    def submitted(self, sweep_id: str) -> None:
        """The sweep is handed to Ray, now, and counts as running."""
        self._log(sweep_id, tags=_submitted())
        self._client.update_run(sweep_id, status="RUNNING")

    @as_store_error
    def explain(self, sweep_id: str, reason: str) -> None:
        """Why the sweep was interrupted, in one line."""
        self._log(sweep_id, tags={_REASON: reason})

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except FAILURES:
            self._back = datetime.now(UTC)
            raise


def _submitted() -> dict[str, str]:
    return {**presence.submitted(), **presence.NOT_CANCELLED, _REASON: ""}


def _row(run: Any, back: datetime) -> Row:
    """What one of MLflow's runs says, MLflow being back since then."""
    info, metrics, tags = info_of(run), run.data.metrics, run.data.tags
    submitted, sign = presence.submitted_at(tags), presence.last_sign(tags)
    started, alive = _time(run.info.start_time / 1000), _time(sign) if sign else None
    # Another process may have gone on with it since.
    reason = tags.get(_REASON) or None if info.status == "interrupted" else None
    if info.status == "running" and submitted is None:
        last = max(alive or started, back)
        if presence.silent(last.timestamp()):
            info = info.model_copy(update={"status": "interrupted"})
            reason = f"no sign of life for {presence.STALE_SECONDS:g} s or more"
    sweep = Sweep(
        **dict(info),
        started=started,
        ended=_time(run.info.end_time / 1000) if run.info.end_time else None,
        trials=_counts(info.spec["trials"], metrics),
        hypervolume=metrics.get("hypervolume"),
        reason=reason,
    )
    return Row(sweep, submitted, alive, presence.is_cancelled(tags))


def _counts(total: int, metrics: Mapping[str, float]) -> Counts:
    names = ("finished", "stopped", "failed")
    return Counts(total=total, **{name: int(metrics.get(f"trials_{name}", 0)) for name in names})


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
