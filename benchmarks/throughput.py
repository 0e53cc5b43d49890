"""Compare the training speed of paretoib with code that does not use paretoib.

    python benchmarks/throughput.py            measure both, in about ten minutes on two cores
    python benchmarks/throughput.py steps      measure the time of a training step, in 3 minutes
    python benchmarks/throughput.py sweep      measure trials per minute

`sweep` runs the same β grid on digits with `paretoib sweep` and with plain Ray Tune (stock.py).
Each program is a complete process, so the time includes the start of Ray and logging. `steps`
compares a training step of a large VIB trial with a hand-written step, and the steps of MIB and of
other weightings with a step of VIB. The variants take turns in short rounds, so that other load
slows all variants; the result is the median of the ratios of all rounds.
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

STEPS_PER_ROUND, ROUNDS = 20, 15  # for each variant
BATCH, IMAGES = 100, 20_000
# Methods that differ from VIB in the weighting alone.
OTHER_WEIGHTINGS = (
    *("mgda", "unit_sum", "upgrad", "cagrad", "aligned_mtl", "epo"),
    *("famo", "dwa", "random", "smooth_chebyshev"),
)

Stepper = Callable[[], None]


def bare_loop(data: Dataset, device: torch.device) -> Stepper:
    """Make a hand-written training step of VIB, with layers 784–1024–1024–512 and fused Adam."""
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

    indices = batches()

    def step() -> None:
        index = next(indices)
        mean, raw = encoder(x[index]).chunk(2, dim=-1)
        std = F.softplus(raw - 5)
        kl = ((mean.square() + std.square() - 1) / 2 - std.log()).sum(-1).mean()
        logits = decoder(mean + std * torch.randn_like(std))
        loss = F.cross_entropy(logits, y[index]) + 1e-3 * kl
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def pack_step(spec: TrialSpec, data: Dataset, device: torch.device) -> Stepper:
    """Make a training step as in `run_trials`, with its history; no epoch is measured."""
    pack = Pack([spec], data, device)

    def batches() -> Iterator[None]:
        while True:
            for batch in pack.batches.epoch():
                pack.step(batch)
                yield

    steps = batches()
    return lambda: next(steps)


def large_trial(method: str, **settings: object) -> TrialSpec:
    """The spec of a trial with layers 784–1024–1024–512 and batch size 100."""
    document = {"method": method, "data": "mnist"}
    fixed = {"hidden": [1024, 1024], "latent": 256, "batch_size": BATCH}
    return with_overrides(document, fixed | settings).template


def step_ms(step: Stepper, device: torch.device) -> float:
    """Mean milliseconds per step in one round."""
    started = time.perf_counter()
    for _ in range(STEPS_PER_ROUND):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started) / STEPS_PER_ROUND


def measure_steps(device: torch.device) -> dict[str, dict[str, float]]:
    """Median milliseconds per step of each variant, and the median ratio to its baseline."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(IMAGES, 1, 28, 28, generator=generator)
    split = Split(x, torch.randint(10, (IMAGES,), generator=generator)).to(device)
    data = Dataset("random images", split, split.first(100), split.first(100), classes=10)
    variants = {
        "bare loop": bare_loop(data, device),
        "vib": pack_step(large_trial("vib"), data, device),
        "mib, parameter gradients": pack_step(large_trial("mib"), data, device),
        "mib, latent gradients": pack_step(large_trial("mib", gradient="latent"), data, device),
        **{name: pack_step(large_trial(name), data, device) for name in OTHER_WEIGHTINGS},
    }
    baselines = {"vib": "bare loop"} | dict.fromkeys(list(variants)[2:], "vib")
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(ROUNDS + 1):
        for name, step in variants.items():
            milliseconds = step_ms(step, device)
            if turn:  # the first round warms up
                times[name].append(milliseconds)
    figures = {}
    for name, round_times in times.items():
        figures[name] = {"ms_per_step": statistics.median(round_times)}
        if name in baselines:
            ratios = [a / b for a, b in zip(round_times, times[baselines[name]], strict=True)]
            figures[name][f"ratio_to_{baselines[name]}"] = statistics.median(ratios)
    return figures


def measure_sweep(trials: int, epochs: int) -> dict[str, dict[str, float]]:
    """Trials per minute of `paretoib sweep` and of stock.py, each in a process with a new store."""
    with tempfile.TemporaryDirectory() as temporary:
        sweep = [str(Path(sys.executable).with_name("paretoib")), "sweep", "--method", "vib"]
        sweep += ["--grid", f"beta=1e-5:1:{trials}", "--epochs", str(epochs), "--json"]
        sweep += ["--set", "hidden=128,128", "--set", "latent=32", "--set", "batch_size=128"]
        stock = [sys.executable, str(Path(__file__).with_name("stock.py")), "--json"]
        stock += ["--trials", str(trials), "--epochs", str(epochs), "--store", f"{temporary}/stock"]
        figures = {}
        for name, command in (("paretoib", sweep), ("plain Ray Tune", stock)):
            # Both run on the CPU, because stock.py supports no other device.
            settings = {"PARETOIB_STORE": f"{temporary}/paretoib", "PARETOIB_DEVICE": "cpu"}
            environment = {**os.environ, **settings}
            started = time.perf_counter()
            process = subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            seconds = time.perf_counter() - started
            output = json.loads(process.stdout)
            count = len(output["points"]) if name == "paretoib" else output["trials"]
            assert count == trials, f"{name} should finish {trials} trials; found {count}"
            figures[name] = {"seconds": seconds, "trials_per_minute": 60 * trials / seconds}
    speeds = [figure["trials_per_minute"] for figure in figures.values()]
    ratio = speeds[0] / speeds[1]
    figures["paretoib"]["ratio_to_plain_ray_tune"] = ratio
    return figures


def main() -> None:
    """Measure the requested parts and print one JSON document."""
    parser = argparse.ArgumentParser(description="Measure paretoib's throughput.")
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
