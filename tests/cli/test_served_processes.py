"""How `paretoib serve` finds and ends what it has started: on processes that do little."""

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
from paretoib.cli.serve.state_file import MARK, Claim, State, claimed, end

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(state, role, script)` runs a shell script as a part; none outlives the test."""
    started = []

    def begin(state: State, role: str, script: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, MARK: state.mark(role)}
        part = subprocess.Popen(
            ["sh", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(part)
        return part

    yield begin
    for part in started:
        if part.poll() is None:
            os.killpg(part.pid, signal.SIGKILL)
        part.communicate()


@pytest.fixture
def state(tmp_path: Path) -> State:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return State("0123456789abcdef", os.getpid(), str(scratch))


def said(part: "subprocess.Popen[bytes]") -> str:
    """The next line of a part."""
    assert part.stdout is not None
    return part.stdout.readline().decode().strip()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_they_end_in_the_order_in_which_they_need_each_other(
    state: State, start: Start, tmp_path: Path
) -> None:
    """The service first, MLflow last; each is done before the next is told."""
    order = tmp_path / "order"
    for role in ("mlflow", "ray", "service"):
        script = f"trap 'sleep 0.3; echo {role} >> {order}; exit' TERM; echo up; sleep 60 & wait"
        assert said(start(state, role, script)) == "up"
    end(state)
    assert order.read_text().split() == ["service", "ray", "mlflow"]


def test_a_sweep_is_told_before_ray_is(state: State, start: Start, tmp_path: Path) -> None:
    """Its job is a session of its own below Ray; not its shell but the program itself is told."""
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
    heard = f"test -e {tmp_path}/closed && touch {tmp_path}/after; exit"
    ray = f"trap '{heard}' TERM; setsid sh -c '{job}' & wait"
    assert said(start(state, "ray", ray)) == "up"
    end(state)
    assert (tmp_path / "after").exists()


def test_what_has_no_mark_is_found_by_its_session(state: State, start: Start) -> None:
    """As Ray's workers, which write over their environment: they go with their part."""
    part = start(state, "ray", "env -i sh -c 'echo $$; exec sleep 60' & exec sleep 60")
    unmarked = int(said(part))
    end(state)
    assert not alive(unmarked)
    assert not alive(part.pid)


def test_what_does_not_end_is_killed(
    state: State, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time; and so is what it leaves behind."""
    monkeypatch.setattr(state_file, "_PATIENCE", {"service": 0.2, "job": 0.2, "ray": 0.2})
    deaf = start(state, "ray", "trap '' TERM; sleep 60 & echo $!; wait; wait")
    child = int(said(deaf))
    leaving = start(state, "service", "sleep 60 & echo $!; exit")
    left = int(said(leaving))
    end(state)
    assert not any(alive(pid) for pid in (deaf.pid, child, left))


def test_others_are_left_alone(state: State, start: Start) -> None:
    """Those of another store, and those that have nothing to do with any."""
    other = State("fedcba9876543210", 1, "")
    theirs = start(other, "service", "echo up; exec sleep 60")
    nobodys = subprocess.Popen(["sleep", "60"])
    try:
        assert said(theirs) == "up"
        end(state)
        assert theirs.poll() is None
        assert nobodys.poll() is None
    finally:
        nobodys.kill()
        nobodys.wait()


HOLD = """
import dataclasses, sys, time
from pathlib import Path
from paretoib.cli.serve.state_file import State, claimed
with claimed(Path(sys.argv[1])) as claim:
    state = State("0123456789abcdef", 7, sys.argv[2])
    claim.write(state)
    print("starting", flush=True)
    sys.stdin.readline()
    claim.write(dataclasses.replace(state, addresses={"service": "http://there"}))
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path, state: State) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the state file and is still starting."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "store/serve.json", state.scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_one_waits_for_the_first_and_sees_where_it_is(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    """What it then gets is no claim; and the file is for the user's own eyes."""
    path = tmp_path / "store/serve.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert holder.stdin is not None
    Timer(0.5, holder.stdin.close).start()
    with claimed(path) as found:
        assert isinstance(found, State)
        assert found.addresses == {"service": "http://there"}
        assert found.pid == 7


def test_one_that_was_killed_leaves_a_claim_and_its_processes(
    tmp_path: Path, state: State, start: Start, holder: "subprocess.Popen[str]"
) -> None:
    """The next one gets the file, ends what is left, and removes its folder."""
    part = start(state, "ray", "echo up; exec sleep 60")
    assert said(part) == "up"
    holder.kill()
    with claimed(tmp_path / "store/serve.json") as found:
        assert isinstance(found, Claim)
        found.clear()
    assert not alive(part.pid)
    assert not Path(state.scratch).exists()
    assert (tmp_path / "store/serve.json").read_text() == ""


def test_a_broken_file_is_no_obstacle(tmp_path: Path) -> None:
    """It tells of nothing, as if it were empty."""
    path = tmp_path / "serve.json"
    path.write_text('{"id": "01')
    began = time.monotonic()
    with claimed(path) as found:
        assert isinstance(found, Claim)
        found.clear()
    assert time.monotonic() - began < 5
