"""How many trials go into a pack, and which."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod

import torch

from paretoib.errors import SpecError
from paretoib.models import MODELS, build_model
from paretoib.objectives import OBJECTIVES
from paretoib.specs import TrialSpec

# Stacking pays while a step's overhead outweighs its arithmetic. On a CPU core that ends at about
# these many parameters in all; a GPU has room for many more before it is busy.
_CPU_PARAMETERS, _CPU_TRIALS = 2_000_000, 16
_GPU_PARAMETERS, _GPU_TRIALS = 400_000_000, 256


def capacity(spec: TrialSpec, shape: tuple[int, ...], device: str, *, share: float = 1.0) -> int:
    """The most trials like this one that are worth training together on a share of a device.

    A share of a GPU has as much of its memory and of its room for work.
    """
    on_gpu = device.startswith("cuda")
    if not (on_gpu or MODELS[spec.model.name].stack_on_cpu):
        return 1
    try:
        size = _size(spec, shape)
    except SpecError:
        return 1  # The worker says so of this trial alone.
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
    """Trials in packs, the longest first; small enough that every worker gets its share.

    `share` is how much of a GPU a worker has.
    """
    kinds: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        kinds.setdefault(trial.pack_key, []).append(trial)
    packs: list[list[TrialSpec]] = []
    for members in kinds.values():
        fit = ceil(len(members) / capacity(members[0], shape, device, share=share))
        busy = ceil(workers * len(members) / len(trials))
        count = min(max(fit, busy), len(members))
        bounds = [round(i * len(members) / count) for i in range(count + 1)]
        packs += [members[a:b] for a, b in pairwise(bounds)]
    return sorted(packs, key=lambda pack: -len(pack) * pack[0].training.epochs)


def _size(spec: TrialSpec, shape: tuple[int, ...]) -> int:
    """Parameters, and the samples that a step draws: binary layers have many of few."""
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
