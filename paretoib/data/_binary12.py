"""The 12-bit problem: all 4096 patterns of 12 bits, in two classes.

Shwartz-Ziv, Tishby: Opening the Black Box of Deep Neural Networks via Information, 2017.
Information Multi-Bottlenecks, section 5.3. Each bit says whether a point on a sphere is present;
here the points are the vertices of an icosahedron. The label says whether the power of the pattern
in the spherical harmonics of degrees 1 and 2 is above the median, so both classes have 2048
patterns. Rotations keep the label of every pattern whose power is not the median. The papers do not
publish their rule, which is also noisy: I(X;Y) is 0.99 bits. Users can supply labels of their own.

Theorem 3.1 of imb needs H(Y|X) > 0, so labels can be noisy: each pattern occurs k times, and j of
its labels are flipped. Then p(y|x) of the data is exactly j/k for the other label, and
I(X;Y) = H(Y) − h(j/k).
"""

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset, Split, entropy
from paretoib.data._images import subset_count
from paretoib.errors import DataError, SpecError

BITS = 12
PATTERNS = 2**BITS
MAX_COPIES = 100  # of each pattern
FOLDER, FILE = "binary12", "labels.txt"

Labels = NDArray[np.int64]


def load(
    *, folder: Path, labels: str, label_noise: float, train_share: float, split_seed: int
) -> Dataset:
    """Patterns (12,) of 0 and 1: all for validation and test, the share `train_share` for training.

    `split_seed` fixes which patterns are used for training, which copies of a pattern have the
    other label, and the classes of patterns whose power equals the median.

    Raises:
        SpecError: `train_share` leaves no pattern, or `label_noise` is no fraction with a small
            denominator.
        DataError: `labels` is "file", and the file is missing or damaged.
    """
    noise = _fraction(label_noise)
    rng = np.random.default_rng(split_seed)
    bits = (np.arange(PATTERNS)[:, None] >> np.arange(BITS) & 1).astype(float)
    clean = _from_file(folder / FOLDER / FILE, bits) if labels == "file" else _by_power(rng, bits)
    order = rng.permutation(PATTERNS)
    copies = noise.denominator
    flipped = np.tile(np.arange(copies) < noise.numerator, (PATTERNS, 1))
    noisy = clean[order] ^ rng.permuted(flipped, axis=1).T
    x, y = torch.from_numpy(bits[order]).float(), torch.from_numpy(noisy)

    def split(count: int) -> Split:
        """All copies of the first `count` patterns, one copy after another."""
        return Split(x[:count].repeat(copies, 1), y[:, :count].flatten())

    whole, flips = split(PATTERNS), torch.from_numpy(flipped[0].astype(int))
    return Dataset(
        "binary12",
        split(subset_count(train_share, PATTERNS, "train_share")),
        whole,
        whole,
        classes=2,
        ceiling=entropy(whole.y) - entropy(flips) if noise else None,
        complete=True,
        copies=copies,
    )


def _fraction(label_noise: float) -> Fraction:
    """The share of flipped labels as a fraction, whose denominator is the number of copies."""
    fraction = Fraction(label_noise).limit_denominator(MAX_COPIES)
    if abs(float(fraction) - label_noise) > 1e-9:
        raise SpecError(
            f"`label_noise` should be a fraction j/k with k ≤ {MAX_COPIES}, such as 0.1 or 0.05, "
            f"because each pattern occurs k times; found `label_noise = {label_noise}`, which is "
            f"near {fraction} = {float(fraction):.6g}"
        )
    return fraction


def _by_power(rng: np.random.Generator, bits: NDArray[np.float64]) -> Labels:
    """1 for each pattern whose power is above the median, otherwise 0."""
    labels = np.zeros(len(bits), np.int64)
    # Rounded, because the powers of rotated patterns differ by floating-point errors.
    ranked = np.lexsort((rng.random(len(bits)), powers(bits).round(6)))
    labels[ranked[len(bits) // 2 :]] = 1
    return labels


def _from_file(path: Path, bits: NDArray[np.float64]) -> Labels:
    """The labels of a file, one for each of the patterns.

    Raises:
        DataError: the file is missing, unreadable, or does not have 4096 labels of both classes.
    """
    rule = (
        f"{path} should have {PATTERNS} labels, 0 or 1, separated by white space, in the order of "
        "the patterns as binary numbers"
    )
    try:
        words = path.read_text().split()
    except FileNotFoundError as error:
        raise DataError(
            f"labels of data set `binary12` not found: {path.resolve()} should have {PATTERNS} "
            "labels, 0 or 1, in the order of the patterns as binary numbers (PARETOIB_DATA sets "
            "the data folder)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{rule}; found: {error}") from error
    if len(words) != PATTERNS:
        raise DataError(f"{rule}; found {len(words)} labels")
    if wrong := [(i, word) for i, word in enumerate(words) if word not in ("0", "1")]:
        number, word = wrong[0]
        raise DataError(f"{rule}; found `{word[:20]}` as label of pattern {number:012b}")
    if len(set(words)) == 1:
        raise DataError(f"{rule}, and labels of both classes; found {words[0]} only")
    # The first input is the first digit of the binary number.
    numbers = bits.astype(int) @ (1 << np.arange(BITS)[::-1])
    return np.array(words, np.int64)[numbers]


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
