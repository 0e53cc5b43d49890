"""Measure response times of the service on loopback: fronts, comparisons, submissions.

    python benchmarks/service.py fill STORE                create two sweeps of 1 000 trials
    python benchmarks/service.py measure STORE [PART...]   measure `paretoib serve` with this store

Each command takes about two minutes. `fill` trains 20 trials of each sweep on digits and writes
varied copies of their records through the tracker, as a sweep's job does. The data have the size
and the variation of 1 000 trained trials, but they are not experimental results.

The parts of `measure` are (default: all):

- `alone`: one client reads a front and a comparison;
- `load`: 100 concurrent clients read a front and a comparison. Each client sends its next request
  as soon as it has a response. Clients and service share the machine, so latency is mostly time in
  the queue;
- `one_key`: 50 simultaneous submissions with the same idempotency key;
- `first_trial`: the time from a submission to the first finished trial.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

TRIALS, TRAINED, CLIENTS, SECONDS, POSTS = 1000, 20, 100, 30.0, 50
EPOCHS = 20
VIB, MIB = "vib-1000", "mib-1000"  # names of the sweeps
SWEEPS: dict[str, dict[str, Any]] = {
    VIB: {"method": "vib", "search": "random", "training": {"epochs": EPOCHS}},
    MIB: {"method": "mib", "seeds": [0], "training": {"epochs": EPOCHS}},
}
DEFAULT_SWEEP = {"method": "vib", "data": "digits"}  # a grid of 16 β, 50 epochs


def fill(store: Path) -> None:
    """Write both sweeps into an empty store."""
    os.environ["PARETOIB_STORE"] = str(store)
    from jobs.sweep import _prepare
    from paretoib.fronts import GrowingFront
    from paretoib.search import driver
    from paretoib.specs import SweepSpec
    from paretoib.tracking import EndedTrial, front_of, tracker
    from paretoib.training import plan_packs, run_trials

    for name, document in SWEEPS.items():
        spec = SweepSpec.from_document({**document, "name": name, "trials": TRIALS})
        opened, shape, ruler = _prepare(spec, tracker)
        trials = driver(spec).ask(TRIALS)
        packs = plan_packs(trials[:TRAINED], shape, workers=1, device="cpu")
        trained = [record for pack in packs for record in run_trials(pack, device="cpu")]
        front = GrowingFront(ruler.reference)
        records = [_varied(trained[i % TRAINED], trial) for i, trial in enumerate(trials)]
        sweep = opened.create(spec)
        opened.begin(sweep.id, ruler)
        opened.add(sweep.id, [EndedTrial(record, front.add(record)) for record in records])
        opened.close(sweep.id, "finished", front_of(sweep, records, ruler), [])


def _varied(record: Any, trial: Any) -> Any:
    """A copy of the record for another trial; rate varies by up to 10 %, and lost bits by 5 %."""
    rng = random.Random(trial.key)
    factors = {"rate_bits": rng.uniform(0.9, 1.1), "lost_bits": rng.uniform(0.95, 1.05)}
    splits = {}
    for split in ("validation", "test"):
        metrics = getattr(record, split)
        varied = {name: getattr(metrics, name) * factor for name, factor in factors.items()}
        lower = min(metrics.rate_lower_bits, varied["rate_bits"])
        splits[split] = metrics.model_copy(update={**varied, "rate_lower_bits": lower})
    return record.model_copy(update={"trial": trial.key, "spec": trial.document, **splits})


@dataclass(frozen=True)
class Service:
    """The address of a running service, and its write token."""

    address: str
    token: str

    def client(self) -> httpx.Client:
        """An HTTP client that sends the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)


