"""Reading and checking files in CIFAR-10's binary format."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from paretoib.data._cifar import CIFAR10, load_cifar
from paretoib.data._source import Source
from paretoib.errors import DataError


def test_cifar_records_are_a_label_and_three_planes(
    batches: dict[str, bytes],
    tmp_path: Path,
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """Channels, pixels and labels agree with the published description of the format."""
    put(batches, tmp_path / CIFAR10.folder)
    data = load_cifar(published(CIFAR10, batches), folder=tmp_path, subset=1, split_seed=0)
    all_numbers = []
    for split in (data.train, data.validation, data.test):
        planes = torch.tensor([10.0, 20.0, 30.0]) / 255
        torch.testing.assert_close(split.x[:, :, 1, 1], planes.expand(len(split), 3))
        numbers = [round(v) for v in (split.x[:, 0, 0, 0] * 255).tolist()]
        assert split.y.tolist() == [n % 10 for n in numbers]
        all_numbers += numbers
    assert sorted(all_numbers) == list(range(80))
    assert data.shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda c: c[:-1], r"should have 36876 bytes \(12 records of 3073\); found 36875"),
        (lambda c: b"\x0b" + c[1:], "labels should be below 10; found 11"),
        (lambda c: c[:-1] + bytes([c[-1] ^ 1]), "the md5 of its content should be"),
    ],
)
def test_a_damaged_cifar_file_is_an_error(
    batches: dict[str, bytes],
    tmp_path: Path,
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
    damage: Callable[[bytes], bytes],
    rule: str,
) -> None:
    """The error names the damaged file, the rule and the value found."""
    source = published(CIFAR10, batches)
    damaged = batches | {"data_batch_3.bin": damage(batches["data_batch_3.bin"])}
    put(damaged, tmp_path / CIFAR10.folder)
    with pytest.raises(DataError, match=rf"data_batch_3\.bin.*{rule}"):
        load_cifar(source, folder=tmp_path, subset=1, split_seed=0)
