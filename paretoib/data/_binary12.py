"""The 12-bit problem: 4096 patterns, two classes of 2048 each, nothing left out.

After Shwartz-Ziv, Tishby: Opening the Black Box of Deep Neural Networks via Information, 2017, and
Information Multi-Bottlenecks, section 5.3. The bits say which of twelve evenly spread points of a
sphere are there, here an icosahedron's vertices, and the label is a rule that no rotation changes:
whether the points' power in the spherical harmonics of degrees 1 and 2 is above its median. The
papers' own rule was never published; theirs is noisy besides, with I(X;Y) = 0.99 bits.
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
    """All patterns (12,) of 0 and 1 as validation and test, and a share of them to train on.

    `split_seed` fixes the share, the patterns' order, and which of the patterns whose power is the
    median itself belong to which class.

    Raises:
        SpecError: `train_share` leaves no pattern.
    """
    rng = np.random.default_rng(split_seed)
    bits = (np.arange(2**BITS)[:, None] >> np.arange(BITS) & 1).astype(float)
    labels = np.zeros(len(bits), np.int64)
    # Powers that differ by rounding alone are one power.
    ranked = np.lexsort((rng.random(len(bits)), powers(bits).round(6)))
    labels[ranked[len(bits) // 2 :]] = 1
    order = rng.permutation(len(bits))
    whole = Split(torch.from_numpy(bits[order]).float(), torch.from_numpy(labels[order]))
    train = whole.first(subset_count(train_share, len(bits)))
    return Dataset("binary12", train, whole, whole, classes=2, complete=True)


def powers(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power in degrees 1 and 2 of each pattern of points, up to a factor: (N,).

    Σ_ij x_i x_j (P₁ + P₂)(cos θ_ij), by the addition theorem, P_l Legendre's polynomials.
    """
    cosines = vertices() @ vertices().T
    kernel = cosines + (3 * cosines**2 - 1) / 2
    found: NDArray[np.float64] = np.einsum("ni,ij,nj->n", bits, kernel, bits)
    return found


def vertices() -> NDArray[np.float64]:
    """An icosahedron's twelve vertices, (12, 3), of length 1."""
    golden = (1 + 5**0.5) / 2
    corners = [(0.0, a, b * golden) for a, b in product((-1, 1), repeat=2)]
    turned = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    return turned / np.hypot(1, golden)
