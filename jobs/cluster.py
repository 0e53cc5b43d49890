"""A Ray instance: one of our own on loopback, or a cluster that is there."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from paretoib.errors import ClusterError
from paretoib.interrupts import interrupts_held, termination_interrupts
from paretoib.settings import Settings
from paretoib.specs import Resources

# Results live in MLflow alone: Tune's own log files, tables and reports home are switched off, and
# what Ray prints of a lost worker, on stdout, among them: such a trial's record says why it failed.
_QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


# What keeps a Ray of our own on loopback, whatever address it is given; meant for other systems,
# where Ray runs on one machine alone.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}

# Ray says on the terminal what our own messages say better.
_SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}

JOINING = 60.0  # seconds that a cluster whose nodes are still starting is waited for
SETTLING = 5.0  # seconds in which no further node has joined it


@dataclass(frozen=True)
class Workers:
    """What packs are placed on: how many at a time, and what each of them is given."""

    count: int
    cpus: int
    gpus: float
    device: str

    @property
    def resources(self) -> dict[str, float]:
        """A pack's share, as Tune wants it."""
        return {"cpu": self.cpus, **({"gpu": self.gpus} if self.gpus else {})}


def load_ray(settings: Settings) -> None:
    """Import Ray, as quiet as it can be, and kept to loopback unless it joins a cluster."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Read when Ray is imported; a program that did so before has made its own choice.
    if not settings.ray_address and "ray" not in sys.modules:
        for name, value in _LOOPBACK.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray  # noqa: F401


@contextmanager
def ray_instance(settings: Settings, wanted: Resources | None = None) -> Iterator[Workers]:
    """Join the cluster of the settings, or start Ray on loopback with a token of its own.

    Where the program is connected to Ray already, that connection is used, and kept. Raises
    `ClusterError` for a cluster that cannot be joined, or that has no room for a pack with the
    resources that are wanted.
    """
    wanted = wanted or Resources()
    load_ray(settings)
    import ray

    if ray.is_initialized():
        yield place(nodes(), settings, wanted)
        return
    try:
        if settings.ray_address:
            _join(settings.ray_address)
        else:
            _start()
        # Set after Ray's own handler for SIGTERM, which ends the program on the spot.
        with termination_interrupts():
            yield place(nodes(), settings, wanted)
    finally:
        with interrupts_held():
            ray.shutdown()


def _start() -> None:
    """Ray on loopback. Interrupted half-way, it would leave its processes behind for a while."""
    import ray

    with interrupts_held() as caught:
        # Without "local", Ray would join any cluster that it finds on this machine.
        ray.init(address="local", include_dashboard=False, **_SILENT)
    if caught:
        raise KeyboardInterrupt


def _join(address: str) -> None:
    import ray

    _check_answers(address)
    try:
        ray.init(address=address, **_SILENT)
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise _cannot_join(address, error) from error


def _check_answers(address: str) -> None:
    """Refuse at once a cluster that is down: Ray would try for minutes."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), timeout=10).close()
    except (OSError, ValueError) as error:
        raise _cannot_join(address, error) from error


def _cannot_join(address: str, error: Exception) -> ClusterError:
    reason = str(error).partition("\n")[0]
    return ClusterError(f"cannot join the Ray cluster at {address}: {reason}")


def place(nodes: Sequence[Mapping[str, float]], settings: Settings, wanted: Resources) -> Workers:
    """How many packs at a time, and what each is given, on nodes with these resources of Ray's.

    Raises `ClusterError` where no node has room for one: Ray would wait for such a node for ever.
    """
    gpus = wanted.gpus
    if gpus is None:
        # A device of the settings goes before what is there, unless a spec says more.
        on_cpus = settings.device.startswith("cpu") or not any(_of(n, "GPU") >= 1 for n in nodes)
        gpus = 0.0 if on_cpus else 1.0
    device = settings.device or ("cuda" if gpus else "cpu")
    if wanted.gpus == 0 and device.startswith("cuda"):
        raise ClusterError(
            f"resources.gpus: should be above 0 where PARETOIB_DEVICE is {device}; found 0"
        )
    cpus = wanted.cpus or (1 if gpus else _even_share(nodes, settings.workers))
    room = sum(_room(node, gpus, cpus) for node in nodes)
    if not room:
        pack = _described({"CPU": cpus, "GPU": gpus})
        found = ", ".join(_described(node) for node in nodes) or "nothing"
        raise ClusterError(
            f"resources: a node should have room for a pack ({pack}); found nodes with {found}"
        )
    return Workers(settings.workers or room, cpus, gpus, device)


def nodes() -> list[dict[str, float]]:
    """The resources of every node that may train.

    A cluster that has none yet is starting: its first is waited for, and those that follow it.
    """
    found = _alive()
    if _can_train(found):
        return found
    began = changed = time.monotonic()
    while (now := time.monotonic()) - began < JOINING:
        time.sleep(1)
        before, found = found, _alive()
        if found != before:
            changed = now
        if _can_train(found) and now - changed >= SETTLING:
            break
    return found


def _alive() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _can_train(nodes: Sequence[Mapping[str, float]]) -> bool:
    return any(_of(node, "CPU") for node in nodes)


def _room(node: Mapping[str, float], gpus: float, cpus: int) -> int:
    """PackSearcher that fit on a node at a time. Ray gives no pack parts of two GPUs."""
    by_cpus = int(_of(node, "CPU") // cpus)
    return min(by_cpus, int(_of(node, "GPU")) * int(1 / gpus + 1e-9)) if gpus else by_cpus


def _even_share(nodes: Sequence[Mapping[str, float]], workers: int) -> int:
    """Cores of a worker: fewer workers than cores have several threads each, on one node."""
    cores = [int(_of(node, "CPU")) for node in nodes]
    return max(1, min(sum(cores) // (workers or max(1, sum(cores))), max(cores, default=1)))


def _of(node: Mapping[str, float], resource: str) -> float:
    return node.get(resource, 0.0)


def _described(node: Mapping[str, float]) -> str:
    gpus = _of(node, "GPU")
    return f"{_of(node, 'CPU'):g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
