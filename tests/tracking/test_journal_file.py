"""What a journal withstands: kills, torn lines, a disk that is full."""

import fcntl
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest

from paretoib.errors import StoreError
from paretoib.records import TrialRecord
from paretoib.tracking import EndedTrial
from paretoib.tracking._journal.file import JournalFile, read

FORK = multiprocessing.get_context("fork")


def ended(place: int) -> EndedTrial:
    """A trial that can be told from all others; two of three are large."""
    history = {"loss": (place / 3,) * (2000 if place % 3 else 1)}
    record = TrialRecord(trial=str(place), spec={}, status="failed", history=history)
    return EndedTrial(record, place / 7)


def write(path: Path, place: int, end: int, told: int) -> None:
    """Append packs of two trials, and tell after each how many are safe by now; then the error."""
    try:
        journal = JournalFile(path)
        while place < end:
            journal.append([ended(place), ended(place + 1)])
            place += 2
            os.write(told, f"{place}\n".encode())
    except StoreError as error:
        os.write(told, f"{error}\n".encode())


def begin(path: Path, place: int, end: int = 100_000) -> tuple[Any, TextIO]:
    """A process that does so, and what it tells."""
    heard, told = os.pipe()
    process = FORK.Process(target=write, args=(path, place, end, told))
    process.start()
    os.close(told)
    return process, os.fdopen(heard)


def whole(path: Path) -> int:
    """How many trials are there, each once, whole and in order."""
    found = list(read(path))
    assert found == [ended(place) for place in range(len(found))]
    return len(found)


def test_a_writer_killed_at_random_moments_loses_nothing_that_was_safe(tmp_path: Path) -> None:
    """Nor is anything there twice; the next writer goes on where it stood."""
    path = tmp_path / "sweep.jsonl"
    moments, there = random.Random(1), 0
    for _ in range(15):
        process, heard = begin(path, there)
        safe = int(heard.readline())
        time.sleep(moments.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        safe = int((heard.read().split() or [safe])[-1])
        process.join()
        there = whole(path)
        assert there >= safe


def test_of_a_torn_line_nothing_is_read(tmp_path: Path, record: Callable[..., TrialRecord]) -> None:
    """Wherever it is cut: what is before it stays, and what is added after it is read."""
    path = tmp_path / "sweep.jsonl"
    first, second, third = (
        EndedTrial(record(i).model_copy(update={"history": {"loss": (0.1, None)}}), i / 3)
        for i in range(3)
    )
    journal = JournalFile(path)
    journal.append([first])
    kept = path.stat().st_size
    journal.append([second])
    journal.close()
    whole = path.read_bytes()
    cuts = random.Random(0).sample(range(kept, len(whole) - 1), 100)
    for cut in [kept, kept + 1, len(whole) - 2, *cuts]:
        path.write_bytes(whole[:cut])
        journal = JournalFile(path)
        assert journal.waiting == 1
        journal.append([third])
        assert list(read(path)) == [first, third]
        assert journal.next(5)[0] == [first, third]
        journal.close()
    # The line's end is no part of the trial.
    path.write_bytes(whole[:-1])
    assert list(read(path)) == [first, second]


def test_of_a_line_with_a_wrong_byte_nothing_is_read(
    tmp_path: Path, record: Callable[..., TrialRecord]
) -> None:
    """A disk that has changed a digit has not changed a result."""
    path = tmp_path / "sweep.jsonl"
    journal = JournalFile(path)
    one, other = EndedTrial(record(0), 1.0), EndedTrial(record(1), 1.0)
    journal.append([one, other])
    journal.close()
    changed = path.read_bytes().replace(b'"seed":2', b'"seed":3', 1)
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    assert list(read(path)) == [other]


def test_a_full_disk_is_told_at_once_and_costs_nothing_that_was_safe(tmp_path: Path) -> None:
    """In one line with the file; with room again the next writer goes on.

    The disk is a file system of 150 kB in a name space of its own.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / "sweep.jsonl"
    mount = f"mount -t tmpfs -o size=150k tmpfs {disk}"
    alone = ["unshare", "--map-root-user", "--mount", "bash", "-ec"]
    if subprocess.run([*alone, mount], capture_output=True, check=False).returncode:
        pytest.skip("no right to make a small disk here")
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    program += f"from {Path(__file__).stem} import *; write(Path({str(path)!r}), 0, 1000, 1)"
    script = f'{mount}; "$0" -c "$1"; cp {path} {tmp_path}'
    out = subprocess.run(
        [*alone, script, sys.executable, program], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    *_, safe, message = out.splitlines()
    assert message == f"cannot write the journal {path}: No space left on device"
    shutil.move(tmp_path / path.name, path)
    assert whole(path) == int(safe) >= 4
    write(path, int(safe), int(safe) + 10, os.open(os.devnull, os.O_WRONLY))
    assert whole(path) == int(safe) + 10


def test_a_killed_writer_holds_nobody_up(tmp_path: Path) -> None:
    """Its lock goes with it; while it lives, others are told who it is."""
    path = tmp_path / "sweep.jsonl"
    process, heard = begin(path, 0)
    heard.readline()
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(StoreError, match=f"one writer at a time; found process {process.pid} on "):
        JournalFile(path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    journal = JournalFile(path)
    assert journal.waiting >= 2
    journal.close()


def test_one_who_looks_whether_a_journal_is_open_keeps_nobody_from_it(tmp_path: Path) -> None:
    """Looking takes the lock for a moment; a writer that comes in it waits."""
    path = tmp_path / "sweep.jsonl"
    look = path.with_suffix(".lock").open("a+")
    fcntl.flock(look, fcntl.LOCK_SH)
    threading.Timer(0.05, look.close).start()
    JournalFile(path).close()
    assert look.closed
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_open_and_close_a_journal_one_has_it_at_a_time(tmp_path: Path) -> None:
    """Whoever closes it removes it; what was removed just then locks nobody out, nor lets in."""
    path, alone = tmp_path / "sweep.jsonl", tmp_path / "alone"

    def have(times: int) -> None:
        while times:
            with suppress(StoreError):
                journal = JournalFile(path)
                alone.mkdir()
                alone.rmdir()
                journal.close()
                times -= 1

    many = [FORK.Process(target=have, args=(150,)) for _ in range(3)]
    for process in many:
        process.start()
    for process in many:
        process.join()
    assert [process.exitcode for process in many] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_journal_keeps_no_process_alive(tmp_path: Path) -> None:
    """A program that ends without closing its sweep ends, however long the store is away."""
    program = (
        "import sys; from pathlib import Path\n"
        "from paretoib.records import TrialRecord\n"
        "from paretoib.specs import SweepSpec\n"
        "from paretoib.tracking import EndedTrial, JournalTracker, MemoryTracker, StoreAwayError\n"
        "class Away(MemoryTracker):\n"
        "    def add(self, sweep_id, ended): raise StoreAwayError('away')\n"
        "tracker = JournalTracker(Away(), Path(sys.argv[1]))\n"
        "sweep = tracker.create(SweepSpec.from_document({'method': 'vib'}))\n"
        "record = TrialRecord(trial='a', spec={}, status='failed')\n"
        "tracker.add(sweep.id, [EndedTrial(record, 0.0)])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    (path,) = tmp_path.glob("*.jsonl")
    assert [one.record.trial for one in read(path)] == ["a"]
