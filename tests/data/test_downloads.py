"""Downloads of missing files, and the errors if they fail."""

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

NOWHERE = ("http://127.0.0.1:9/",)  # refuses connections


def test_the_error_for_a_missing_data_set_says_how_to_get_it(
    source: Source, tmp_path: Path
) -> None:
    """The error for a missing data set is one line that says how to get the files.

    It names the files, the folder, the environment variable and the error of the download.
    """
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


def test_a_data_folder_that_cannot_be_created_is_named(source: Source, folder: Path) -> None:
    """The error has the path of the folder that cannot be created, and the reason."""
    path = folder / "mnist" / "train-images-idx3-ubyte"
    with pytest.raises(DataError, match=rf"not found; .*Not a directory: '{path}"):
        load_idx(source, folder=path, subset=1, split_seed=0)


def test_the_error_for_fashion_mnist_names_its_debian_package(
    files: dict[str, bytes], tmp_path: Path, published: Callable[..., Source]
) -> None:
    """If Fashion-MNIST is missing, the error has the command that installs Debian's package."""
    with pytest.raises(DataError, match="Debian or Ubuntu `apt install dataset-fashion-mnist`"):
        load_idx(published(FASHION_MNIST, files), folder=tmp_path, subset=1, split_seed=0)


def test_missing_files_are_downloaded_once(
    files: dict[str, bytes],
    tmp_path: Path,
    serve: tuple[Path, str],
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """A mirror that does not answer is skipped; the next call uses the downloaded files."""
    served, address = serve
    zipped = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    downloads = {
        name: (f"{name}.gz", hashlib.md5(zipped[f"{name}.gz"]).hexdigest()) for name in files
    }
    source = published(MNIST, files, downloads=downloads, mirrors=(*NOWHERE, address))
    put(zipped, served)
    downloaded = load_idx(source, folder=tmp_path / "data", subset=1, split_seed=0)
    offline = replace(source, mirrors=NOWHERE)
    again = load_idx(offline, folder=tmp_path / "data", subset=1, split_seed=0)
    assert torch.equal(downloaded.train.x, again.train.x)


def test_a_download_with_a_wrong_checksum_is_refused(
    files: dict[str, bytes],
    tmp_path: Path,
    serve: tuple[Path, str],
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """A download that differs from the published file is neither used nor stored."""
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
    """The batches of CIFAR-10 are unpacked from the downloaded archive, which is then deleted."""
    served, address = serve
    put(batches, tmp_path / "pack" / CIFAR10.folder)
    with tarfile.open(served / "small.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "pack" / CIFAR10.folder, CIFAR10.folder)
    download = ("small.tar.gz", hashlib.md5((served / "small.tar.gz").read_bytes()).hexdigest())
    downloads = dict.fromkeys(batches, download)
    source = published(CIFAR10, batches, downloads=downloads, mirrors=(address,))
    load_cifar(source, folder=tmp_path / "data", subset=1, split_seed=0)
    names = {path.name for path in (tmp_path / "data" / CIFAR10.folder).iterdir()}
    assert names == set(batches)
