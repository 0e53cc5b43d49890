"""Submit sweeps to a Ray cluster as jobs, through Ray's Jobs API.

A sweep's first job has the sweep's id as its submission id. Ray accepts an id once, so the jobs of
a resumed sweep are `ID-2`, `ID-3`, and so on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paretoib.errors import ClusterError
from paretoib.processes import SAFE_PATH

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

TIMEOUT = 30  # seconds to wait for the Jobs API
_SWEEP = re.compile(r"[0-9a-f]{32}")
_JOB = re.compile(r"([0-9a-f]{32})(?:-\d+)?")

# The environment of every job. A stopped job needs time to write the sweep's front; by default,
# Ray kills it after three seconds.
_ENVIRONMENT = {
    **SAFE_PATH,
    "PARETOIB_RAY_ADDRESS": "auto",
    "RAY_JOB_STOP_WAIT_TIME_S": "60",
}


class Jobs:
    """The jobs of sweeps on one cluster.

    `address` is the address of the cluster's Jobs API (`http://HOST:8265`); Ray's environment
    variables `RAY_API_SERVER_ADDRESS` and `RAY_ADDRESS` override it. The token is `RAY_AUTH_TOKEN`;
    without this variable, Ray looks for a token itself. A failed call raises `ClusterError` with
    one line of text.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def submit(self, sweep_id: str) -> None:
        """Submit a sweep of the store; raises `ClusterError` while a job of the sweep is active.

        The id is checked, because it is part of the job's command.
        """
        if not _SWEEP.fullmatch(sweep_id):
            raise ClusterError(f"a sweep's id should be 32 hexadecimal digits; found `{sweep_id}`")
        with self._as_cluster_error("submit"):
            jobs = self._jobs_by_sweep().get(sweep_id, {})
            if any(jobs.values()):
                raise ClusterError(
                    f"sweep {sweep_id[:8]} should have one job at a time; found an active job"
                )
            self._client.submit_job(
                entrypoint=f"python -P -m jobs.sweep {sweep_id}",
                submission_id=f"{sweep_id}-{len(jobs) + 1}" if jobs else sweep_id,
                runtime_env={"env_vars": dict(_ENVIRONMENT)},
            )

    def stop(self, sweep_id: str) -> bool:
        """Stop the active job of a sweep; False if there is none."""
        with self._as_cluster_error("stop"):
            active = [job for job, runs in self._jobs_by_sweep().get(sweep_id, {}).items() if runs]
            for job in active:
                self._client.stop_job(job)
            return bool(active)

    def log(self, sweep_id: str) -> str | None:
        """The output of all jobs of a sweep, in order; None if Ray has no job of the sweep."""
        with self._as_cluster_error("read the logs of"):
            jobs = self._jobs_by_sweep().get(sweep_id, {})
            # ID, then ID-2 to ID-10 and so on, by number.
            ordered = sorted(jobs, key=lambda job: int(job.partition("-")[2] or 1))
            return "".join(self._client.get_job_logs(job) for job in ordered) if jobs else None

    def states(self) -> dict[str, bool]:
        """For each sweep with jobs on the cluster: whether it has a pending or running job."""
        with self._as_cluster_error("list"):
            return {sweep: any(jobs.values()) for sweep, jobs in self._jobs_by_sweep().items()}

    def _jobs_by_sweep(self) -> dict[str, dict[str, bool]]:
        """For each sweep: the ids of its jobs, and whether each is active."""
        jobs: dict[str, dict[str, bool]] = {}
        for sweep, job in self._list():
            jobs.setdefault(sweep, {})[str(job.submission_id)] = not job.status.is_terminal()
        return jobs

    def _list(self) -> "Iterator[tuple[str, JobDetails]]":
        """The jobs of sweeps, each with the id of its sweep."""
        for job in self._client.list_jobs():
            if match := _JOB.fullmatch(job.submission_id or ""):
                yield match[1], job

    @cached_property
    def _client(self) -> "JobSubmissionClient":
        from ray.job_submission import JobSubmissionClient

        class Client(JobSubmissionClient):
            """Ray's client with a timeout; without it, the client waits for ever."""

            def _do_request(self, *args: Any, **kwargs: Any) -> Any:
                return super()._do_request(*args, **{"timeout": TIMEOUT, **kwargs})

        token = os.environ.get("RAY_AUTH_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return Client(self._address, headers=headers)

    @contextmanager
    def _as_cluster_error(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClusterError:
            raise
        # Ray's client, its authentication and the library `requests` raise exceptions that have no
        # common base. The last line with text has the reason.
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            line = next((line for line in reversed(lines) if line.strip(" ^~.")), lines[0])
            raise ClusterError(f"cannot {what} jobs at {self._address}: {line.strip()}") from error
