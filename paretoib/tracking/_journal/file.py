"""The file of a journal, and its lock.

Each line is one trial: the CRC-32 of a JSON text, then the text. A line is incomplete if the
process was killed or the disk was full; its checksum is then wrong, and readers skip it. Every
append starts on a new line, so an incomplete line does not damage the next.

The model files of these trials are in a folder beside the journal. A model file is written before
the line of its trial, and is removed when the store holds the trial.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO
from zlib import crc32

from paretoib.errors import SpecError, StoreError
from paretoib.records import ModelFile, TrialRecord
from paretoib.tracking._lookup import one_writer
from paretoib.tracking._tracker import EndedTrial, TrialModel

LOCK_TIMEOUT = 0.5  # seconds; a reader that tests the lock holds it for a moment


class JournalFile:
    """The journal of a sweep, open in one process at a time.

    `waiting` is the number of trials that the store does not hold yet. The lock is on a separate
    file; the kernel releases the lock however the process ends. Raises `StoreError` if the file
    cannot be written, or if another process holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path.with_suffix(".lock"), path.stem)
            self._file = path.open("ab", buffering=0)
            _sync_folder(path.parent)
        except OSError as error:
            raise self._store_error(error) from error
        self._start, self._end = 0, self._file.tell()
        self.waiting = sum(1 for _ in _lines(path, 0, self._end))
        self._remove_other_models()

    def append(self, trials: Sequence[EndedTrial]) -> None:
        """Add trials; on return, all of them are on the disk. If this raises, none is added.

        A model file that cannot be written costs neither its trial nor the others: the trial is
        added without it, with the reason.
        """
        trials = [self._with_model_file(trial) for trial in trials]
        rest = memoryview(b"".join([b"\n", *map(_encode, trials)]))
        size = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise self._store_error(error) from error
        self._end += size
        self.waiting += len(trials)

    def next(self, count: int) -> tuple[list[EndedTrial], int]:
        """The next trials, at most `count`, and the offset in the file after them."""
        lines = list(islice(_lines(self.path, self._start, self._end), count))
        return [_decode(line, self.path) for line, _ in lines], lines[-1][1]

    def remove_models(self, trials: Sequence[EndedTrial]) -> None:
        """Remove the model files of trials that the store holds."""
        for trial in trials:
            if trial.model:
                with suppress(OSError):
                    model_path(self.path, trial.record.trial).unlink(missing_ok=True)

    def mark_written(self, count: int, offset: int) -> None:
        """Note that the store now holds the next `count` trials, which end at this offset."""
        self._start = offset
        self.waiting -= count
        if not self.waiting:
            # No sync: a crash may bring trials back, but the store skips those that it holds.
            self._file.truncate(0)
            self._start = self._end = 0

    def set_aside(self, trial: EndedTrial, reason: str) -> None:
        """Add a trial that the store refuses, with the reason, to the file beside the journal."""
        try:
            with refused_path(self.path).open("ab", buffering=0) as file:
                file.write(b"\n" + _encode(trial, reason))
                os.fsync(file.fileno())
        except OSError as error:
            raise self._store_error(error) from error

    def retry_refused(self) -> None:
        """Move the trials that the store refused back into the journal, to be written once more."""
        path = refused_path(self.path)
        if trials := list(read(path)):
            self.append(trials)
            path.unlink()

    def close(self) -> None:
        """Unlock the journal, and remove it if it holds no trial."""
        if not self.waiting:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # trials that the store refuses may have model files
                model_path(self.path, "").parent.rmdir()
        # Remove the lock file before unlocking, so that no other process locks it just before its
        # removal.
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        self._file.close()
        self._lock.close()

    def _with_model_file(self, trial: EndedTrial) -> EndedTrial:
        """The trial, with its model in a file beside the journal."""
        if trial.model is None or not isinstance(trial.model.content, bytes):
            return trial
        path = model_path(self.path, trial.record.trial)
        try:
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as file:
                file.write(trial.model.content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            reason = f"cannot write {path}: {error.strerror or error}"
            return replace(trial, model=trial.model.without_content(reason))
        return replace(trial, model=replace(trial.model, content=path))

    def _remove_other_models(self) -> None:
        """Remove the model files of trials without a line: a process was killed between the two."""
        folder = model_path(self.path, "").parent
        if folder.is_dir():
            paths = (self.path, refused_path(self.path))
            keys = {trial.record.trial for path in paths for trial in read(path)}
            for file in folder.iterdir():
                if file.stem not in keys:
                    file.unlink(missing_ok=True)

    def _store_error(self, error: OSError) -> StoreError:
        return StoreError(f"cannot write the journal {self.path}: {error.strerror or error}")


def refused_path(path: Path) -> Path:
    """The file beside a journal with the trials that the store refuses."""
    return path.with_suffix(".refused.jsonl")


def model_path(path: Path, trial: str) -> Path:
    """The model file of a trial of a journal, or of the file of its refused trials."""
    return path.with_name(f"{path.name.partition('.')[0]}.models") / f"{trial}.safetensors"


def read(path: Path) -> Iterator[EndedTrial]:
    """The trials of a journal, even while another process has it open; none if there is no file."""
    try:
        for line, _ in _lines(path, 0, None):
            yield _decode(line, path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreError(f"cannot read the journal {path}: {error.strerror}") from error


def _encode(trial: EndedTrial, refused: str | None = None) -> bytes:
    hypervolume = json.dumps(float(trial.hypervolume))
    record = trial.record.model_dump_json(by_alias=True)
    model = f', "model": {trial.model.file.to_json()}' if trial.model else ""
    reason = f', "refused": {json.dumps(refused)}' if refused else ""
    text = f'{{"hypervolume": {hypervolume}, "record": {record}{model}{reason}}}'.encode()
    return b"%08x %s\n" % (crc32(text), text)


def _decode(text: bytes, path: Path) -> EndedTrial:
    document = json.loads(text)
    try:
        record = TrialRecord.from_document(document["record"])
        model = None
        if "model" in document:
            file = ModelFile.from_document(document["model"])
            model = TrialModel(file, model_path(path, record.trial) if file.kept else None)
        return EndedTrial(record, document["hypervolume"], model)
    except SpecError as error:
        raise StoreError(f"the journal {path} has a trial of another version: {error}") from error


def _lines(path: Path, start: int, end: int | None) -> Iterator[tuple[bytes, int]]:
    """The JSON of each undamaged line, and the offset after the line."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        for line in file:
            offset += len(line)
            if end is not None and offset > end:
                return
            checksum, _, text = line.rstrip(b"\n").partition(b" ")
            if checksum == b"%08x" % crc32(text):
                yield text, offset


def _lock(path: Path, sweep_id: str) -> IO[str]:
    """Lock a file; raises a `StoreError` that names the process which holds the lock."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                lock.close()
                time.sleep(0.001)
                continue
            lock.seek(0)
            holder = lock.read() or "another process"
            lock.close()
            raise one_writer(sweep_id, holder) from None
        # The previous holder may have removed the file after it was opened here.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
            return lock
        lock.close()


def _sync_folder(folder: Path) -> None:
    """Sync a folder to disk, so that the name of a new file survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
