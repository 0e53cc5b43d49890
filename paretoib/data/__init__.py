"""Data sets, which have three splits of tensors each. `DATASETS` lists them.

Papers have the short names of `paretoib.objectives`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from paretoib.lazy import lazy_names
from paretoib.registry import Entry, Param, Registry

if TYPE_CHECKING:
    from paretoib.data._dataset import Dataset, Split
    from paretoib.data._load import load_dataset
    from paretoib.data._npz import load_npz
    from paretoib.data._npz_facts import save_arrays
    from paretoib.data._npz_file import read_npz

__all__ = [
    "DATASETS",
    "DETERMINISTIC",
    "Dataset",
    "DatasetEntry",
    "Split",
    "load_dataset",
    "load_npz",
    "read_npz",
    "save_arrays",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Dataset": "_dataset",
        "Split": "_dataset",
        "load_dataset": "_load",
        "load_npz": "_npz",
        "read_npz": "_npz_file",
        "save_arrays": "_npz_facts",
    },
)

DETERMINISTIC = "paretoib.data._exact:deterministic_labels"


@dataclass(frozen=True)
class DatasetEntry(Entry):
    """An entry of `DATASETS`.

    `kind` is the type of an input. `model` names the default model. `exact` names the function
    ("module:name") that computes the exact IB curve (`ExactIB`) from the data set's parameters, the
    relevance ceiling and the largest rate, both in bits; it is empty if the curve is not known, and
    `DETERMINISTIC` if Y is a function of X. If Y has several tasks, `tasks` names them, and the
    parameter `task` selects one or all. If the type of an input or the tasks depend on a file, the
    parameters `kind` and `tasks` hold them. `continuous` means that Y has no classes.
    `field_defaults` holds default values for fields of other sections, by full name; a section
    without such a field ignores its default.
    """

    kind: Literal["image", "vector"] = "image"
    model: str = "mlp"
    exact: str = ""
    tasks: tuple[str, ...] = ()
    continuous: bool = False
    field_defaults: Mapping[str, Any] = field(default_factory=dict)

    def tasks_of(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The tasks for these parameters; empty if Y is a single task."""
        return tuple(params.get("tasks", self.tasks)) if params.get("task") == "all" else ()

    def kind_of(self, params: Mapping[str, Any]) -> str:
        """The type of an input for these parameters: "image" or "vector"."""
        return str(params.get("kind", self.kind))


_SPLIT_SEED = Param("split_seed", int, 0, "seed of the split and of generated data", ge=0)
_FACES = ("gender", "smile", "glasses", "pose")
_SIDES = ("left", "right")
_SIDE = Param(
    "task",
    Literal["all", "left", "right"],
    "all",
    "the images of a pair to classify: `left`, `right`, or `all` (both)",
)
_SUBSET = Param("subset", float, 1.0, "share of the available training examples to use", gt=0, le=1)
_FOLD = Param(
    "fold",
    int,
    0,
    "which of the disjoint parts of size `subset` to train on, counted from 0",
    ge=0,
)

_FROM_FILE = "read from the file"

