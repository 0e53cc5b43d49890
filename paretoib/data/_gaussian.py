"""Jointly Gaussian X and Y with given canonical correlations (Chechik et al. 2005)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset, Split
from paretoib.data._exact import check_correlations, gaussian_information
from paretoib.errors import SpecError


def load(
    *,
    folder: Path,  # noqa: ARG001
    correlations: Sequence[float],
    inputs: int,
    samples: int,
    split_seed: int,
) -> Dataset:
    """Samples of X (inputs,) and Y (len(correlations),): 60 % training, 20 % validation, 20 % test.

    Random linear mixings, fixed by `split_seed`, hide the canonical directions of X and Y.

    Raises:
        SpecError: a correlation does not satisfy 0 < |ρ| < 1, or there are fewer inputs than
            correlations.
    """
    rng = np.random.default_rng(split_seed)
    mix_x, mix_y = _mixings(rng, correlations, inputs)
    rho = np.asarray(correlations)
    u = rng.standard_normal((samples, inputs))
    noise = rng.standard_normal((samples, len(rho)))
    v = rho * u[:, : len(rho)] + np.sqrt(1 - rho**2) * noise
    x = torch.from_numpy(u @ mix_x.T).float()
    y = torch.from_numpy(v @ mix_y.T).float()
    fifth = samples // 5
    splits = [samples - 2 * fifth, fifth, fifth]
    train, validation, test = map(Split, x.split(splits), y.split(splits))
    entropy = len(rho) / 2 * np.log(2 * np.pi * np.e) + np.linalg.slogdet(mix_y).logabsdet
    return Dataset(
        name="gaussian",
        train=train,
        validation=validation,
        test=test,
        target_dim=len(rho),
        target_entropy=float(entropy),
        ceiling=gaussian_information(correlations),
    )


def covariances(
    correlations: Sequence[float], inputs: int, split_seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Σ_x (inputs, inputs), Σ_y (d, d) and Σ_xy (inputs, d) of the data that `load` samples."""
    mix_x, mix_y = _mixings(np.random.default_rng(split_seed), correlations, inputs)
    cross = mix_x[:, : len(mix_y)] * np.asarray(correlations) @ mix_y.T
    return mix_x @ mix_x.T, mix_y @ mix_y.T, cross


def _mixings(
    rng: np.random.Generator, correlations: Sequence[float], inputs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random square mixing matrices of X and Y, with singular values from ½ to 1½."""
    check_correlations(correlations)
    if inputs < len(correlations):
        raise SpecError(
            f"`inputs` should be at least the number of `correlations`, {len(correlations)}; "
            f"found `inputs = {inputs}`"
        )

    def mixing(size: int) -> NDArray[np.float64]:
        left, right = (np.linalg.qr(rng.standard_normal((size, size))).Q for _ in range(2))
        return left * np.geomspace(0.5, 1.5, size) @ right

    return mixing(inputs), mixing(len(correlations))
