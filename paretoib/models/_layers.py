"""Layers that several models are made of."""

from itertools import pairwise

from torch import nn


def mlp(widths: tuple[int, ...]) -> nn.Sequential:
    """Linear layers between `widths`, ReLU between them and none after the last."""
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
