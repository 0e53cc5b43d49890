"""Getting what is not there, and saying so where that fails."""

import gzip
import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from paretoib.data._cifar import CIFAR10, load_cifar
from paretoib.data._idx import FASHION_MNIST, MNIST, load_idx
from paretoib.data._source import Source
from paretoib.errors import DataError

NOWHERE = ("http://127.0.0.1:9/",)  # refuses at once


def test_an_absent_data_set_names_the_ways_to_get_it(source: Source, tmp_path: Path) -> None:
    """One line says which files go where, which variable, and why the download failed."""
    with pytest.raises(DataError) as caught:
        load_idx(source, folder=tmp_path, subset=1, split_seed=0)
    text = str(caught.value)
    assert text.startswith("data set `mnist` not found")
    assert f"t10k-labels-idx1-ubyte (each plain or .gz) into {tmp_path / 'mnist'}" in text
    assert "PARETOIB_DATA" in text
    assert "apt install" not in text
    assert "http://127.0.0.1:9/: " in text
    assert "Connection refused" in text
    assert "\n" not in text


def test_a_data_folder_that_cannot_be_made_is_named(source: Source, folder: Path) -> None:
    """Where nothing can be written, the error says where and why."""
    path = folder / "mnist" / "train-images-idx3-ubyte"
    with pytest.raises(DataError, match=rf"not found; .*Not a directory: '{path}"):
        load_idx(source, folder=path, subset=1, split_seed=0)


def test_debian_is_a_way_to_fashion_mnist(
    files: dict[str, bytes], tmp_path: Path, published: Callable[..., Source]
) -> None:
    """Where a distribution packages the data set, the error says so."""
    with pytest.raises(DataError, match="Debian or Ubuntu `apt install dataset-fashion-mnist`"):
        load_idx(published(FASHION_MNIST, files), folder=tmp_path, subset=1, split_seed=0)


def test_what_is_absent_is_downloaded_once(
    files: dict[str, bytes],
    tmp_path: Path,
    serve: tuple[Path, str],
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """A dead mirror is passed over, the next one fills the data folder, which then suffices."""
    served, address = serve
    zipped = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    downloads = {
        name: (f"{name}.gz", hashlib.md5(zipped[f"{name}.gz"]).hexdigest()) for name in files
    }
    source = published(MNIST, files, downloads=downloads, mirrors=(*NOWHERE, address))
    put(zipped, served)
    fetched = load_idx(source, folder=tmp_path / "data", subset=1, split_seed=0)
    offline = replace(source, mirrors=NOWHERE)
    kept = load_idx(offline, folder=tmp_path / "data", subset=1, split_seed=0)
    assert torch.equal(fetched.train.x, kept.train.x)


def test_a_download_with_a_wrong_checksum_is_refused(
    files: dict[str, bytes],
    tmp_path: Path,
    serve: tuple[Path, str],
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """What a mirror gives instead of the published file is neither used nor kept."""
    served, address = serve
    put({f"{name}.gz": gzip.compress(content) for name, content in files.items()}, served)
    source = published(MNIST, files, mirrors=(address,))
    with pytest.raises(DataError, match="does not match the known hash"):
        load_idx(source, folder=tmp_path / "data", subset=1, split_seed=0)
    assert not list((tmp_path / "data" / "mnist").iterdir())


def test_cifar_is_unpacked_from_its_archive(
    batches: dict[str, bytes],
    tmp_path: Path,
    serve: tuple[Path, str],
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """One archive is downloaded for all batches; the batches stay, the archive does not."""
    served, address = serve
    put(batches, tmp_path / "pack" / CIFAR10.folder)
    with tarfile.open(served / "small.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "pack" / CIFAR10.folder, CIFAR10.folder)
    download = ("small.tar.gz", hashlib.md5((served / "small.tar.gz").read_bytes()).hexdigest())
    downloads = dict.fromkeys(batches, download)
    source = published(CIFAR10, batches, downloads=downloads, mirrors=(address,))
    load_cifar(source, folder=tmp_path / "data", subset=1, split_seed=0)
    kept = {path.name for path in (tmp_path / "data" / CIFAR10.folder).iterdir()}
    assert kept == set(batches)
