"""The file of a journal whose writer was killed, with damaged lines, and on a full disk."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest

from paretoib.errors import StoreError
from paretoib.records import ModelFile, TrialRecord
from paretoib.tracking import EndedTrial, TrialModel
from paretoib.tracking._journal.file import JournalFile, read

FORK = multiprocessing.get_context("fork")


def ended_trial(number: int) -> EndedTrial:
    """A trial whose record depends on `number`; two of three have a long history."""
    history = {"loss": (number / 3,) * (2000 if number % 3 else 1)}
    record = TrialRecord(trial=str(number), spec={}, status="failed", history=history)
    return EndedTrial(record, number / 7)


def trial_with_model(number: int) -> EndedTrial:
    """A trial as `ended_trial`, of which every second one has a model file."""
    trial = ended_trial(number)
    if number % 2:
        return trial
    content = f"model {number} ".encode() * 1000
    model = TrialModel(ModelFile(trial=str(number), bytes=len(content)), content)
    return replace(trial, model=model)


def in_memory(trial: EndedTrial) -> EndedTrial:
    """The trial, with the content of its model file."""
    if trial.model is None or not isinstance(trial.model.content, Path):
        return trial
    return replace(trial, model=replace(trial.model, content=trial.model.content.read_bytes()))


def append_packs(
    path: Path,
    start: int,
    end: int,
    pipe: int,
    new_trial: Callable[[int], EndedTrial] = ended_trial,
) -> None:
    """Append packs of two trials, from trial number `start` to `end`.

    After each pack the number of trials on disk is written to `pipe`; after an error, its message.
    """
    try:
        journal = JournalFile(path)
        for count in range(start, end, 2):
            journal.append([new_trial(count), new_trial(count + 1)])
            os.write(pipe, f"{count + 2}\n".encode())
    except StoreError as error:
        os.write(pipe, f"{error}\n".encode())


def start_writer(path: Path, start: int, end: int = 100_000) -> tuple[Any, TextIO]:
    """Start a process with `append_packs`; returns the process and the output of its pipe."""
    output, pipe = os.pipe()
    process = FORK.Process(target=append_packs, args=(path, start, end, pipe, trial_with_model))
    process.start()
    os.close(pipe)
    return process, os.fdopen(output)


def checked_count(path: Path, trial: Callable[[int], EndedTrial] = ended_trial) -> int:
    """The number of trials in the file, after a check that each is complete and in order."""
    found = list(map(in_memory, read(path)))
    assert found == [trial(number) for number in range(len(found))]
    return len(found)


def test_a_writer_killed_at_random_moments_loses_no_trial_on_disk(tmp_path: Path) -> None:
    """After a kill, the next writer continues after the last complete trial.

    The file has every trial that was on disk, and no trial twice. Each has its model file.
    """
    path = tmp_path / "sweep.jsonl"
    moments, count = random.Random(1), 0
    for _ in range(15):
        process, output = start_writer(path, count)
        on_disk = int(output.readline())
        time.sleep(moments.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        on_disk = int((output.read().split() or [on_disk])[-1])
        process.join()
        count = checked_count(path, trial_with_model)
        assert count >= on_disk


def test_a_cut_line_is_skipped(tmp_path: Path, record: Callable[..., TrialRecord]) -> None:
    """Wherever a line is cut, the trials before it and after it are read."""
    path = tmp_path / "sweep.jsonl"
    first, second, third = (
        EndedTrial(record(i).model_copy(update={"history": {"loss": (0.1, None)}}), i / 3)
        for i in range(3)
    )
    journal = JournalFile(path)
    journal.append([first])
    size = path.stat().st_size
    journal.append([second])
    journal.close()
    content = path.read_bytes()
    cuts = random.Random(0).sample(range(size, len(content) - 1), 100)
    for cut in [size, size + 1, len(content) - 2, *cuts]:
        path.write_bytes(content[:cut])
        journal = JournalFile(path)
        assert journal.waiting == 1
        journal.append([third])
        assert list(read(path)) == [first, third]
        assert journal.next(5)[0] == [first, third]
        journal.close()
    # A line is complete without its newline.
    path.write_bytes(content[:-1])
    assert list(read(path)) == [first, second]


def test_a_line_with_a_damaged_byte_is_skipped(
    tmp_path: Path, record: Callable[..., TrialRecord]
) -> None:
    """A line with a changed digit fails its checksum, so that it cannot change a result."""
    path = tmp_path / "sweep.jsonl"
    journal = JournalFile(path)
    first, second = EndedTrial(record(0), 1.0), EndedTrial(record(1), 1.0)
    journal.append([first, second])
    journal.close()
    changed = path.read_bytes().replace(b'"seed":2', b'"seed":3', 1)
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    assert list(read(path)) == [second]


def test_a_full_disk_is_an_error_and_loses_no_trial_on_disk(tmp_path: Path) -> None:
    """On a full disk, the error names the file. When space is free, the next writer continues.

    The disk is a file system of 150 kB, mounted in a separate namespace.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / "sweep.jsonl"
    mount = f"mount -t tmpfs -o size=150k tmpfs {disk}"
    namespace = ["unshare", "--map-root-user", "--mount", "bash", "-ec"]
    if subprocess.run([*namespace, mount], capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    program += f"from {Path(__file__).stem} import *; append_packs(Path({str(path)!r}), 0, 1000, 1)"
    script = f'{mount}; "$0" -c "$1"; cp {path} {tmp_path}'
    out = subprocess.run(
        [*namespace, script, sys.executable, program], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    *_, on_disk, message = out.splitlines()
    assert message == f"cannot write the journal {path}: No space left on device"
    shutil.move(tmp_path / path.name, path)
    count = int(on_disk)
    assert checked_count(path) == count >= 4
    append_packs(path, count, count + 10, os.open(os.devnull, os.O_WRONLY))
    assert checked_count(path) == count + 10


def test_the_lock_of_a_killed_writer_is_released(tmp_path: Path) -> None:
    """While the first writer lives, the second one gets an error with the first one's process id.

    After a kill of the first writer, the second one gets the lock.
    """
    path = tmp_path / "sweep.jsonl"
    process, output = start_writer(path, 0)
    output.readline()
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(StoreError, match=f"one writer at a time; found process {process.pid} on "):
        JournalFile(path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    journal = JournalFile(path)
    assert journal.waiting >= 2
    journal.close()


def test_a_writer_waits_for_a_reader_that_tests_the_lock(tmp_path: Path) -> None:
    """A reader that tests the lock holds it for a moment, and a writer waits that long."""
    path = tmp_path / "sweep.jsonl"
    lock = path.with_suffix(".lock").open("a+")
    fcntl.flock(lock, fcntl.LOCK_SH)
    threading.Timer(0.05, lock.close).start()
    JournalFile(path).close()
    assert lock.closed
    assert list(tmp_path.iterdir()) == []


def test_only_one_process_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    """No two processes hold the lock, although each removes the lock file while others open it."""
    path, held = tmp_path / "sweep.jsonl", tmp_path / "held"

    def open_and_close(times: int) -> None:
        while times:
            with suppress(StoreError):
                journal = JournalFile(path)
                held.mkdir()  # raises if another process holds the lock too
                held.rmdir()
                journal.close()
                times -= 1

    processes = [FORK.Process(target=open_and_close, args=(150,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_journal_keeps_no_process_alive(tmp_path: Path) -> None:
    """A program that does not close its sweep still ends, although the store is unavailable."""
    program = (
        "import sys; from pathlib import Path\n"
        "from paretoib.records import TrialRecord\n"
        "from paretoib.specs import SweepSpec\n"
        "from paretoib.errors import StoreUnavailableError\n"
        "from paretoib.tracking import EndedTrial, JournalTracker, MemoryTracker\n"
        "class Unavailable(MemoryTracker):\n"
        "    def add(self, sweep_id, ended): raise StoreUnavailableError('unavailable')\n"
        "tracker = JournalTracker(Unavailable(), Path(sys.argv[1]))\n"
        "sweep = tracker.create(SweepSpec.from_document({'method': 'vib'}))\n"
        "record = TrialRecord(trial='a', spec={}, status='failed')\n"
        "tracker.add(sweep.id, [EndedTrial(record, 0.0)])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    (path,) = tmp_path.glob("*.jsonl")
    assert [trial.record.trial for trial in read(path)] == ["a"]
