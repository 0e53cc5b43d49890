"""Small data sets in the official formats, and a web server that serves them."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from paretoib.data._cifar import CIFAR10
from paretoib.data._idx import MNIST
from paretoib.data._source import Source

TRAIN, TEST, VALIDATION = 60, 20, 15
NOWHERE = ("http://127.0.0.1:9/",)  # refuses connections


def idx(values: NDArray[np.uint8]) -> bytes:
    """`values` in the IDX format."""
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


def published(base: Source, files: dict[str, bytes], **changes: object) -> Source:
    """A source like `base`, with the checksums of `files`."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    small = {"md5": sums, "mirrors": NOWHERE, "system": None}
    sizes = {"train": TRAIN, "test": TEST, "validation": VALIDATION}
    return replace(base, **(small | sizes | changes))  # type: ignore[arg-type]


def put(files: dict[str, bytes], folder: Path) -> Path:
    """Write `files` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def pixels() -> NDArray[np.uint8]:
    """Different images; the first pixel of an image is its number."""
    values = np.random.default_rng(5).integers(0, 256, (TRAIN + TEST, 28, 28), np.uint8)
    values[:, 0, 0], values[:, 0, 1] = np.arange(TRAIN + TEST), 255
    return values


@pytest.fixture(scope="session")
def labels() -> NDArray[np.uint8]:
    """A class for each image."""
    return np.random.default_rng(6).integers(0, 10, TRAIN + TEST, np.uint8)


@pytest.fixture(scope="session")
def files(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, bytes]:
    """A small data set in MNIST's format."""
    return {
        "train-images-idx3-ubyte": idx(pixels[:TRAIN]),
        "train-labels-idx1-ubyte": idx(labels[:TRAIN]),
        "t10k-images-idx3-ubyte": idx(pixels[TRAIN:]),
        "t10k-labels-idx1-ubyte": idx(labels[TRAIN:]),
    }


@pytest.fixture(scope="session")
def source(files: dict[str, bytes]) -> Source:
    """The source that publishes `files`."""
    return published(MNIST, files)


@pytest.fixture(scope="session", name="published")
def _published() -> Callable[..., Source]:
    """The function `published`, as a fixture."""
    return published


@pytest.fixture(scope="session", name="put")
def _put() -> Callable[[dict[str, bytes], Path], Path]:
    """The function `put`, as a fixture."""
    return put


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path) -> Path:
    """A data folder with `files`."""
    put(files, tmp_path / "mnist")
    return tmp_path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address of a web server that serves its files."""
    served = tmp_path / "served"
    served.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def batches() -> dict[str, bytes]:
    """A small CIFAR-10: colours are (10, 20, 30); the first red pixel is the image's number."""
    records = np.repeat([[0, 10, 20, 30]], TRAIN + TEST, 0).repeat([1, 1024, 1024, 1024], 1)
    records[:, 0] = np.arange(TRAIN + TEST) % 10
    records[:, 1] = np.arange(TRAIN + TEST)
    parts = np.split(records.astype(np.uint8), [12, 24, 36, 48, 60])
    return {name: part.tobytes() for name, part in zip(CIFAR10.md5, parts, strict=True)}
