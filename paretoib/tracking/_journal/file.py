"""Ended trials of one sweep on this machine's disk, until the store has them.

A line a trial: the CRC-32 of what follows, then JSON. What a kill or a full disk has torn is
recognised by its checksum and skipped. An append starts on a new line, so that what was torn
before it tears nothing else.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO
from zlib import crc32

from paretoib.errors import SpecError, StoreError
from paretoib.records import TrialRecord
from paretoib.tracking._lookup import one_writer
from paretoib.tracking._tracker import EndedTrial

# Seconds in which whoever looks whether a journal is locked has let go of the lock.
LOOKING = 0.5


class JournalFile:
    """The journal of a sweep, open in one process at a time; `waiting` trials are in it.

    The lock is the kernel's, on a file of its own: it goes with the process, however that ends.
    Raises `StoreError` where the file cannot be written, and where another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path.with_suffix(".lock"), path.stem)
            self._file = path.open("ab", buffering=0)
            _sync_folder(path.parent)
        except OSError as error:
            raise self._failure(error) from error
        self._start, self._end = 0, self._file.tell()
        self.waiting = sum(1 for _ in _lines(path, 0, self._end))

    def append(self, ended: Sequence[EndedTrial]) -> None:
        """Add trials; they are on the disk when this returns, or else none of them is there."""
        rest = memoryview(b"".join([b"\n", *map(_line, ended)]))
        size = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise self._failure(error) from error
        self._end += size
        self.waiting += len(ended)

    def next(self, count: int) -> tuple[list[EndedTrial], int]:
        """The next trials that wait, `count` at most, and the place after them."""
        lines = list(islice(_lines(self.path, self._start, self._end), count))
        return [_ended(line, self.path) for line, _ in lines], lines[-1][1]

    def written(self, count: int, place: int) -> None:
        """The store has `count` more trials, those up to this place."""
        self._start = place
        self.waiting -= count
        if not self.waiting:
            # Were this lost, the trials would be offered again, and the store knows them.
            self._file.truncate(0)
            self._start = self._end = 0

    def close(self) -> None:
        """Let other processes have it; without a trial in it, it is removed."""
        if not self.waiting:
            self.path.unlink(missing_ok=True)
        # As long as it is locked, so that nobody locks a file that is about to go.
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        self._file.close()
        self._lock.close()

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(f"cannot write the journal {self.path}: {error.strerror or error}")


def read(path: Path) -> Iterator[EndedTrial]:
    """All trials of a journal, also of one that another process has open, or that is not there."""
    try:
        for line, _ in _lines(path, 0, None):
            yield _ended(line, path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreError(f"cannot read the journal {path}: {error.strerror}") from error


def _line(ended: EndedTrial) -> bytes:
    hypervolume = json.dumps(float(ended.hypervolume))
    record = ended.record.model_dump_json(by_alias=True)
    text = f'{{"hypervolume": {hypervolume}, "record": {record}}}'.encode()
    return b"%08x %s\n" % (crc32(text), text)


def _lines(path: Path, start: int, end: int | None) -> Iterator[tuple[bytes, int]]:
    """The JSON of each whole line, and where the line ends."""
    with path.open("rb") as file:
        file.seek(start)
        place = start
        for line in file:
            place += len(line)
            if end is not None and place > end:
                return
            checksum, _, text = line.rstrip(b"\n").partition(b" ")
            if checksum == b"%08x" % crc32(text):
                yield text, place


def _ended(text: bytes, path: Path) -> EndedTrial:
    document = json.loads(text)
    try:
        return EndedTrial(TrialRecord.from_document(document["record"]), document["hypervolume"])
    except SpecError as error:
        raise StoreError(f"the journal {path} has a trial of another version: {error}") from error


def _locked(path: Path, sweep_id: str) -> IO[str]:
    deadline = time.monotonic() + LOOKING
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
        # Its last holder may have removed it just before it could be locked.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
            return lock
        lock.close()


def _sync_folder(folder: Path) -> None:
    """See to it that a new file's name, too, is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
