"""Loading of data sets by name, with a cache."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from paretoib.data import DATASETS
from paretoib.data._dataset import Dataset
from paretoib.errors import SpecError
from paretoib.registry import lookup
from paretoib.settings import settings


def load_dataset(name: str, params: Mapping[str, Any], *, folder: Path | None = None) -> Dataset:
    """The data set called `name`, on the CPU; missing parameters take their defaults.

    `folder` is the data folder, by default that of the settings. The two data sets used last are
    cached and shared, so callers must not write into their tensors.

    Raises:
        SpecError: the name or a parameter is unknown, or the data set refuses a value.
        DataError: a file of the data set is missing, unreadable or corrupt.
    """
    declared = {p.name: p.default for p in lookup(DATASETS, name, "data set").params}
    if unknown := params.keys() - declared.keys():
        raise SpecError(
            f"parameters of data set `{name}` should be among {', '.join(declared)}; "
            f"found `{min(unknown)}`"
        )
    values = declared | {k: tuple(v) if isinstance(v, list) else v for k, v in params.items()}
    return _load(name, tuple(values.items()), (folder or settings().data).resolve())


@lru_cache(maxsize=2)
def _load(name: str, params: tuple[tuple[str, Any], ...], folder: Path) -> Dataset:
    return DATASETS[name].load()(folder=folder, **dict(params))
