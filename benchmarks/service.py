"""How fast the service answers, on loopback: fronts, comparisons, one key, the first trial.

    python benchmarks/service.py fill STORE     two sweeps of 1 000 trials, about two minutes
    python benchmarks/service.py measure STORE  starts `paretoib serve` over it, about two minutes;
                                                or some of it: alone, load, one_key, first_trial

`fill` trains 20 trials of each sweep on the digits and writes varied copies of their records
through the tracker, as a sweep's job would: what is read is as large and as irregular as 1 000
trained trials, but only 20 of each were. `measure` reads them with 100 clients at a time, each of
which asks again as soon as it is answered (so latency is the time in the queue of a full machine;
the clients run on it as well); submits one sweep 50 times at once; and times a sweep to its first
trial.
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
LINEAR, ADAPTIVE = "linear-1000", "adaptive-1000"
SWEEPS: dict[str, dict[str, Any]] = {
    LINEAR: {"method": "vib", "search": "random", "training": {"epochs": EPOCHS}},
    ADAPTIVE: {"method": "mib", "seeds": [0], "training": {"epochs": EPOCHS}},
}
FIRST = {"method": "vib", "data": "digits"}  # a grid of 16 β, 50 epochs: the defaults


def fill(store: Path) -> None:
    """Write both sweeps into a store that has none."""
    os.environ["PARETOIB_STORE"] = str(store)
    from jobs.sweep import _prepare
    from paretoib.fronts import GrowingFront
    from paretoib.search import driver
    from paretoib.specs import SweepSpec
    from paretoib.tracking import Ended, front_of, tracker
    from paretoib.training import plan_packs, run_trials

    for name, document in SWEEPS.items():
        spec = SweepSpec.from_document({**document, "name": name, "trials": TRIALS})
        opened, shape, ruler = _prepare(spec, tracker)
        trials = driver(spec).ask(TRIALS)
        packs = plan_packs(trials[:TRAINED], shape, workers=1, device="cpu")
        trained = [record for pack in packs for record in run_trials(pack, device="cpu")]
        growing = GrowingFront(ruler.reference)
        records = [_varied(trained[i % TRAINED], trial) for i, trial in enumerate(trials)]
        sweep = opened.create(spec)
        opened.begin(sweep.id, ruler)
        opened.add(sweep.id, [Ended(record, growing.add(record)) for record in records])
        opened.close(sweep.id, "finished", front_of(sweep, records, ruler), [])


def _varied(record: Any, trial: Any) -> Any:
    """The record as if it were this trial's: rate and lost bits moved by up to a tenth."""
    draw = random.Random(trial.key)
    by = {"rate_bits": draw.uniform(0.9, 1.1), "lost_bits": draw.uniform(0.95, 1.05)}
    measured = {}
    for split in ("validation", "test"):
        held = getattr(record, split)
        moved = {name: getattr(held, name) * factor for name, factor in by.items()}
        lower = min(held.rate_lower_bits, moved["rate_bits"])
        measured[split] = held.model_copy(update={**moved, "rate_lower_bits": lower})
    own = {"trial": trial.key, "spec": trial.document}
    return record.model_copy(update={**own, **measured})


@dataclass(frozen=True)
class Service:
    """Where a running service is, and a token that reads and writes."""

    address: str
    token: str

    def client(self) -> httpx.Client:
        """One with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)


@contextmanager
def served(store: Path) -> Iterator[Service]:
    """`paretoib serve` over a store: MLflow on SQLite, Ray and the service."""
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
    found = json.loads(text)
    try:
        yield Service(found["addresses"]["service"], found["tokens"]["write"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def seconds_of(client: httpx.Client, path: str) -> float:
    """How long one answer takes."""
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


def measure_alone(service: Service, paths: dict[str, str]) -> dict[str, Any]:
    """Milliseconds of the first answer, and of the median of 20 after it, to one client."""
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


async def _reader(
    service: Service, paths: Sequence[str], until: float, found: list[tuple[str, int, float]]
) -> None:
    """One client on one connection, as plain as can be: clients share the machine's cores."""
    place = urlsplit(service.address)
    turn = random.randrange(len(paths))
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**22)
    while time.perf_counter() < until:
        path = paths[turn % len(paths)]
        turn += 1
        began = time.perf_counter()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {service.token}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        _, _, length = head.partition("content-length: ")
        await reader.readexactly(int(length.split("\r\n")[0]))
        found.append((path, int(head.split(" ")[1]), time.perf_counter() - began))
    writer.close()


