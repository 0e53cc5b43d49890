"""The 12-bit problem: all 4096 patterns of 12 bits, in two classes of 2048 each.

Shwartz-Ziv, Tishby: Opening the Black Box of Deep Neural Networks via Information, 2017.
Information Multi-Bottlenecks, section 5.3. Each bit says whether a point on a sphere is present;
here the points are the vertices of an icosahedron. The label says whether the power of the pattern
in the spherical harmonics of degrees 1 and 2 is above the median. So rotations keep the label of
every pattern whose power is not the median. The papers do not publish their rule, which is also
noisy: I(X;Y) is 0.99 bits.
"""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset, Split
from paretoib.data._images import subset_count

BITS = 12


def load(*, folder: Path, train_share: float, split_seed: int) -> Dataset:  # noqa: ARG001
    """Patterns (12,) of 0 and 1: all for validation and test, the share `train_share` for training.

    `split_seed` fixes which patterns are used for training, and the classes of patterns whose power
    equals the median.

    Raises:
        SpecError: `train_share` leaves no pattern.
    """
    rng = np.random.default_rng(split_seed)
    bits = (np.arange(2**BITS)[:, None] >> np.arange(BITS) & 1).astype(float)
    labels = np.zeros(len(bits), np.int64)
    # Rounded, because the powers of rotated patterns differ by floating-point errors.
    ranked = np.lexsort((rng.random(len(bits)), powers(bits).round(6)))
    labels[ranked[len(bits) // 2 :]] = 1
    order = rng.permutation(len(bits))
    whole = Split(torch.from_numpy(bits[order]).float(), torch.from_numpy(labels[order]))
    train = whole.first(subset_count(train_share, len(bits), "train_share"))
    return Dataset("binary12", train, whole, whole, classes=2, complete=True)


def powers(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power of each pattern (N, 12) in degrees 1 and 2, up to a constant factor: (N,).

    Σ_ij x_i x_j (P₁ + P₂)(cos θ_ij), by the addition theorem; P_l are Legendre polynomials.
    """
    cosines = vertices() @ vertices().T
    kernel = cosines + (3 * cosines**2 - 1) / 2
    power: NDArray[np.float64] = np.einsum("ni,ij,nj->n", bits, kernel, bits)
    return power


def vertices() -> NDArray[np.float64]:
    """The twelve vertices of an icosahedron as unit vectors, (12, 3)."""
    golden = (1 + 5**0.5) / 2
    corners = [(0.0, a, b * golden) for a, b in product((-1, 1), repeat=2)]
    rotated = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    return rotated / np.hypot(1, golden)
