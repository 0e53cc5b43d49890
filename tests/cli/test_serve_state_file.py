"""The state file of `paretoib serve`, and the order in which its processes are ended.

In these tests shell scripts replace MLflow, Ray and the service.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from paretoib.cli.serve import state_file
from paretoib.cli.serve.state_file import ServeState, StateFile, end, locked_state_file

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(state, role, script)` runs a shell script as a process of this role."""
    started = []

    def start_script(state: ServeState, role: str, script: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, **state.environment(role)}
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
def state(tmp_path: Path) -> ServeState:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return ServeState("0123456789abcdef", os.getpid(), str(scratch))


def read_line(process: "subprocess.Popen[bytes]") -> str:
    """The next line of a process's stdout."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_processes_end_before_the_processes_that_they_need(
    state: ServeState, start: Start, tmp_path: Path
) -> None:
    """The service has ended before Ray gets SIGTERM, and Ray has ended before MLflow gets it."""
    order = tmp_path / "order"
    for role in ("mlflow", "ray", "service"):
        script = f"trap 'sleep 0.3; echo {role} >> {order}; exit' TERM; echo up; sleep 60 & wait"
        assert read_line(start(state, role, script)) == "up"
    end(state)
    assert order.read_text().split() == ["service", "ray", "mlflow"]


def test_a_job_gets_sigterm_before_ray(state: ServeState, start: Start, tmp_path: Path) -> None:
    """A job, which has its own session, has ended its sweep before Ray gets SIGTERM.

    SIGTERM goes to the Python process of the job, not to its shell.
    """
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
    assert read_line(start(state, "ray", ray)) == "up"
    end(state)
    assert (tmp_path / "after").exists()


def test_a_process_without_the_id_is_found_by_its_session(state: ServeState, start: Start) -> None:
    """A worker of Ray overwrites its environment, and so loses the id of the state.

    It is found because it is in the same session as its parent.
    """
    ray = start(state, "ray", "env -i sh -c 'echo $$; exec sleep 60' & exec sleep 60")
    worker = int(read_line(ray))
    end(state)
    assert not alive(worker)
    assert not alive(ray.pid)


def test_a_process_that_ignores_sigterm_is_killed(
    state: ServeState, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ignores SIGTERM is killed with its children.

    Orphans of a process that has ended are killed too.
    """
    seconds = {"service": 0.2, "job": 0.2, "ray": 0.2}
    monkeypatch.setattr(state_file, "_TERMINATION_SECONDS", seconds)
    ignoring = start(state, "ray", "trap '' TERM; sleep 60 & echo $!; wait; wait")
    child = int(read_line(ignoring))
    parent = start(state, "service", "sleep 60 & echo $!; exit")
    orphan = int(read_line(parent))
    end(state)
    assert not any(alive(pid) for pid in (ignoring.pid, child, orphan))


def test_other_processes_keep_running(state: ServeState, start: Start) -> None:
    """`end` sends no signal to the processes of another state or to unrelated processes."""
    other_state = ServeState("fedcba9876543210", 1, "")
    other_service = start(other_state, "service", "echo up; exec sleep 60")
    unrelated = subprocess.Popen(["sleep", "60"])
    try:
        assert read_line(other_service) == "up"
        end(state)
        assert other_service.poll() is None
        assert unrelated.poll() is None
    finally:
        unrelated.kill()
        unrelated.wait()


# A program that locks the state file, and writes a state without addresses into it. When the
# program's stdin closes, the program adds the addresses.
LOCK_HOLDER = """
import dataclasses, sys, time
from pathlib import Path
from paretoib.cli.serve.state_file import ServeState, locked_state_file
with locked_state_file(Path(sys.argv[1])) as file:
    state = ServeState("0123456789abcdef", 7, sys.argv[2])
    file.write(state)
    print("starting", flush=True)
    sys.stdin.readline()
    file.write(dataclasses.replace(state, addresses={"service": "http://there"}))
    time.sleep(60)
"""


@pytest.fixture
def lock_holder(tmp_path: Path, state: ServeState) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has locked the state file and has not written its addresses yet."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK_HOLDER, tmp_path / "store/serve.json", state.scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_serve_waits_for_the_addresses_of_the_first(
    tmp_path: Path, lock_holder: "subprocess.Popen[str]"
) -> None:
    """The second `serve` waits, and gets the state of the first one instead of the lock.

    Only the owner of the state file can read it.
    """
    path = tmp_path / "store/serve.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert lock_holder.stdin is not None
    Timer(0.5, lock_holder.stdin.close).start()
    with locked_state_file(path) as file:
        assert isinstance(file, ServeState)
        assert file.addresses == {"service": "http://there"}
        assert file.pid == 7


def test_the_next_serve_cleans_up_after_a_killed_one(
    tmp_path: Path, state: ServeState, start: Start, lock_holder: "subprocess.Popen[str]"
) -> None:
    """The next `serve` gets the lock; `clear` ends the old processes and deletes Ray's folder."""
    ray = start(state, "ray", "echo up; exec sleep 60")
    assert read_line(ray) == "up"
    lock_holder.kill()
    with locked_state_file(tmp_path / "store/serve.json") as file:
        assert isinstance(file, StateFile)
        file.clear()
    assert not alive(ray.pid)
    assert not Path(state.scratch).exists()
    assert (tmp_path / "store/serve.json").read_text() == ""


def test_a_broken_state_file_counts_as_empty(tmp_path: Path) -> None:
    """An incomplete state file, left by a killed process, does not block the next start."""
    path = tmp_path / "serve.json"
    path.write_text('{"id": "01')
    began = time.monotonic()
    with locked_state_file(path) as file:
        assert isinstance(file, StateFile)
        file.clear()
    assert time.monotonic() - began < 5