def measure_load(service: Service, paths: Sequence[str]) -> dict[str, Any]:
    """`CLIENTS` for `SECONDS`, each of which goes through the paths in turn."""
    found: list[tuple[str, int, float]] = []

    async def all_readers() -> None:
        until = time.perf_counter() + SECONDS
        readers = (_reader(service, paths, until, found) for _ in range(CLIENTS))
        await asyncio.gather(*readers)

    asyncio.run(all_readers())
    times = sorted(seconds for _, _, seconds in found)
    cuts = {
        f"p{p}_ms": round(1000 * times[math.ceil(p / 100 * len(times)) - 1]) for p in (50, 95, 99)
    }
    statuses = Counter(status for _, status, _ in found)
    return {
        "clients": CLIENTS,
        "seconds": SECONDS,
        "answers": len(found),
        "answers_a_second": round(len(found) / SECONDS),
        **cuts,
        "slowest_ms": round(1000 * times[-1]),
        "statuses": dict(statuses),
        "errors": len(found) - statuses[200],
    }


def measure_key(service: Service) -> dict[str, Any]:
    """`POSTS` at once with one key: the sweeps that there are then."""
    name = f"once-{time.time_ns()}"
    document = {**FIRST, "name": name, "training": {"epochs": 1}}
    key = {"Idempotency-Key": name}

    def post(_: int) -> httpx.Response:
        with service.client() as client:
            return client.post("/sweeps", json=document, headers=key)

    began = time.perf_counter()
    with ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(post, range(POSTS)))
    seconds = time.perf_counter() - began
    with service.client() as client:
        total = client.get("/sweeps", params={"name": name}).json()["total"]
        _wait_for(client, answers[0].json()["id"], lambda sweep: sweep["status"] != "running")
    return {
        "posts": POSTS,
        "seconds": round(seconds, 2),
        "statuses": dict(Counter(answer.status_code for answer in answers)),
        "sweeps": total,
    }


def measure_first_trial(service: Service, times: int = 3) -> dict[str, Any]:
    """Seconds from the POST of a sweep of digits to its first finished trial, and to its end."""
    firsts, ends = [], []
    with service.client() as client:
        for turn in range(times):
            began = time.perf_counter()
            answer = client.post("/sweeps", json={**FIRST, "name": f"first-{turn}"})
            sweep = answer.raise_for_status().json()["id"]
            _wait_for(client, sweep, lambda found: found["trials"]["finished"] > 0)
            firsts.append(round(time.perf_counter() - began, 1))
            _wait_for(client, sweep, lambda found: found["status"] != "running")
            ends.append(round(time.perf_counter() - began, 1))
    return {"first_trial_s": firsts, "end_s": ends}


def _wait_for(client: httpx.Client, sweep: str, done: Any) -> None:
    deadline = time.monotonic() + 120
    while not done(client.get(f"/sweeps/{sweep}").json()):
        assert time.monotonic() < deadline, f"sweep {sweep} takes too long"
        time.sleep(0.1)


def measure(store: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Figures of a service over a store that was filled; each is on stderr as soon as it is had."""
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }
    with served(store) as service:
        with service.client() as client:
            found = client.get("/sweeps", params={"limit": 200}).json()["sweeps"]
        ids = {sweep["name"]: sweep["id"] for sweep in found}
        compare = f"/compare?linear={ids[LINEAR]}&adaptive={ids[ADAPTIVE]}"
        front = f"/sweeps/{ids[LINEAR]}/front"
        measures = {
            "alone": lambda: measure_alone(service, {"front": front, "compare": compare}),
            "load": lambda: measure_load(service, [front, compare]),
            "one_key": lambda: measure_key(service),
            "first_trial": lambda: measure_first_trial(service),
        }
        for part in parts or measures:
            figures[part] = measures[part]()
            print(part, json.dumps(figures[part]), file=sys.stderr)
    return figures


def main() -> None:
    """Fill a store, or measure over one that was filled."""
    parser = argparse.ArgumentParser(description="The service's times on loopback.")
    parser.add_argument("what", choices=("fill", "measure"))
    parser.add_argument("store", type=Path)
    parser.add_argument("parts", nargs="*", help="alone, load, one_key, first_trial")
    args = parser.parse_args()
    if args.what == "fill":
        fill(args.store.absolute())
    else:
        print(json.dumps(measure(args.store.absolute(), args.parts), indent=2))


if __name__ == "__main__":
    main()