_OWN: dict[str, DatasetEntry] = {
    "digits": DatasetEntry(
        "paretoib.data._digits:load",
        "1 797 handwritten digits, 8×8, that come with scikit-learn",
        exact=DETERMINISTIC,
        params=(_SUBSET, _FOLD, _SPLIT_SEED),
    ),
    "gaussian": DatasetEntry(
        "paretoib.data._gaussian:load",
        "jointly Gaussian X and Y, whose IB curve is known exactly",
        "Chechik et al. 2005",
        kind="vector",
        model="linear",
        exact="paretoib.data._exact:gaussian",
        continuous=True,
        params=(
            Param(
                "correlations",
                tuple[Annotated[float, Field(gt=-1, lt=1)], ...],
                (0.95, 0.8, 0.6, 0.3),
                "canonical correlations of X and Y; their number is the dimension of Y",
                min_length=1,
            ),
            Param("inputs", int, 8, "dimensions of X", ge=1, le=4096),
            Param(
                "samples",
                int,
                20_000,
                "number of samples of all splits together",
                ge=100,
                le=10_000_000,
            ),
            _SPLIT_SEED,
        ),
    ),
    "binary12": DatasetEntry(
        "paretoib.data._binary12:load",
        "4096 patterns of 12 bits in two classes; mutual information can be computed exactly",
        "Shwartz-Ziv and Tishby 2017; imb section 5.3",
        kind="vector",
        exact="paretoib.data._exact:binary_labels",
        params=(
            Param(
                "labels",
                Literal["sphere", "file"],
                "sphere",
                "the labels: balanced classes computed from points on a sphere (`sphere`), or your "
                "own 4096 labels in `binary12/labels.txt` in the data folder (`file`)",
            ),
            Param(
                "label_noise",
                float,
                0.0,
                "share of flipped labels, a fraction j/k with k ≤ 100: each pattern occurs k "
                "times, j times with the other label",
                ge=0,
                lt=0.5,
            ),
            Param(
                "train_share",
                float,
                1.0,
                "share of the patterns to train on; validation and test use all patterns",
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
        exact=DETERMINISTIC,
        params=(_SUBSET, _FOLD, _SPLIT_SEED),
    ),
    "permutation_mnist": DatasetEntry(
        "paretoib.data._permuted:load",
        "MNIST with one random permutation of the pixels for all images",
        "Goodfellow et al. 2013; uib section 7.1",
        exact=DETERMINISTIC,
        params=(
            _SUBSET,
            _FOLD,
            _SPLIT_SEED,
            Param("permutation_seed", int, 0, "seed of the permutation", ge=0),
        ),
    ),
    "fashion_mnist": DatasetEntry(
        "paretoib.data._idx:load_fashion_mnist",
        "70 000 pieces of clothing, 28×28",
        "Xiao et al. 2017",
        exact=DETERMINISTIC,
        params=(_SUBSET, _FOLD, _SPLIT_SEED),
    ),
    "cifar10": DatasetEntry(
        "paretoib.data._cifar:load",
        "60 000 photographs of ten classes, 3×32×32",
        "Krizhevsky 2009",
        exact=DETERMINISTIC,
        params=(_SUBSET, _FOLD, _SPLIT_SEED),
    ),
    "multi_mnist": DatasetEntry(
        "paretoib.data._multi:load_multi_mnist",
        "130 000 pairs of overlapping MNIST digits, 36×36; two tasks",
        "Sabour et al. 2017; Lin et al. 2019; mtvib section 5",
        model="mtvib_cnn",
        tasks=_SIDES,
        exact=DETERMINISTIC,
        params=(_SIDE, _SUBSET, _SPLIT_SEED),
    ),
    "multi_fashion": DatasetEntry(
        "paretoib.data._multi:load_multi_fashion",
        "130 000 pairs of overlapping pieces of clothing, 36×36; two tasks",
        "Lin et al. 2019; mtvib section 5",
        model="mtvib_cnn",
        tasks=_SIDES,
        exact=DETERMINISTIC,
        params=(_SIDE, _SUBSET, _SPLIT_SEED),
    ),
    "mtfl": DatasetEntry(
        "paretoib.data._mtfl:load",
        "10 000 resized faces with gender, smile, glasses and pose; must be downloaded by hand",
        "Zhang et al. 2014; mtvib section 5",
        model="mtvib_cnn",
        tasks=_FACES,
        field_defaults={"model.kernel": 5, "model.stride": 2},  # mtvib table 2
        params=(
            Param(
                "task",
                Literal["all", "gender", "smile", "glasses", "pose"],
                "all",
                "the labels to predict: `all`, or the label of one task",
            ),
            Param("side", int, 150, "pixels along each side of the resized image", ge=8, le=1024),
            _SUBSET,
            _SPLIT_SEED,
        ),
    ),
    "npz": DatasetEntry(
        "paretoib.data._npz:load",
        "your own arrays x and y in a NumPy file: `--dataset npz:PATH`",
        local=True,
        complete="paretoib.data._npz_facts:complete",
        params=(
            Param("path", str, "", "the absolute path of the file"),
            Param("sha256", str, "", f"digest of the arrays; {_FROM_FILE}"),
            Param("kind", Literal["image", "vector"], "vector", f"type of an input; {_FROM_FILE}"),
            Param(
                "classes",
                tuple[Annotated[int, Field(ge=2)], ...],
                (),
                f"number of classes of each task; {_FROM_FILE}",
            ),
            Param("tasks", tuple[str, ...], (), f"names of the tasks; {_FROM_FILE}"),
            Param("task", str, "all", "the labels to predict: `all`, or the name of one task"),
            _SPLIT_SEED,
        ),
    ),
}
DATASETS = Registry("paretoib.datasets", DatasetEntry, _OWN)
