"""run_trials: trains the trials of a pack together, and measures them."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from paretoib.data._load import load_dataset
from paretoib.errors import SpecError
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack


def run_trials(
    specs: Sequence[TrialSpec], *, device: str = "", folder: Path | None = None
) -> list[TrialRecord]:
    """Train the trials of a pack together and measure them; records in the order of `specs`.

    A trial's result does not depend on the pack that it ran in, within floating-point tolerance:
    its initial weights, data order and noise come from its own seed. A trial that diverges is
    recorded as diverged and leaves its neighbours untouched.

    `device` is torch's name of one; empty: CUDA where there is. `folder` holds the data sets.
    Raises `SpecError` for trials that do not fit into one pack (`TrialSpec.pack_key`), or for
    bf16 without CUDA; `DataError` for data that are absent or damaged.
    """
    if len({s.pack_key for s in specs}) != 1:
        raise SpecError(
            "a pack's trials should differ in per-trial fields and seeds alone; found "
            f"{len({s.pack_key for s in specs})} kinds among {len(specs)} trials"
        )
    on = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if specs[0].training.precision == "bf16" and on.type != "cuda":
        raise SpecError(f"training.precision: bf16 needs a CUDA device; found {on}")
    started = time.perf_counter()
    data = specs[0].data
    dataset = load_dataset(data.name, data.params, folder=folder).to(on)
    # Neighbours with one learning rate share an optimiser.
    order = sorted(range(len(specs)), key=lambda i: specs[i].training.learning_rate)
    pack = Pack([specs[i] for i in order], dataset, on)
    pack.train()
    records = dict(zip(order, pack.measure(time.perf_counter() - started), strict=True))
    return [records[i] for i in range(len(specs))]
