"""`paretoib serve`: MLflow, Ray and the service as one, started and ended for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paretoib.cli.serve import command, supervisor
from paretoib.cli.serve.state_file import ProcessTree, State, end
from paretoib.settings import settings

PATIENCE = 240  # seconds; Ray takes long to start on a busy machine

SWEEP = {
    "method": "vib",
    "name": "served",
    "model": {"name": "mlp", "hidden": [16], "latent": 4},
    "training": {"epochs": 2},
    "grid": {"beta": [0.01, 0.1]},
}


@dataclass
class Serving:
    """One that runs on a store, with all that it has shown."""

    store: Path
    process: "subprocess.Popen[str]"
    document: dict[str, Any]

    @property
    def state(self) -> State:
        """What its file says."""
        return State(**json.loads((self.store / "serve.json").read_text()))

    def ask(self, path: str, token: str | None = "write", body: Any = None) -> tuple[int, Any]:
        """A GET or, with a body, a POST; the status, and the answer's JSON."""
        shown = {"Authorization": f"Bearer {self.document['tokens'][token]}"} if token else {}
        request = urllib.request.Request(
            self.document["addresses"]["service"] + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **shown},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)


def begin(store: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`paretoib serve` on a store."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("paretoib"), "serve", "--json", *arguments],
        env={**os.environ, "PARETOIB_STORE": str(store), "PARETOIB_WORKERS": "1"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def served(store: Path, *arguments: str) -> Serving:
    """One that has shown where everything answers."""
    process = begin(store, *arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return Serving(store, process, json.loads("".join(lines)))


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """The exit code of one that ends, and what it wrote since."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def processes(state: State) -> dict[int, bytes]:
    """What works for it: command lines by process."""
    found = {}
    for process in ProcessTree(state).alive():
        try:
            found[process.pid] = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for all tests that leave it running."""
    with cleared(served(tmp_path_factory.mktemp("served") / "store")) as found:
        yield found


@contextmanager
def cleared(serving: Serving) -> Iterator[Serving]:
    """Leave nothing of it, whatever came of the test."""
    state = serving.state
    try:
        yield serving
    finally:
        serving.process.terminate()
        serving.process.wait(PATIENCE)
        end(state)


def test_everything_answers(serving: Serving) -> None:
    """The service says that it reaches MLflow and Ray; MLflow has its pages where it is said."""
    assert serving.ask("/readyz") == (200, {"mlflow": "ok", "ray": "ok"})
    with urllib.request.urlopen(serving.document["addresses"]["mlflow"] + "/health") as answer:
        assert answer.status == 200


def test_the_tokens_open_what_they_should(serving: Serving) -> None:
    """One reads, the other writes too, and without any there is nothing to be had."""
    assert serving.ask("/sweeps", token=None)[0] == 401
    assert serving.ask("/sweeps", token="read")[0] == 200
    assert serving.ask("/sweeps", token="read", body=SWEEP)[0] == 403
    assert serving.ask("/sweeps", token="write", body={})[0] != 403


def test_nobody_is_told_the_tokens(serving: Serving) -> None:
    """They are in no file, no command line and no environment; the state is its owner's alone."""
    secrets = [token.encode() for token in serving.document["tokens"].values()]
    files = [path for path in serving.store.rglob("*") if path.is_file()]
    seen = [path.read_bytes() for path in files]
    for pid, line in processes(serving.state).items():
        seen += [line, Path(f"/proc/{pid}/environ").read_bytes()]
    assert len(seen) > 10
    assert not any(secret in text for secret in secrets for text in seen)
    assert (serving.store / "serve.json").stat().st_mode & 0o777 == 0o600


def test_ray_asks_for_a_token_too(serving: Serving) -> None:
    """Its Jobs API runs any command, so that loopback alone is not enough."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(serving.document["addresses"]["ray"] + "/api/jobs/")


def test_it_all_listens_on_loopback(serving: Serving) -> None:
    """Every port that any of its processes has opened."""
    sockets = set()
    for pid in processes(serving.state):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(str(entry.readlink()))
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == "0A" and f"socket:[{inode}]" in sockets:
                listening.append(local.partition(":")[0])
    assert len(listening) > 5
    assert set(listening) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_a_second_one_shows_the_first(serving: Serving) -> None:
    """It starts nothing, and has no tokens to show."""
    before = set(processes(serving.state))
    code, out, err = ended(begin(serving.store))
    assert code == 0
    assert json.loads(out) == {**serving.document, "tokens": {}}
    assert err == f"runs already, as process {serving.process.pid}, which has shown the tokens\n"
    now = processes(serving.state)
    # Ray has more or fewer idle workers as it sees fit.
    assert all(b"/default_worker.py" in now[p] or b"ray::" in now[p] for p in now.keys() - before)


def test_sigterm_ends_all_of_it(serving: Serving) -> None:
    """Quietly, with nothing left of its processes, its state or its folder for Ray."""
    state = serving.state
    assert any(b"gcs_server" in command for command in processes(state).values())
    serving.process.send_signal(signal.SIGTERM)
    assert ended(serving.process) == (0, "", "Ctrl-C ends all of it\n")
    assert processes(state) == {}
    assert not Path(state.scratch).exists()
    assert (serving.store / "serve.json").read_text() == ""


@pytest.mark.slow
def test_what_a_kill_left_is_ended_by_the_next(tmp_path: Path) -> None:
    """The sweep that ran is then interrupted, and runs to its end when it is resumed."""
    with cleared(served(tmp_path / "store")) as first:
        state = first.state
        sweep = first.ask("/sweeps", body=SWEEP)[1]["id"]
        wait_for(lambda: any(b"jobs.sweep" in line for line in processes(state).values()))
        first.process.kill()
        first.process.wait()
        assert processes(state)
        with cleared(served(tmp_path / "store")) as second:
            assert processes(state) == {}
            assert second.state.id != state.id
            where = f"/sweeps/{sweep}"
            wait_for(lambda: second.ask(where)[1]["status"] == "interrupted")
            wait_for(lambda: second.ask(f"{where}/resume", body={})[0] == 202)
            wait_for(lambda: second.ask(where)[1]["status"] == "finished")
            assert len(second.ask(f"{where}/front")[1]["points"]) == 2
    # Where a plain `paretoib resume` on the store looks for what MLflow does not have yet.
    assert (tmp_path / "store" / "journal").is_dir()


@pytest.mark.slow
def test_when_one_part_ends_all_do(tmp_path: Path) -> None:
    """It says which, and nothing is left."""
    with cleared(served(tmp_path / "store", "--no-auth")) as serving:
        assert serving.document["tokens"] == {}
        assert serving.ask("/sweeps", token=None)[0] == 200
        for pid, command in processes(serving.state).items():
            if b"mlflow" in command:
                os.kill(pid, signal.SIGKILL)
        state = serving.state
        code, _, err = ended(serving.process)
        assert code == 1
        assert "error: mlflow ended by itself (exit code -9), so the others were ended" in err
        assert processes(state) == {}


def test_the_tokens_come_with_what_to_do_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that goes to this very service; without new tokens there is none to set."""
    address = {"service": "http://127.0.0.1:8001"}
    command._show(address, {"read": "paretoib_r", "write": "paretoib_w"}, as_json=False)
    out = capsys.readouterr().out
    assert "PARETOIB_TOKEN" in out.splitlines()[-2]
    assert out.splitlines()[-1] == "paretoib sweep --server http://127.0.0.1:8001"
    command._show(address, {}, as_json=False)
    assert capsys.readouterr().out == "service  http://127.0.0.1:8001\n"


def test_the_parts_know_nothing_of_another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its address nor its token is handed on to what runs sweeps."""
    monkeypatch.setenv("PARETOIB_SERVER", "https://elsewhere.example")
    monkeypatch.setenv("PARETOIB_TOKEN", "another's")
    settings.cache_clear()
    addresses = dict.fromkeys(("service", "mlflow", "ray"), "http://127.0.0.1:1")
    environment = supervisor._environment(addresses, addresses["mlflow"], True, {})
    settings.cache_clear()
    assert {"PARETOIB_SERVER", "PARETOIB_TOKEN"}.isdisjoint(environment)
    assert "PARETOIB_STORE" in environment


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    """A store that is no folder, and a port that was asked for and that another has."""
    (tmp_path / "file").touch()
    rule = "should be a folder, not a file"
    refused = f"error: setting PARETOIB_STORE: {rule}; found '{tmp_path}/file'\n"
    assert ended(begin(tmp_path / "file")) == (2, "", refused)
    refused = f"error: cannot write {tmp_path}/file/below/serve.json: Not a directory\n"
    assert ended(begin(tmp_path / "file" / "below")) == (2, "", refused)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = f"error: --port should be a free one; {port} is taken\n"
        assert ended(begin(tmp_path / "store", "--port", str(port))) == (2, "", refused)


def wait_for(condition: Callable[[], object]) -> None:
    """Until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
