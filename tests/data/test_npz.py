"""A user's own arrays as a data set: `npz:PATH`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paretoib.data import load_dataset, load_npz, save_arrays
from paretoib.data._npz_facts import facts_of
from paretoib.errors import ComparisonError, DataError, SpecError
from paretoib.fronts import compare
from paretoib.records import Front, SweepInfo
from paretoib.specs import SweepSpec
from paretoib.tracking import front_of
from tests.service.synthetic_sweeps import RULER, synthetic_records

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """`save(x=…, y=…)` writes arrays to a file and returns its path."""

    def write(name: str = "own.npz", **arrays: Any) -> Path:
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return write


def numbered(count: int, shape: tuple[int, ...] = (3,)) -> tuple[Any, Any]:
    """Inputs that hold their own number, and labels 0, 1, 2 in turn."""
    x = np.broadcast_to(np.arange(float(count)).reshape(-1, *[1] * len(shape)), (count, *shape))
    return np.array(x), np.arange(count) % 3


def section(path: Path, **fields: Any) -> Any:
    """The data section of a sweep on a file."""
    return SweepSpec.from_document({"data": {"name": "npz", "path": str(path), **fields}}).data


def numbers(split: Any) -> list[int]:
    return sorted(int(value) for value in split.x.flatten(1)[:, 0])


def test_without_splits_the_seed_makes_them(save: Save) -> None:
    """60 % of the examples are for training, 20 % for validation and test, without overlap."""
    path = save(**dict(zip("xy", numbered(100), strict=True)))
    first, again, other = (
        load_dataset("npz", section(path, split_seed=s).params) for s in (0, 0, 1)
    )
    splits = (first.train, first.validation, first.test)
    assert [len(split) for split in splits] == [60, 20, 20]
    assert sorted(n for split in splits for n in numbers(split)) == list(range(100))
    assert numbers(first.test) == numbers(again.test) != numbers(other.test)
    # Splits are shuffled, because bounds use the first examples of a split.
    assert first.train.x[:, 0].tolist() != sorted(first.train.x[:, 0].tolist())
    assert torch.equal(first.train.y, first.train.x[:, 0].long() % 3)
    assert (first.name, first.classes, first.tasks, first.shape) == ("npz", 3, (), (3,))


def test_given_splits_are_kept(save: Save) -> None:
    """`split`, or one pair of arrays a split, fixes the examples of each split."""
    x, y = numbered(60)
    split = np.array(["train"] * 30 + ["validation"] * 10 + ["test"] * 20)
    one = load_npz(save(x=x, y=y, split=split), name="own")
    pairs = {
        f"{name}_{part}": array[split == part]
        for part in ("train", "validation", "test")
        for name, array in (("x", x), ("y", y))
    }
    two = load_npz(save("pairs.npz", **pairs), name="own")
    for dataset in (one, two):
        assert numbers(dataset.train) == list(range(30))
        assert numbers(dataset.validation) == list(range(30, 40))
        assert numbers(dataset.test) == list(range(40, 60))


def test_a_sixth_of_the_training_examples_validates_if_no_split_does(save: Save) -> None:
    """A file with training and test arrays alone, such as Keras' mnist.npz, is complete."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (60, 28, 28), np.uint8),
        "y_train": np.arange(60, dtype=np.uint8) % 10,
        "x_test": np.full((20, 28, 28), 255, np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 10,
    }
    dataset = load_npz(save(**arrays), name="own")
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [50, 10, 20]
    assert dataset.shape == (1, 28, 28)
    assert dataset.test.x.unique().tolist() == [1.0]  # 255 of uint8 is 1
    assert dataset.train.x.dtype == torch.float32
    assert dataset.classes == 10


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.full((20, 2), 200, np.uint8), 200 / 255),
        (np.full((20, 2), 200, np.int64), 200.0),
        (np.full((20, 2), 0.25), 0.25),
        (np.ones((20, 2), bool), 1.0),
    ],
)
def test_only_bytes_are_scaled(save: Save, x: Any, expected: float) -> None:
    """uint8 is divided by 255; other types keep their values."""
    dataset = load_npz(save(x=x, y=np.arange(20) % 2), name="own")
    assert dataset.train.x.unique().tolist() == [pytest.approx(expected)]


def test_several_tasks_have_names(save: Save) -> None:
    """Each column of y is a task; `task` selects one of them."""
    x, y = numbered(60)
    both = np.stack([y, np.arange(60) % 2], axis=1)
    unnamed = section(save(x=x, y=both))
    assert (unnamed.tasks, unnamed.classes) == (("task_1", "task_2"), (3, 2))
    path = save("named.npz", x=x, y=both, tasks=np.array(["kind", "parity"]))
    spec = SweepSpec.from_document({"method": "mtvib", "data": f"npz:{path}", "model": "mlp"})
    assert spec.template.tasks == ("kind", "parity")
    dataset = load_dataset("npz", spec.data.params)
    assert (dataset.tasks, dataset.classes, dataset.train.y.shape) == (
        ("kind", "parity"),
        (3, 2),
        (36, 2),
    )
    one = section(path, task="parity")
    chosen = load_dataset("npz", one.params)
    assert (chosen.tasks, chosen.classes) == ((), 2)
    assert torch.equal(chosen.train.y, chosen.train.x[:, 0].long() % 2)
    with pytest.raises(SpecError, match="one of all, kind, parity; found `shape`"):
        load_dataset("npz", section(path, task="shape").params)


