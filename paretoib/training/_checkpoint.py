"""A pack's whole state in one file, to go on from when its worker is lost.

safetensors: numbers as tensors, the rest as JSON in the header. Nothing in it is ever run, so a
shared folder is no danger.
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
class Saved:
    """The `state` of the `trials` that still train (`Pack.state`), and the others' records.

    `epoch` is the last that has ended, `seconds` what each of the trials has cost by then.
    """

    trials: tuple[str, ...]
    epoch: int
    seconds: float
    ended: tuple[TrialRecord, ...]
    state: Mapping[str, Tensor]


def saved_packs(folder: Path) -> list[list[str]]:
    """The trials, by their keys, of each pack that has a file in `folder`; the latest first.

    A pack finds its file again where it has the very same trials. A file that cannot be read
    counts for none.
    """
    packs: list[tuple[float, list[str]]] = []
    for path in folder.glob("*.safetensors"):
        with suppress(Exception):
            with safe_open(path, "pt") as file:
                keys = _keys(json.loads(file.metadata()["pack"]))
            packs.append((path.stat().st_mtime, keys))
    return [keys for _, keys in sorted(packs, reverse=True)]


class Checkpoint:
    """The file of one pack, named by its trials' keys. Trouble with it never ends a training."""

    def __init__(self, folder: Path, keys: Sequence[str], every: float) -> None:
        self.keys = set(keys)
        name = hashlib.sha256(" ".join(sorted(keys)).encode()).hexdigest()[:32]
        self.path = folder / f"{name}.safetensors"
        self._every = every
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last save, or the start, is long enough ago."""
        return time.monotonic() - self._last >= self._every

    def save(self, saved: Saved) -> None:
        """Write the file anew: all of it, or the one before stays."""
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

    def load(self) -> Saved | None:
        """What was saved last; None where nothing was, or nothing that can be used."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                header = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return self._checked(header, state)
        except Exception as error:
            self.refuse(error)
            return None

    def refuse(self, reason: object) -> None:
        """Say that the file is left out, and why."""
        _log.warning("checkpoint %s left out, training starts anew: %s", self.path, reason)

    def remove(self) -> None:
        """Remove the file, and what interrupted savings of it have left."""
        for path in (self.path, *self.path.parent.glob(f"{self.path.stem}.*.tmp")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("checkpoint %s not removed: %s", path, error)

    def _checked(self, header: Mapping[str, str], state: dict[str, Tensor]) -> Saved:
        if header.get("schema") != str(SCHEMA):
            raise SpecError(f"`schema` should be {SCHEMA}; found {header.get('schema')}")
        if header["crc32"] != _crc32(state):
            raise SpecError("its numbers are damaged")
        pack = json.loads(header["pack"])
        ended = tuple(TrialRecord.from_document(document) for document in pack["ended"])
        found = _keys(pack)
        if len(found) != len(self.keys) or set(found) != self.keys:
            raise SpecError("it is of other trials")
        return Saved(tuple(pack["trials"]), pack["epoch"], pack["seconds"], ended, state)


def _keys(pack: Mapping[str, Any]) -> list[str]:
    """All trials of a file's pack, those that still train first."""
    return [*pack["trials"], *(record["trial"] for record in pack["ended"])]


def _crc32(state: Mapping[str, Tensor]) -> str:
    crc = 0
    for name in sorted(state):
        crc = zlib.crc32(state[name].numpy().data, crc)
    return f"{crc:08x}"
