"""The process tree and the state file of `paretoib serve`, with shell scripts as processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from paretoib.cli.serve import processes
from paretoib.cli.serve.processes import ProcessTree
from paretoib.cli.serve.state_file import State, StateFile, lock_state_file

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(state, role, script)` runs a shell script with a role; the fixture kills it later."""
    started = []

    def start_script(state: State, role: str, script: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, **ProcessTree(state.id).tag(role)}
        process = subprocess.Popen(
            ["sh", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start_script
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def state(tmp_path: Path) -> State:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return State("0123456789abcdef", os.getpid(), str(scratch))


def next_line(process: "subprocess.Popen[bytes]") -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def end(state: State) -> None:
    """End all processes of a state."""
    ProcessTree(state.id).end()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_processes_end_in_the_order_of_their_roles(
    state: State, start: Start, tmp_path: Path
) -> None:
    """The service first, MLflow last; each has ended before the next gets SIGTERM."""
    order = tmp_path / "order"
    for role in ("mlflow", "ray", "service"):
        script = f"trap 'sleep 0.3; echo {role} >> {order}; exit' TERM; echo up; sleep 60 & wait"
        assert next_line(start(state, role, script)) == "up"
    end(state)
    assert order.read_text().split() == ["service", "ray", "mlflow"]


def test_a_sweep_ends_before_ray(state: State, start: Start, tmp_path: Path) -> None:
    """The job is in another session below Ray; its Python process gets SIGTERM, not its shell."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/__init__.py").touch()
    (tmp_path / "jobs/sweep.py").write_text(
        "import signal, sys, time\n"
        "def close(*_): time.sleep(0.3); open('closed', 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, close)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    job = f"cd {tmp_path}; {sys.executable} -m jobs.sweep 00; sleep 1"
    on_sigterm = f"test -e {tmp_path}/closed && touch {tmp_path}/after; exit"
    ray = f"trap '{on_sigterm}' TERM; setsid sh -c '{job}' & wait"
    assert next_line(start(state, "ray", ray)) == "up"
    end(state)
    assert (tmp_path / "after").exists()


def test_a_process_without_a_tag_is_found_by_its_session(state: State, start: Start) -> None:
    """Workers of Ray overwrite their environment; they end with the other processes."""
    process = start(state, "ray", "env -i sh -c 'echo $$; exec sleep 60' & exec sleep 60")
    untagged = int(next_line(process))
    end(state)
    assert not alive(untagged)
    assert not alive(process.pid)


def test_a_process_that_does_not_end_is_killed(
    state: State, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ignores SIGTERM is killed, and so are the children of an ended process."""
    monkeypatch.setattr(processes, "_SHUTDOWN_SECONDS", {"service": 0.2, "job": 0.2, "ray": 0.2})
    ignoring = start(state, "ray", "trap '' TERM; sleep 60 & echo $!; wait; wait")
    child = int(next_line(ignoring))
    ended = start(state, "service", "sleep 60 & echo $!; exit")
    orphan = int(next_line(ended))
    end(state)
    assert not any(alive(pid) for pid in (ignoring.pid, child, orphan))


def test_other_processes_are_left_alone(state: State, start: Start) -> None:
    """Processes of another run, and processes without a tag."""
    other = State("fedcba9876543210", 1, "")
    other_run = start(other, "service", "echo up; exec sleep 60")
    untagged = subprocess.Popen(["sleep", "60"])
    try:
        assert next_line(other_run) == "up"
        end(state)
        assert other_run.poll() is None
        assert untagged.poll() is None
    finally:
        untagged.kill()
        untagged.wait()


HOLD_LOCK = """
import dataclasses, sys, time
from pathlib import Path
from paretoib.cli.serve.state_file import State, lock_state_file
with lock_state_file(Path(sys.argv[1])) as file:
    state = State("0123456789abcdef", 7, sys.argv[2])
    file.write(state)
    print("starting", flush=True)
    sys.stdin.readline()
    file.write(dataclasses.replace(state, addresses={"service": "http://there"}))
    time.sleep(60)
"""


@pytest.fixture
def lock_holder(tmp_path: Path, state: State) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock; it writes its addresses when its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, tmp_path / "store/serve.json", state.scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_waits_for_the_addresses_of_the_first(
    tmp_path: Path, lock_holder: "subprocess.Popen[str]"
) -> None:
    """It gets the state of the first instead of the lock; only the owner may read the file."""
    path = tmp_path / "store/serve.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert lock_holder.stdin is not None
    Timer(0.5, lock_holder.stdin.close).start()
    with lock_state_file(path) as state:
        assert isinstance(state, State)
        assert state.addresses == {"service": "http://there"}
        assert state.pid == 7


def test_the_lock_of_a_killed_process_is_free(
    tmp_path: Path, state: State, start: Start, lock_holder: "subprocess.Popen[str]"
) -> None:
    """The next process gets the lock, ends the remaining processes, deletes the temp directory."""
    process = start(state, "ray", "echo up; exec sleep 60")
    assert next_line(process) == "up"
    lock_holder.kill()
    with lock_state_file(tmp_path / "store/serve.json") as file:
        assert isinstance(file, StateFile)
        file.clear()
    assert not alive(process.pid)
    assert not Path(state.scratch).exists()
    assert (tmp_path / "store/serve.json").read_text() == ""


def test_a_broken_file_is_treated_as_empty(tmp_path: Path) -> None:
    """A process may be killed while it writes the file."""
    path = tmp_path / "serve.json"
    path.write_text('{"id": "01')
    began = time.monotonic()
    with lock_state_file(path) as file:
        assert isinstance(file, StateFile)
        file.clear()
    assert time.monotonic() - began < 5