X, Y = numbered(30)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": X}, "x and y .* or x_train, .*; found x$"),
        ({"x": X, "y": Y, "x_train": X, "y_train": Y}, "found x, x_train, y, y_train"),
        ({"x_train": X, "y_train": Y}, "found x_train, y_train"),
        ({"x": X, "y": Y, "labels": Y}, "should be among x, y, split, .*; found `labels`"),
        ({"x": X, "Y": Y}, "found `Y`"),
        ({"x": X, "y": Y[:5]}, "equal lengths; found 30 and 5"),
        (
            {"x_train": X, "y_train": Y[:9], "x_test": X, "y_test": Y},
            "x_train and y_train: .*30 and 9",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
            r"x_test: .* float64 \(3,\); found float64 \(2,\)",
        ),
        ({"x": X[:, 0], "y": Y}, r"x: should be vectors .*found shape \(30,\)"),
        ({"x": np.zeros((30, 8, 8, 3)), "y": Y}, r"transpose\(0, 3, 1, 2\)"),
        ({"x": X.astype(str), "y": Y}, "x: should be an array of numbers; found type <U"),
        ({"x": np.where(X == 7, np.nan, X), "y": Y}, r"x: .*found nan at \[7, 0\]"),
        ({"x": np.where(X == 7, 1e300, X), "y": Y}, r"found 1e\+300 at \[7, 0\]"),
        ({"x": X, "y": Y * 1.0}, "y: should be integers, because .*found type float64"),
        ({"x": X, "y": Y + 1}, "numbered from 0 without gaps; found 3 from 1 to 3"),
        ({"x": X, "y": Y * 2}, "found 3 from 0 to 4: number them with `np.unique"),
        ({"x": X, "y": Y - 1}, "found 3 from -1 to 1"),
        ({"x": X, "y": Y * 0}, "found 1 from 0 to 0"),
        ({"x": X, "y": np.zeros((30, 2, 2), int)}, r"y: should be \(N,\), or \(N, T\)"),
        ({"x": X, "y": np.stack([Y, Y + 1], 1)}, r"y\[:, 1\]: should be two or more classes"),
        ({"x": X, "y": Y, "split": np.zeros(30)}, r"split: should be text of shape \(30,\)"),
        ({"x": X, "y": Y, "split": np.array(["dev"] * 30)}, "train, validation, test; found `dev`"),
        ({"x": X, "y": Y, "split": np.array(["train"] * 30)}, "split test: .*found 0"),
        ({"x": X[:6], "y": Y[:6]}, "split validation: should have 2 or more examples; found 1"),
        (
            {"x": X, "y": Y, "split": np.where(Y == 0, "test", "train")},
            "the test split should have two or more classes; found one",
        ),
        ({"x": X, "y": Y, "tasks": np.array(["a"])}, "tasks: should be 0 different names"),
        (
            {"x": X, "y": np.stack([Y, Y], 1), "tasks": np.array(["a", "all"])},
            "2 different names .* not `all`",
        ),
        ({"x": X, "y": Y.astype(object)}, "array `y` should have numbers or text; found Python"),
    ],
)
def test_wrong_arrays_are_refused(save: Save, arrays: dict[str, Any], text: str) -> None:
    """The error has the array, the rule and what was found, before a sweep begins."""
    with pytest.raises(DataError, match=text):
        section(save(**arrays))


