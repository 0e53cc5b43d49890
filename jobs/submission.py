"""Sweeps as jobs of a Ray cluster, through its Jobs API.

A sweep's first job has the sweep's id. Ray takes an id once, so those of a sweep that is taken up
again are `ID-2`, `ID-3`, and so on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paretoib.errors import ClusterError

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

PATIENCE = 30  # seconds for an answer of the Jobs API
_ERROR = "error: "  # what a job's last words begin with
_LONGEST = 500  # characters of them
_SWEEP = re.compile(r"[0-9a-f]{32}")
_JOB = re.compile(r"([0-9a-f]{32})(?:-\d+)?")

# The same for every job. A sweep that is stopped needs a moment to write its front; Ray itself
# would kill it after three seconds.
_ENVIRONMENT = {"PARETOIB_RAY_ADDRESS": "auto", "RAY_JOB_STOP_WAIT_TIME_S": "60"}


class Jobs:
    """The sweeps' jobs on one cluster, by the address of its Jobs API (`http://HOST:8265`).

    The token is `RAY_AUTH_TOKEN`, or what else Ray finds for itself. Every method raises
    `ClusterError` in one plain line. Ray's own `RAY_API_SERVER_ADDRESS` and `RAY_ADDRESS` go
    over the address.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def submit(self, sweep_id: str) -> None:
        """Run a sweep that the store has; `ClusterError` while a job of it is active.

        The command is made from the id, 32 hexadecimal digits, and from nothing else.
        """
        if not _SWEEP.fullmatch(sweep_id):
            raise ClusterError(f"a sweep's id should be 32 hexadecimal digits; found `{sweep_id}`")
        with self._as_cluster_error("submit"):
            jobs = self._of_sweeps().get(sweep_id, {})
            if any(jobs.values()):
                raise ClusterError(f"a sweep should have one job at a time; {sweep_id[:8]} runs")
            self._client.submit_job(
                entrypoint=f"python -m jobs.sweep {sweep_id}",
                submission_id=f"{sweep_id}-{len(jobs) + 1}" if jobs else sweep_id,
                runtime_env={"env_vars": dict(_ENVIRONMENT)},
            )

    def stop(self, sweep_id: str) -> bool:
        """Ask the active job of a sweep to end; whether there was one."""
        with self._as_cluster_error("stop"):
            active = [job for job, runs in self._of_sweeps().get(sweep_id, {}).items() if runs]
            for job in active:
                self._client.stop_job(job)
            return bool(active)

    def states(self) -> dict[str, bool]:
        """By sweep, of all that the cluster had a job of: whether one waits or runs."""
        with self._as_cluster_error("list"):
            return {sweep: any(jobs.values()) for sweep, jobs in self._of_sweeps().items()}

    def error(self, sweep_id: str) -> str | None:
        """The line in which the last job of a sweep said why it could not go on, if it did."""
        with self._as_cluster_error("list"):
            found = [
                (job.start_time or 0, job) for sweep, job in self._listed() if sweep == sweep_id
            ]
        _, last = max(found, key=lambda pair: pair[0], default=(0, None))
        lines = ((last and last.message) or "").splitlines()
        said = next((line for line in reversed(lines) if line.startswith(_ERROR)), None)
        return said and said.removeprefix(_ERROR)[:_LONGEST]

    def _of_sweeps(self) -> dict[str, dict[str, bool]]:
        """By sweep: the ids of its jobs, and whether each is active."""
        found: dict[str, dict[str, bool]] = {}
        for sweep, job in self._listed():
            found.setdefault(sweep, {})[str(job.submission_id)] = not job.status.is_terminal()
        return found

    def _listed(self) -> "Iterator[tuple[str, JobDetails]]":
        """The jobs of sweeps, each with its sweep."""
        for job in self._client.list_jobs():
            if sweep := _JOB.fullmatch(job.submission_id or ""):
                yield sweep[1], job

    @cached_property
    def _client(self) -> "JobSubmissionClient":
        from ray.job_submission import JobSubmissionClient

        class Client(JobSubmissionClient):
            """Ray's own would wait for ever."""

            def _do_request(self, *args: Any, **kwargs: Any) -> Any:
                return super()._do_request(*args, **{"timeout": PATIENCE, **kwargs})

        token = os.environ.get("RAY_AUTH_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return Client(self._address, headers=headers)

    @contextmanager
    def _as_cluster_error(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClusterError:
            raise
        # What requests, Ray's client and its authentication raise has no common parent.
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            line = next((line for line in reversed(said) if line.strip(" ^~.")), said[0])
            raise ClusterError(f"cannot {what} jobs at {self._address}: {line.strip()}") from error
