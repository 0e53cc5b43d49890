"""Grouping of trials into packs."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod

import torch

from paretoib.errors import SpecError
from paretoib.models import MODELS, build_model
from paretoib.objectives import OBJECTIVES
from paretoib.specs import TrialSpec

# Stacking pays off while the overhead of a step outweighs its arithmetic: up to about this many
# parameters in all on a CPU core, and many more on a GPU.
_CPU_PARAMETERS, _CPU_TRIALS = 2_000_000, 16
_GPU_PARAMETERS, _GPU_TRIALS = 400_000_000, 256


def capacity(spec: TrialSpec, shape: tuple[int, ...], device: str, *, share: float = 1.0) -> int:
    """The largest useful pack of trials like this one, on a share of a device.

    A share of a GPU provides the same share of its memory and of its compute capacity.
    """
    on_gpu = device.startswith("cuda")
    if not (on_gpu or MODELS[spec.model.name].stack_on_cpu):
        return 1
    try:
        size = _size(spec, shape)
    except SpecError:
        return 1  # the worker then reports the error for this trial only
    if on_gpu:
        return max(1, int(min(_GPU_TRIALS, _GPU_PARAMETERS // size) * share))
    return max(1, min(_CPU_TRIALS, _CPU_PARAMETERS // size))


def plan_packs(
    trials: Sequence[TrialSpec],
    shape: tuple[int, ...],
    *,
    workers: int,
    device: str,
    share: float = 1.0,
) -> list[list[TrialSpec]]:
    """Group trials into packs, the longest pack first, so that all workers are busy.

    `shape` is the shape of an input, `share` the share of a GPU that each worker has.
    """
    kinds: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        kinds.setdefault(trial.pack_key, []).append(trial)
    packs: list[list[TrialSpec]] = []
    for members in kinds.values():
        by_capacity = ceil(len(members) / capacity(members[0], shape, device, share=share))
        by_workers = ceil(workers * len(members) / len(trials))
        count = min(max(by_capacity, by_workers), len(members))
        bounds = [round(i * len(members) / count) for i in range(count + 1)]
        packs += [members[a:b] for a, b in pairwise(bounds)]
    return sorted(packs, key=lambda pack: -len(pack) * pack[0].training.epochs)


def _size(spec: TrialSpec, shape: tuple[int, ...]) -> int:
    """The parameters of a model plus the noise samples of a step.

    Binary networks draw many samples with few parameters.
    """
    with torch.device("meta"):
        model = build_model(
            spec.model.name,
            spec.model.params,
            shape=shape,
            classes=1,
            target_dim=None,
            noise=OBJECTIVES[spec.objective.name].noise_of(spec.objective.params),
            draws=spec.objective.params.get("draws", 1),
        )
    samples = spec.training.batch_size * model.head.training_noise
    return samples + sum(prod(p.shape) for p in model.parameters())