class _Runs:
    """An object whose pickle would create a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_pickled_objects_are_never_run(save: Save, tmp_path: Path) -> None:
    """A file with a pickle is refused, and its code does not run."""
    path = save(x=X, y=Y, tasks=np.array([_Runs(tmp_path / "ran")], dtype=object))
    with pytest.raises(DataError, match="never loaded because they can run code"):
        section(path)
    pickled = tmp_path / "pickled.npz"
    np.save(pickled.open("wb"), np.array([_Runs(tmp_path / "ran")], dtype=object))
    with pytest.raises(DataError, match=r"should be a complete \.npz file"):
        section(pickled)
    assert not (tmp_path / "ran").exists()


def test_a_spec_holds_the_facts_of_the_file(
    save: Save, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`npz:PATH` becomes an absolute path with digest and facts; the default name has the file's.

    A stored spec can then be read where the file is not.
    """
    path = save("faces.npz", x=np.zeros((30, 8, 8)), y=Y)
    monkeypatch.chdir(tmp_path)
    spec = SweepSpec.from_document({"method": "vib", "data": "npz:faces.npz", "model": "cnn"})
    assert spec.name == "vib-faces"
    assert spec.data.document == {
        "name": "npz",
        "path": str(path),
        "sha256": spec.data["sha256"],
        "kind": "image",
        "classes": [3],
        "tasks": [],
        "task": "all",
        "split_seed": 0,
    }
    assert len(spec.data["sha256"]) == 64
    path.unlink()
    assert SweepSpec.from_document(spec.document) == spec
    with pytest.raises(DataError, match=r"faces.npz: .*No such file"):
        load_dataset("npz", spec.data.params)
    with pytest.raises(DataError, match=r"faces.npz: .*No such file"):
        SweepSpec.from_document({"data": "npz:faces.npz"})
    with pytest.raises(SpecError, match=r"data\.path: should be the path of an \.npz"):
        SweepSpec.from_document({"data": "npz"})


def test_the_kind_of_the_inputs_limits_the_models(save: Save) -> None:
    """Vectors refuse a model for images."""
    path = save(x=X, y=Y)
    with pytest.raises(SpecError, match=r"`cnn` takes inputs of kind image; .*has kind vector"):
        SweepSpec.from_document({"data": f"npz:{path}", "model": "cnn"})


def test_changed_arrays_are_refused(save: Save) -> None:
    """A trial reads only the arrays of its spec; equal arrays in another file are the same data."""
    path = save(x=X, y=Y)
    stored = section(path)
    save(x=X + 1, y=Y)
    with pytest.raises(
        DataError, match=r"own.npz: its arrays should be those with which the sweep"
    ):
        load_dataset("npz", stored.params)
    with pytest.raises(SpecError, match=r"data\.sha256: should be that of"):
        section(path, sha256=stored["sha256"])
    np.savez_compressed(path, y=Y, x=X)
    assert len(load_dataset("npz", stored.params).train) == 18
    assert section(path) == stored
    with pytest.raises(SpecError, match=r"data.kind: should be that of the file, vector; found im"):
        load_dataset("npz", stored.params | {"kind": "image"})


def test_sweeps_on_equal_arrays_can_be_compared(
    save: Save, tmp_path: Path, front_on: Callable[[Any], Front]
) -> None:
    """The digest decides whether two sweeps have the same data, not the path."""
    (tmp_path / "copy").mkdir()
    first = section(save(x=X, y=Y))
    copied = section(save("copy/same.npz", x=X, y=Y))
    changed = section(save("changed.npz", x=X, y=Y[::-1]))
    assert compare([front_on(first)], [front_on(copied)]).verdict
    with pytest.raises(ComparisonError, match=r"found data.(path|sha256) = "):
        compare([front_on(first)], [front_on(changed)])


@pytest.fixture
def front_on() -> Callable[[Any], Front]:
    """`front_on(section)` is a front with two points of a sweep on this data."""

    def make(data: Any) -> Front:
        spec = SweepSpec.from_document({"method": "vib", "data": data.document})
        info = SweepInfo(
            id=str(len(data["path"])),
            name="a",
            method="vib",
            dataset="npz",
            status="finished",
            spec=spec.document,
        )
        return front_of(info, synthetic_records(spec, 3), RULER)

    return make


def test_arrays_are_saved_once(tmp_path: Path) -> None:
    """Equal arrays get one file, which is a valid data set; other arrays get another file."""
    first = save_arrays({"x": X, "y": Y}, tmp_path / "arrays")
    modified = first.stat().st_mtime_ns
    assert save_arrays({"y": np.array(Y), "x": np.array(X)}, tmp_path / "arrays") == first
    assert first.stat().st_mtime_ns == modified
    assert save_arrays({"x": X.astype(np.float32), "y": Y}, tmp_path / "arrays") != first
    assert load_npz(first, name="own").classes == 3
    with pytest.raises(DataError, match=r"arrays: should be among x, y, .*; found `z`"):
        save_arrays({"x": X, "y": Y, "z": Y}, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="should be writable; found: File exists"):
        save_arrays({"x": X, "y": Y}, tmp_path / "file")


def test_the_digest_covers_names_types_shapes_and_values() -> None:
    """Arrays that differ in one of these have different digests."""
    arrays = {"x": np.zeros((30, 4), np.float32), "y": Y}
    changes = [
        {},
        {"x": np.zeros((30, 4))},
        {"x": np.zeros((30, 2), np.complex64).view(np.float32).reshape(30, 2, 2)},
        {"x": np.r_[np.ones((1, 4)), np.zeros((29, 4))].astype(np.float32)},
        {"y": Y[::-1]},
        {"split": np.array(["train", "test"] * 15)},
    ]
    assert len({facts_of(arrays | change)["sha256"] for change in changes}) == len(changes)
