"""Data sets as tensors on the training device. `DATASETS` lists them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from paretoib.registry import Entry, Param


@dataclass(frozen=True)
class DatasetEntry(Entry):
    """A row of `DATASETS`.

    `kind` is what an input is; `model` trains on it by default; `exact` names the function
    "module:name" that gives the exact IB curve from the data set's parameters and the reported
    relevance ceiling in bits (see `ExactCurve`).
    """

    kind: Literal["image", "vector"] = "image"
    model: str = "mlp"
    exact: str = "paretoib.data._exact:deterministic_labels"


_SPLIT_SEED = Param("split_seed", int, 0, "seed of the split", ge=0)
_SUBSET = Param(
    "subset", float, 1.0, "share of the official training images to train on", gt=0, le=1
)

DATASETS: dict[str, DatasetEntry] = {
    "digits": DatasetEntry(
        "paretoib.data._digits:load",
        "1 797 handwritten digits, 8×8, that come with scikit-learn",
        params=(_SUBSET, _SPLIT_SEED),
    ),
    "gaussian": DatasetEntry(
        "paretoib.data._gaussian:load",
        "jointly Gaussian X and Y, whose IB curve is known exactly",
        "Chechik et al. 2005",
        kind="vector",
        model="linear",
        exact="paretoib.data._exact:gaussian",
        params=(
            Param(
                "correlations",
                tuple[Annotated[float, Field(gt=-1, lt=1)], ...],
                (0.95, 0.8, 0.6, 0.3),
                "canonical correlations of X and Y; as many as Y has dimensions",
                min_length=1,
            ),
            Param("inputs", int, 8, "dimensions of X", ge=1, le=4096),
            Param("samples", int, 20_000, "samples in all", ge=100, le=10_000_000),
            _SPLIT_SEED,
        ),
    ),
    "binary12": DatasetEntry(
        "paretoib.data._binary12:load",
        "all 4096 patterns of 12 bits in two balanced classes: information is exact",
        "Shwartz-Ziv and Tishby 2017; imb section 5.3",
        kind="vector",
        params=(
            Param(
                "train_share",
                float,
                1.0,
                "share of the patterns to train on; validation and test are all of them",
                gt=0,
                le=1,
            ),
            _SPLIT_SEED,
        ),
    ),
    "mnist": DatasetEntry(
        "paretoib.data._idx:load_mnist",
        "70 000 handwritten digits, 28×28",
        "LeCun et al. 1998",
        params=(_SUBSET, _SPLIT_SEED),
    ),
    "permutation_mnist": DatasetEntry(
        "paretoib.data._permuted:load",
        "MNIST with one random order of the pixels for all images",
        "Goodfellow et al. 2013; uib section 7.1",
        params=(_SUBSET, _SPLIT_SEED, Param("permutation_seed", int, 0, "seed of the order", ge=0)),
    ),
    "fashion_mnist": DatasetEntry(
        "paretoib.data._idx:load_fashion_mnist",
        "70 000 pieces of clothing, 28×28",
        "Xiao et al. 2017",
        params=(_SUBSET, _SPLIT_SEED),
    ),
    "cifar10": DatasetEntry(
        "paretoib.data._cifar:load",
        "60 000 photographs of ten classes, 3×32×32",
        "Krizhevsky 2009",
        params=(_SUBSET, _SPLIT_SEED),
    ),
}
