"""Grouping of trials into packs."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod

import torch

from paretoib.errors import SpecError
from paretoib.models import MODELS, build_model
from paretoib.objectives import OBJECTIVES
from paretoib.specs import TrialSpec

# Stacking trials saves time as long as the overhead of a step takes longer than its arithmetic.
# These are the approximate limits on the parameters and the trials of a pack.
_CPU_PARAMETERS, _CPU_TRIALS = 2_000_000, 16
_GPU_PARAMETERS, _GPU_TRIALS = 400_000_000, 256


def capacity(spec: TrialSpec, shape: tuple[int, ...], device: str, *, share: float = 1.0) -> int:
    """The largest useful number of trials in a pack of trials like this one.

    `share` is the share of a GPU that a worker has, both of its memory and of its compute capacity.
    """
    on_gpu = device.startswith("cuda")
    if not MODELS[spec.model.name].stacks(spec.model.params, on_cpu=not on_gpu):
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
    """Group trials into enough packs to keep all workers busy.

    The pack with the most trials times epochs comes first, because its training takes longest.
    `shape` is the shape of an input, `share` the share of a GPU that each worker has.
    """
    groups: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        groups.setdefault(trial.pack_key, []).append(trial)
    packs: list[list[TrialSpec]] = []
    for group in groups.values():
        by_capacity = ceil(len(group) / capacity(group[0], shape, device, share=share))
        by_workers = ceil(workers * len(group) / len(trials))
        count = min(max(by_capacity, by_workers), len(group))
        bounds = [round(i * len(group) / count) for i in range(count + 1)]
        packs += [group[a:b] for a, b in pairwise(bounds)]
    return sorted(packs, key=lambda pack: -len(pack) * pack[0].training.epochs)


def _size(spec: TrialSpec, shape: tuple[int, ...]) -> int:
    """The number of parameters of a trial's model plus the noise samples of one training step.

    Noise samples count because binary networks draw many samples with few parameters.
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
