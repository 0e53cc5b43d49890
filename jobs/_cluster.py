"""A Ray instance: one of our own on loopback, or a cluster that is there."""

import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jobs._interrupts import interrupts_held, termination_interrupts
from paretoib.errors import ParetoIBError
from paretoib.settings import Settings

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
def ray_instance(settings: Settings) -> Iterator[Workers]:
    """Join the cluster of the settings, or start Ray on loopback with a token of its own.

    Where the program is connected to Ray already, that connection is used, and kept. Raises
    `ParetoIBError` for a cluster that cannot be joined.
    """
    load_ray(settings)
    import ray

    joining = bool(settings.ray_address)
    if ray.is_initialized():
        yield _workers(ray.cluster_resources(), settings)
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if joining:
        _check_answers(settings.ray_address)
        options["address"] = settings.ray_address
    else:
        # Without "local", Ray would join any cluster that it finds on this machine.
        options |= {"address": "local", "include_dashboard": False}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        if not joining:
            raise
        raise _cannot_join(settings.ray_address, error) from error
    try:
        # Set after Ray's own handler for SIGTERM, which ends the program on the spot.
        with termination_interrupts():
            yield _workers(ray.cluster_resources(), settings)
    finally:
        with interrupts_held():
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse at once a cluster that is down: Ray would try for minutes."""
    place = urlsplit(address if "//" in address else f"//{address}")
    try:
        if place.hostname and place.port:
            socket.create_connection((place.hostname, place.port), timeout=10).close()
    except (OSError, ValueError) as error:
        raise _cannot_join(address, error) from error


def _cannot_join(address: str, error: Exception) -> ParetoIBError:
    reason = str(error).partition("\n")[0]
    return ParetoIBError(f"cannot join the Ray cluster at {address}: {reason}")


def _workers(resources: dict[str, float], settings: Settings) -> Workers:
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    if gpus and not settings.device.startswith("cpu"):
        return Workers(settings.workers or gpus, 1, 1, settings.device or "cuda")
    count = settings.workers or max(cpus, 1)
    # Fewer workers than cores have several threads each.
    return Workers(count, max(1, cpus // count), 0, settings.device or "cpu")
