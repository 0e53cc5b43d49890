"""`saved_packs`: the packs that a resumed sweep finds in its folder of checkpoints."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from paretoib.records import TrialRecord
from paretoib.training import saved_packs
from paretoib.training._checkpoint import Checkpoint, SavedPack


def save(folder: Path, trials: Sequence[str], ended: Sequence[str] = (), age: float = 0.0) -> Path:
    """The checkpoint of a pack of trials, of which `ended` have ended, saved `age` seconds ago."""
    spec: Mapping[str, object] = {}
    records = tuple(TrialRecord(trial=key, spec=spec, status="stopped") for key in ended)
    checkpoint = Checkpoint(folder, [*trials, *ended], 0.0)
    checkpoint.save(SavedPack(tuple(trials), 3, 1.0, records, {"weight": torch.ones(2)}))
    now = checkpoint.path.stat().st_mtime
    os.utime(checkpoint.path, (now - age, now - age))
    return checkpoint.path


def test_every_pack_is_identified_by_its_trials(tmp_path: Path) -> None:
    """A saved pack includes its ended trials, because the file name depends on them.

    The newest pack comes first.
    """
    older = save(tmp_path, ["a", "b"], ["c"], age=60)
    newer = save(tmp_path, ["d"])
    packs = saved_packs(tmp_path)
    assert packs == [["d"], ["a", "b", "c"]]
    assert [Checkpoint(tmp_path, pack, 0.0).path for pack in packs] == [newer, older]


def test_unreadable_files_are_ignored(tmp_path: Path) -> None:
    """Damaged and temporary files and folders are ignored; a missing folder has no packs."""
    save(tmp_path, ["a"])
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "b.1.tmp").write_bytes(b"half")
    (tmp_path / "folder.safetensors").mkdir()
    assert saved_packs(tmp_path) == [["a"]]
    assert saved_packs(tmp_path / "none") == []
