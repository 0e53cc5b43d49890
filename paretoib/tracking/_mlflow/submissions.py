"""The sweeps that a service submits to a cluster: idempotency keys and times of submission."""

from dataclasses import replace

from paretoib.records import SweepState
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat
from paretoib.tracking._mlflow.layout import REASON, SWEEPS
from paretoib.tracking._mlflow.reader import as_store_error
from paretoib.tracking._mlflow.tracker import MLflowTracker

_REQUEST = "mlflow.paretoib.request"


class SubmissionTracker(MLflowTracker):
    """An MLflow store that also records when a sweep was submitted, and the request for it."""

    @as_store_error
    def check(self) -> None:
        """Raise `StoreError` unless MLflow answers."""
        self._client.search_experiments(max_results=1)

    @as_store_error
    def unclosed(self) -> list[SweepState]:
        """The sweeps that no writer has closed, including stale sweeps."""
        return [self._state(run) for run in self._sweeps(replace(SWEEPS, running=True))]

    @as_store_error
    def requested(self, request: str) -> SweepState | None:
        """The sweep created by the request with this hash; None if there is none.

        The hash is that of the request's client and idempotency key.
        """
        condition = replace(SWEEPS, tags={**SWEEPS.tags, _REQUEST: request})
        return next(map(self._state, self._sweeps(condition)), None)

    @as_store_error
    def create_submitted(self, spec: SweepSpec, request: str | None) -> SweepState:
        """Create a sweep that is about to be submitted for this request.

        The run has the tags of submission and request from the start. So a repeated request and the
        reconciliation with Ray find the sweep even if the service is killed before it submits the
        sweep.
        """
        request_tag = {_REQUEST: request} if request else {}
        return self._create(spec, _submission_tags() | request_tag)

    @as_store_error
    def mark_submitted(self, sweep_id: str) -> None:
        """Set the submission time and the status running; clear the cancellation and the reason."""
        self._log(sweep_id, tags=_submission_tags())
        self._client.update_run(sweep_id, status="RUNNING")

    @as_store_error
    def extend_submitted(self, sweep_id: str, spec: SweepSpec) -> None:
        """As `extend`, for a sweep that is about to be submitted; also `mark_submitted`."""
        run = self._run_to_extend(sweep_id, spec)
        self.mark_submitted(sweep_id)
        self._write_extension(run, spec)


def _submission_tags() -> dict[str, str]:
    return {**_heartbeat.submitted_tag(), **_heartbeat.CANCEL_NOT_REQUESTED, REASON: ""}
