"""How fast paretoib trains, side by side with what one would write without it.

    python benchmarks/throughput.py            everything, about ten minutes on two cores
    python benchmarks/throughput.py steps      the time of a step alone, about a minute
    python benchmarks/throughput.py sweep      the trials a minute alone

`sweep`: the same β grid of digits trials by `paretoib sweep` and by plain Ray Tune (stock.py), each
as a whole process, Ray's start and the logging included. `steps`: one large trial against a bare
loop, and MIB's step against VIB's; the contestants take turns in short stretches, so that a busy
machine slows them alike, and the median of the stretches' ratios counts.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from paretoib.data import Dataset, Split
from paretoib.specs import TrialSpec, with_overrides
from paretoib.training._pack import Pack

STRETCH, STRETCHES = 20, 15  # steps, and stretches of each contestant
BATCH, IMAGES = 100, 20_000

Stepper = Callable[[], None]


def bare_loop(data: Dataset, device: torch.device) -> Stepper:
    """A step of VIB on 784–1024–1024–512 as one writes it by hand, with torch's fused Adam."""
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 512),
    ).to(device)
    decoder = nn.Linear(256, 10).to(device)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3, fused=True)
    x, y = data.train.x, data.train.y

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield from torch.randperm(len(x)).to(device).split(BATCH)

    rows = batches()

    def step() -> None:
        index = next(rows)
        mean, raw = encoder(x[index]).chunk(2, dim=-1)
        std = F.softplus(raw - 5)
        kl = ((mean.square() + std.square() - 1) / 2 - std.log()).sum(-1).mean()
        logits = decoder(mean + std * torch.randn_like(std))
        loss = F.cross_entropy(logits, y[index]) + 1e-3 * kl
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def our_step(spec: TrialSpec, data: Dataset, device: torch.device) -> Stepper:
    """A step of `run_trials`, history and all, as it runs between two epochs' ends."""
    pack = Pack([spec], data, device)

    def batches() -> Iterator[None]:
        while True:
            for batch in pack.batches.epoch():
                pack.step(batch)
                yield

    steps = batches()
    return lambda: next(steps)


def large_trial(method: str, **settings: object) -> TrialSpec:
    """784–1024–1024–512, batch 100."""
    document = {"method": method, "data": "mnist"}
    fixed = {"hidden": [1024, 1024], "latent": 256, "batch_size": BATCH}
    return with_overrides(document, fixed | settings).template


def stretch_ms(step: Stepper, device: torch.device) -> float:
    """Milliseconds a step, over one stretch."""
    started = time.perf_counter()
    for _ in range(STRETCH):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started) / STRETCH


def measure_steps(device: torch.device) -> dict[str, dict[str, float]]:
    """Median milliseconds a step of each contestant, and the median ratio to its yardstick."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(IMAGES, 1, 28, 28, generator=generator)
    split = Split(x, torch.randint(10, (IMAGES,), generator=generator)).to(device)
    data = Dataset("random images", split, split.first(100), split.first(100), classes=10)
    contestants = {
        "bare loop": bare_loop(data, device),
        "vib": our_step(large_trial("vib"), data, device),
        "mib, parameter gradients": our_step(large_trial("mib"), data, device),
        "mib, latent gradients": our_step(large_trial("mib", gradient="latent"), data, device),
    }
    yardstick = {"vib": "bare loop"} | dict.fromkeys(list(contestants)[2:], "vib")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(STRETCHES + 1):
        for name, step in contestants.items():
            taken = stretch_ms(step, device)
            if turn:  # the first turn warms up
                times[name].append(taken)
    figures = {}
    for name, taken in times.items():
        figures[name] = {"ms_a_step": statistics.median(taken)}
        if name in yardstick:
            ratios = [a / b for a, b in zip(taken, times[yardstick[name]], strict=True)]
            figures[name][f"ratio_to_{yardstick[name]}"] = statistics.median(ratios)
    return figures


def measure_sweep(trials: int, epochs: int) -> dict[str, dict[str, float]]:
    """Trials a minute of both sides, each as a whole process with a new store."""
    with tempfile.TemporaryDirectory() as scratch:
        ours = [str(Path(sys.executable).with_name("paretoib")), "sweep", "--method", "vib"]
        ours += ["--grid", f"beta=1e-5:1:{trials}", "--epochs", str(epochs), "--json"]
        ours += ["--set", "hidden=128,128", "--set", "latent=32", "--set", "batch_size=128"]
        stock = [sys.executable, str(Path(__file__).with_name("stock.py")), "--json"]
        stock += ["--trials", str(trials), "--epochs", str(epochs), "--store", f"{scratch}/stock"]
        figures = {}
        for name, command in (("paretoib", ours), ("plain Ray Tune", stock)):
            # Both on the CPU: stock.py knows nothing else.
            ours_in = {"PARETOIB_STORE": f"{scratch}/ours", "PARETOIB_DEVICE": "cpu"}
            environment = {**os.environ, **ours_in}
            started = time.perf_counter()
            done = subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            seconds = time.perf_counter() - started
            ended = json.loads(done.stdout)
            count = len(ended["points"]) if name == "paretoib" else ended["trials"]
            assert count == trials, f"{name} should end {trials} trials; found {count}"
            figures[name] = {"seconds": seconds, "trials_a_minute": 60 * trials / seconds}
    ratio = figures["paretoib"]["trials_a_minute"] / figures["plain Ray Tune"]["trials_a_minute"]
    figures["paretoib"]["ratio_to_plain_ray_tune"] = ratio
    return figures


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description="paretoib's throughput, side by side.")
    parser.add_argument("part", nargs="?", choices=("all", "steps", "sweep"), default="all")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures: dict[str, object] = {
        "machine": f"{os.cpu_count()} × {platform.processor() or platform.machine()}",
        "torch": torch.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }
    if args.part in ("all", "steps"):
        figures["steps"] = measure_steps(torch.device(args.device))
    if args.part in ("all", "sweep"):
        figures["sweep"] = measure_sweep(args.trials, args.epochs)
    figures["load_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(figures, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
