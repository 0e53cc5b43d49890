"""Checkpoints: the state of a pack in one file, from which training resumes after a failure.

The format is safetensors, with values that are not tensors as JSON in the header. Loading the file
runs no code, so a checkpoint in a shared folder is safe to read.
"""

import hashlib
import json
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from paretoib.errors import SpecError
from paretoib.records import TrialRecord

_log = logging.getLogger(__name__)

SCHEMA = 1


@dataclass(frozen=True)
class SavedPack:
    """The content of a checkpoint.

    `trials` holds the keys of the trials still in training; `state` is their `Pack.state`. `ended`
    holds the records of the other trials. `epoch` is the last completed epoch; `seconds` is the
    training time per trial so far.
    """

    trials: tuple[str, ...]
    epoch: int
    seconds: float
    ended: tuple[TrialRecord, ...]
    state: Mapping[str, Tensor]


def saved_packs(folder: Path) -> list[list[str]]:
    """The trial keys of each pack that has a checkpoint in `folder`, the latest checkpoint first.

    A pack can resume from a checkpoint only if it has exactly the same trials. Unreadable files
    are ignored.
    """
    packs: list[tuple[float, list[str]]] = []
    for path in folder.glob("*.safetensors"):
        with suppress(Exception):
            with safe_open(path, "pt") as file:
                keys = _keys(json.loads(file.metadata()["pack"]))
            packs.append((path.stat().st_mtime, keys))
    return [keys for _, keys in sorted(packs, reverse=True)]


class Checkpoint:
    """The checkpoint file of one pack, named by a hash of its trial keys.

    Errors in reading or writing the file are logged and never stop a training.
    """

    def __init__(self, folder: Path, keys: Sequence[str], every: float) -> None:
        self.keys = set(keys)
        name = hashlib.sha256(" ".join(sorted(keys)).encode()).hexdigest()[:32]
        self.path = folder / f"{name}.safetensors"
        self._every = every
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether `every` seconds have passed since the last save or the start."""
        return time.monotonic() - self._last >= self._every

    def save(self, saved: SavedPack) -> None:
        """Replace the file atomically; on an error the previous file stays."""
        state = {name: tensor.cpu().contiguous() for name, tensor in saved.state.items()}
        pack = {
            "trials": saved.trials,
            "epoch": saved.epoch,
            "seconds": saved.seconds,
            "ended": [record.document for record in saved.ended],
        }
        header = {"schema": str(SCHEMA), "pack": json.dumps(pack), "crc32": _crc32(state)}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".tmp", f"{self.path.stem}.", self.path.parent)
            try:
                save_file(state, name, header)
                os.fsync(handle)
                Path(name).replace(self.path)
            finally:
                os.close(handle)
                Path(name).unlink(missing_ok=True)
        except Exception as error:
            _log.warning("checkpoint %s not written: %s", self.path, error)
        self._last = time.monotonic()

    def load(self) -> SavedPack | None:
        """Read the file; None if the file is missing or cannot be used."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                header = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return self._checked(header, state)
        except Exception as error:
            self.warn_ignored(error)
            return None

    def warn_ignored(self, reason: object) -> None:
        """Log that the file is ignored, and why."""
        _log.warning("checkpoint %s ignored, training restarts: %s", self.path, reason)

    def remove(self) -> None:
        """Delete the file and the temporary files of interrupted saves."""
        for path in (self.path, *self.path.parent.glob(f"{self.path.stem}.*.tmp")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("checkpoint %s not removed: %s", path, error)

    def _checked(self, header: Mapping[str, str], state: dict[str, Tensor]) -> SavedPack:
        if header.get("schema") != str(SCHEMA):
            raise SpecError(f"`schema` should be {SCHEMA}; found {header.get('schema')}")
        if header["crc32"] != _crc32(state):
            raise SpecError("its tensors are damaged: the checksum differs")
        pack = json.loads(header["pack"])
        ended = tuple(TrialRecord.from_document(document) for document in pack["ended"])
        keys = _keys(pack)
        if len(keys) != len(self.keys) or set(keys) != self.keys:
            raise SpecError("it belongs to other trials")
        return SavedPack(tuple(pack["trials"]), pack["epoch"], pack["seconds"], ended, state)


def _keys(pack: Mapping[str, Any]) -> list[str]:
    """The keys of all trials of a saved pack; those still in training come first."""
    return [*pack["trials"], *(record["trial"] for record in pack["ended"])]


def _crc32(state: Mapping[str, Tensor]) -> str:
    crc = 0
    for name in sorted(state):
        crc = zlib.crc32(state[name].numpy().data, crc)
    return f"{crc:08x}"