@contextmanager
def run_service(store: Path) -> Iterator[Service]:
    """Run `paretoib serve` with this store: MLflow on SQLite, Ray and the service."""
    environment = {
        **os.environ,
        "PARETOIB_STORE": str(store),
        "PARETOIB_SERVICE_REQUESTS_PER_MINUTE": "10000000",
    }
    process = subprocess.Popen(
        [Path(sys.executable).with_name("paretoib"), "serve", "--json", "--port", "8123"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    served = json.loads(text)
    try:
        yield Service(served["addresses"]["service"], served["tokens"]["write"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def seconds_of(client: httpx.Client, path: str) -> float:
    """The time of one response, in seconds."""
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


def measure_alone(service: Service, paths: dict[str, str]) -> dict[str, Any]:
    """Times (ms) of the first response and of 20 more, for a single client."""
    figures = {}
    with service.client() as client:
        for name, path in paths.items():
            cold = seconds_of(client, path)
            warm = [seconds_of(client, path) for _ in range(20)]
            size = len(client.get(path).content)
            figures[name] = {
                "cold_ms": round(1000 * cold, 1),
                "warm_ms": round(1000 * statistics.median(warm), 1),
                "slowest_warm_ms": round(1000 * max(warm), 1),
                "bytes": size,
            }
    return figures


async def _read_until(
    service: Service, paths: Sequence[str], until: float, responses: list[tuple[str, int, float]]
) -> None:
    """Run one client on one connection; append (path, status, seconds) of each response.

    The client writes and parses HTTP itself, because an HTTP library uses more CPU time, and
    clients and service share the cores.
    """
    url = urlsplit(service.address)
    turn = random.randrange(len(paths))
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=2**22)
    while time.perf_counter() < until:
        path = paths[turn % len(paths)]
        turn += 1
        began = time.perf_counter()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Authorization: Bearer {service.token}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        _, _, length = head.partition("content-length: ")
        await reader.readexactly(int(length.split("\r\n")[0]))
        responses.append((path, int(head.split(" ")[1]), time.perf_counter() - began))
    writer.close()


def measure_load(service: Service, paths: Sequence[str]) -> dict[str, Any]:
    """Latencies of `CLIENTS` clients that request the paths in turn for `SECONDS`."""
    responses: list[tuple[str, int, float]] = []

    async def run_clients() -> None:
        until = time.perf_counter() + SECONDS
        clients = (_read_until(service, paths, until, responses) for _ in range(CLIENTS))
        await asyncio.gather(*clients)

    asyncio.run(run_clients())
    times = sorted(seconds for _, _, seconds in responses)
    percentiles = {
        f"p{p}_ms": round(1000 * times[math.ceil(p / 100 * len(times)) - 1]) for p in (50, 95, 99)
    }
    statuses = Counter(status for _, status, _ in responses)
    return {
        "clients": CLIENTS,
        "seconds": SECONDS,
        "responses": len(responses),
        "responses_per_second": round(len(responses) / SECONDS),
        **percentiles,
        "slowest_ms": round(1000 * times[-1]),
        "statuses": dict(statuses),
        "errors": len(responses) - statuses[200],
    }


def measure_one_key(service: Service) -> dict[str, Any]:
    """Send `POSTS` concurrent submissions with one idempotency key, and count the new sweeps."""
    name = f"once-{time.time_ns()}"
    document = {**DEFAULT_SWEEP, "name": name, "training": {"epochs": 1}}
    key = {"Idempotency-Key": name}

    def post(_: int) -> httpx.Response:
        with service.client() as client:
            return client.post("/sweeps", json=document, headers=key)

    began = time.perf_counter()
    with ThreadPoolExecutor(POSTS) as pool:
        responses = list(pool.map(post, range(POSTS)))
    seconds = time.perf_counter() - began
    with service.client() as client:
        total = client.get("/sweeps", params={"name": name}).json()["total"]
        _wait_for(client, responses[0].json()["id"], lambda sweep: sweep["status"] != "running")
    return {
        "posts": POSTS,
        "seconds": round(seconds, 2),
        "statuses": dict(Counter(response.status_code for response in responses)),
        "sweeps": total,
    }


def measure_first_trial(service: Service, times: int = 3) -> dict[str, Any]:
    """Seconds from the submission of a sweep to its first finished trial, and to its end."""
    firsts, ends = [], []
    with service.client() as client:
        for turn in range(times):
            began = time.perf_counter()
            response = client.post("/sweeps", json={**DEFAULT_SWEEP, "name": f"first-{turn}"})
            sweep = response.raise_for_status().json()["id"]
            _wait_for(client, sweep, lambda state: state["trials"]["finished"] > 0)
            firsts.append(round(time.perf_counter() - began, 1))
            _wait_for(client, sweep, lambda state: state["status"] != "running")
            ends.append(round(time.perf_counter() - began, 1))
    return {"first_trial_s": firsts, "end_s": ends}


def _wait_for(client: httpx.Client, sweep: str, done: Any) -> None:
    deadline = time.monotonic() + 120
    while not done(client.get(f"/sweeps/{sweep}").json()):
        assert time.monotonic() < deadline, f"sweep {sweep} takes too long"
        time.sleep(0.1)


def measure(store: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Measure a service with a filled store, and print the result of each part to stderr."""
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }
    with run_service(store) as service:
        with service.client() as client:
            sweeps = client.get("/sweeps", params={"limit": 200}).json()["sweeps"]
        ids = {sweep["name"]: sweep["id"] for sweep in sweeps}
        compare = f"/compare?left={ids[VIB]}&right={ids[MIB]}"
        front = f"/sweeps/{ids[VIB]}/front"
        measurements = {
            "alone": lambda: measure_alone(service, {"front": front, "compare": compare}),
            "load": lambda: measure_load(service, [front, compare]),
            "one_key": lambda: measure_one_key(service),
            "first_trial": lambda: measure_first_trial(service),
        }
        for part in parts or measurements:
            figures[part] = measurements[part]()
            print(part, json.dumps(figures[part]), file=sys.stderr)
    return figures


def main() -> None:
    """Fill a store, or measure the service with a filled store."""
    parser = argparse.ArgumentParser(description="Measure the service on loopback.")
    parser.add_argument("action", choices=("fill", "measure"))
    parser.add_argument("store", type=Path)
    parser.add_argument("parts", nargs="*", help="alone, load, one_key, first_trial; default: all")
    args = parser.parse_args()
    if args.action == "fill":
        fill(args.store.absolute())
    else:
        print(json.dumps(measure(args.store.absolute(), args.parts), indent=2))


if __name__ == "__main__":
    main()
