"""A data set: concentric rings."""

from pathlib import Path

import torch

from paretoib.data import Dataset, Split


def load(*, folder: Path, rings: int, samples: int, split_seed: int) -> Dataset:  # noqa: ARG001
    """Points of shape (2,) at radius y + 1 plus noise, for classes y = 0 … `rings` − 1.

    The noise has a standard deviation of 0.1 and is clipped at ±0.3, so the rings do not touch.
    60 % of the points are for training, 20 % for validation and 20 % for test.
    """
    generator = torch.Generator().manual_seed(split_seed)
    y = torch.randint(rings, (samples,), generator=generator)
    angle = 2 * torch.pi * torch.rand(samples, generator=generator)
    radius = 1 + y + 0.1 * torch.randn(samples, generator=generator).clamp(-3, 3)
    x = radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)
    fifth = samples // 5
    sizes = [samples - 2 * fifth, fifth, fifth]
    train, validation, test = map(Split, x.split(sizes), y.split(sizes))
    return Dataset("rings", train, validation, test, classes=rings)
