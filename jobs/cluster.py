"""Start Ray on loopback or join a cluster, and compute how many workers its nodes have room for."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from paretoib.errors import ClusterError
from paretoib.interrupts import deferred_interrupts, raise_deferred, termination_interrupts
from paretoib.processes import SAFE_PATH, inherited, socket_folder
from paretoib.records import Workers
from paretoib.settings import Settings
from paretoib.specs import Resources

# Results are only in MLflow, so Tune's log files and tables are off, and so is Ray's telemetry. The
# regex "." suppresses Ray's messages about lost workers on stdout: the record of a failed trial
# says why it failed.
_QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

# A Ray instance that we start listens only on loopback. Despite its name, the first variable also
# works on Linux: 0 restricts Ray to one machine, as is the default on Windows and macOS.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}

# Our own messages replace what Ray prints on the terminal.
_SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}

JOIN_TIMEOUT = 60.0  # seconds to wait for the nodes of a starting cluster
SETTLE_SECONDS = 5.0  # a cluster counts as complete when no node has joined for this long


def load_ray(settings: Settings) -> None:
    """Import Ray without its logs. Unless it joins a cluster, Ray listens only on loopback.

    A token for Ray is made before the first import of Ray, unless `RAY_AUTH_TOKEN` is set.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Ray reads these variables at its import. If the program has imported Ray already, they have no
    # effect.
    if not settings.ray_address and "ray" not in sys.modules:
        for name, value in _LOOPBACK.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray  # noqa: F401


@contextmanager
def ray_instance(settings: Settings, wanted: Resources | None = None) -> Iterator[Workers]:
    """Join the cluster of the settings, or start Ray on loopback with a token (see `load_ray`).

    If the program is connected to Ray already, that connection is used and stays open. Raises
    `ClusterError` for a cluster that cannot be joined, and for what `workers_on` refuses.
    """
    wanted = wanted or Resources()
    load_ray(settings)
    import ray

    if ray.is_initialized():
        yield workers_on(nodes(), settings, wanted)
        return
    try:
        if settings.ray_address:
            _join(settings.ray_address)
        else:
            _start()
        # After `ray.init`, because Ray sets a SIGTERM handler that ends the program at once.
        with termination_interrupts():
            yield workers_on(nodes(), settings, wanted)
    finally:
        with deferred_interrupts():
            ray.shutdown()


def _start() -> None:
    """Start Ray on loopback; interrupts are deferred, because they would leave processes behind."""
    import ray

    folder = str(socket_folder())
    variables = {
        **SAFE_PATH,
        "TMPDIR": folder,
        "RAY_TMPDIR": os.environ.get("RAY_TMPDIR") or folder,
    }
    with deferred_interrupts() as caught, inherited(variables):
        # Without "local", Ray joins any cluster that it finds on this machine.
        ray.init(address="local", include_dashboard=False, job_config=_job_config(), **_SILENT)
    raise_deferred(caught)


def _job_config() -> Any:
    """Options of a Ray job, so that workers do not import modules of the working directory.

    Ray adds the working directory of this process to the import path of the workers, unless the
    job's runtime environment has a working directory. `SafePathConfig` says that it has one.
    """
    from ray.job_config import JobConfig

    class SafePathConfig(JobConfig):
        def _runtime_env_has_working_dir(self) -> bool:
            return True

    return SafePathConfig()


def _join(address: str) -> None:
    import ray

    _check_answers(address)
    try:
        ray.init(address=address, job_config=_job_config(), **_SILENT)
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise _cannot_join(address, error) from error


def _check_answers(address: str) -> None:
    """Raise `ClusterError` if nothing answers at HOST:PORT in 10 s; Ray would retry for minutes."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), timeout=10).close()
    except (OSError, ValueError) as error:
        raise _cannot_join(address, error) from error


def _cannot_join(address: str, error: Exception) -> ClusterError:
    reason = str(error).partition("\n")[0]
    return ClusterError(f"cannot join the Ray cluster at {address}: {reason}")


def workers_on(
    nodes: Sequence[Mapping[str, float]], settings: Settings, wanted: Resources
) -> Workers:
    """The workers on nodes with these Ray resources.

    Raises `ClusterError` if no node is large enough for a pack, because Ray would wait for ever,
    and for `gpus: 0` if `PARETOIB_DEVICE` is a CUDA device.
    """
    gpus = wanted.gpus
    if gpus is None:
        # PARETOIB_DEVICE=cpu wins over the nodes' GPUs; the spec's `gpus` wins over both.
        on_cpus = settings.device.startswith("cpu") or not any(
            _amount(n, "GPU") >= 1 for n in nodes
        )
        gpus = 0.0 if on_cpus else 1.0
    device = settings.device or ("cuda" if gpus else "cpu")
    if wanted.gpus == 0 and device.startswith("cuda"):
        raise ClusterError(
            f"resources.gpus: should be above 0 if PARETOIB_DEVICE is {device}; found 0"
        )
    cpus = wanted.cpus or (1 if gpus else _even_share(nodes, settings.workers))
    room = sum(_room(node, gpus, cpus) for node in nodes)
    if not room:
        pack = _described({"CPU": cpus, "GPU": gpus})
        found = ", ".join(_described(node) for node in nodes) or "nothing"
        raise ClusterError(
            f"resources: a node should have room for a pack ({pack}); found nodes with {found}"
        )
    return Workers(count=settings.workers or room, cpus=cpus, gpus=gpus, device=device)


def nodes() -> list[dict[str, float]]:
    """The resources of every node.

    A cluster without CPUs is still starting: wait until it has CPUs and no node has joined for
    `SETTLE_SECONDS`, but at most `JOIN_TIMEOUT` seconds.
    """
    alive = _alive()
    if _can_train(alive):
        return alive
    began = changed = time.monotonic()
    while (now := time.monotonic()) - began < JOIN_TIMEOUT:
        time.sleep(1)
        before, alive = alive, _alive()
        if alive != before:
            changed = now
        if _can_train(alive) and now - changed >= SETTLE_SECONDS:
            break
    return alive


def _alive() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _can_train(nodes: Sequence[Mapping[str, float]]) -> bool:
    return any(_amount(node, "CPU") for node in nodes)


def _room(node: Mapping[str, float], gpus: float, cpus: int) -> int:
    """The number of packs that fit on a node. Ray does not give a pack parts of two GPUs."""
    by_cpus = int(_amount(node, "CPU") // cpus)
    return min(by_cpus, int(_amount(node, "GPU")) * int(1 / gpus + 1e-9)) if gpus else by_cpus


def _even_share(nodes: Sequence[Mapping[str, float]], workers: int) -> int:
    """The CPUs of a worker: all CPUs divided by `workers`, at most those of the largest node.

    It is 1 if `workers` is 0, and never less.
    """
    cores = [int(_amount(node, "CPU")) for node in nodes]
    return max(1, min(sum(cores) // (workers or max(1, sum(cores))), max(cores, default=1)))


def _amount(node: Mapping[str, float], resource: str) -> float:
    return node.get(resource, 0.0)


def _described(node: Mapping[str, float]) -> str:
    gpus = _amount(node, "GPU")
    return f"{_amount(node, 'CPU'):g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
