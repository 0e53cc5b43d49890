"""Loading data sets by name."""

import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest

from paretoib.data import DATASETS, load_dataset
from paretoib.errors import DataError, SpecError


def test_a_data_set_is_loaded_once_per_process(tmp_path: Path) -> None:
    """Calls with equal parameters return the same object, even if defaults are omitted."""
    defaults = {"split_seed": 0, "samples": 20_000, "correlations": [0.95, 0.8, 0.6, 0.3]}
    first = load_dataset("gaussian", {}, folder=tmp_path)
    assert load_dataset("gaussian", defaults, folder=tmp_path) is first
    assert load_dataset("gaussian", {"split_seed": 1}, folder=tmp_path) is not first


def test_an_error_is_not_cached(tmp_path: Path) -> None:
    """After an error, the next call reads the files again."""
    (tmp_path / "mnist" / "train-images-idx3-ubyte").mkdir(parents=True)
    with pytest.raises(DataError, match="Is a directory"):
        load_dataset("mnist", {}, folder=tmp_path)
    (tmp_path / "mnist" / "train-images-idx3-ubyte").rmdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match="magic number"):
        load_dataset("mnist", {}, folder=tmp_path)


def test_an_unknown_name_or_parameter_is_refused() -> None:
    """The errors suggest a similar name of a data set, or list the data set's parameters."""
    with pytest.raises(SpecError, match=r"unknown data set: .*did you mean `fashion_mnist`"):
        load_dataset("fashion-mnist", {})
    with pytest.raises(
        SpecError, match=r"`digits` should be among subset, fold, split_seed; .*`shuffle`"
    ):
        load_dataset("digits", {"shuffle": True})


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_declares_the_parameters_of_its_function(name: str) -> None:
    """The declared parameters are the function's keywords, except `folder`."""
    declared = {param.name for param in DATASETS[name].params}
    assert set(signature(DATASETS[name].load()).parameters) == {"folder", *declared}


def test_listing_and_exact_curves_load_no_torch() -> None:
    """The list of data sets and the exact curves load no torch, so that commands start quickly."""
    code = "import sys, paretoib.data, paretoib.data._exact; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
