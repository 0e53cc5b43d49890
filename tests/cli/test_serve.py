"""`paretoib serve` with real processes of MLflow, Ray and the service."""

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
from paretoib.cli.serve.state_file import ProcessTree, ServeState, end
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
    """A running `paretoib serve`; `document` is the JSON that it has printed."""

    store: Path
    process: "subprocess.Popen[str]"
    document: dict[str, Any]

    @property
    def state(self) -> ServeState:
        """The content of the state file."""
        return ServeState(**json.loads((self.store / "serve.json").read_text()))

    def request(self, path: str, token: str | None = "write", body: Any = None) -> tuple[int, Any]:
        """Send a GET, or a POST if there is a body; returns the status and the JSON answer."""
        headers = {"Authorization": f"Bearer {self.document['tokens'][token]}"} if token else {}
        request = urllib.request.Request(
            self.document["addresses"]["service"] + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)


def start_serve(store: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start `paretoib serve --json` on a store."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("paretoib"), "serve", "--json", *arguments],
        env={**os.environ, "PARETOIB_STORE": str(store), "PARETOIB_WORKERS": "1"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def serve_until_ready(store: Path, *arguments: str) -> Serving:
    """Start `paretoib serve`, and wait until it has printed its addresses."""
    process = start_serve(store, *arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return Serving(store, process, json.loads("".join(lines)))


def result(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for a process; returns its exit code and the rest of its stdout and stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def processes(state: ServeState) -> dict[int, bytes]:
    """The command line of each process of a `paretoib serve`, by process id."""
    commands = {}
    for process in ProcessTree(state).alive():
        try:
            commands[process.pid] = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
    return commands


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `paretoib serve` for several tests; `test_sigterm_ends_everything` ends it."""
    with ended_afterwards(serve_until_ready(tmp_path_factory.mktemp("serve") / "store")) as serving:
        yield serving


@contextmanager
def ended_afterwards(serving: Serving) -> Iterator[Serving]:
    """End all processes of a `paretoib serve` after the block, however the block ends."""
    state = serving.state
    try:
        yield serving
    finally:
        serving.process.terminate()
        serving.process.wait(PATIENCE)
        end(state)


def test_the_service_and_mlflow_answer(serving: Serving) -> None:
    """The service reaches MLflow and Ray, and MLflow answers at the printed address."""
    assert serving.request("/readyz") == (200, {"mlflow": "ok", "ray": "ok"})
    with urllib.request.urlopen(serving.document["addresses"]["mlflow"] + "/health") as answer:
        assert answer.status == 200


def test_the_tokens_have_their_scopes(serving: Serving) -> None:
    """Token `read` may not submit, token `write` may; a request without a token is refused."""
    assert serving.request("/sweeps", token=None)[0] == 401
    assert serving.request("/sweeps", token="read")[0] == 200
    assert serving.request("/sweeps", token="read", body=SWEEP)[0] == 403
    assert serving.request("/sweeps", token="write", body={})[0] != 403


def test_no_file_or_process_has_the_tokens(serving: Serving) -> None:
    """No file in the store, and no command line or environment of a process, has a token.

    Only the owner of the state file can read it.
    """
    secrets = [token.encode() for token in serving.document["tokens"].values()]
    files = [path for path in serving.store.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in files]
    for pid, line in processes(serving.state).items():
        texts += [line, Path(f"/proc/{pid}/environ").read_bytes()]
    assert len(texts) > 10
    assert not any(secret in text for secret in secrets for text in texts)
    assert (serving.store / "serve.json").stat().st_mode & 0o777 == 0o600


def test_ray_requires_a_token(serving: Serving) -> None:
    """Ray's Jobs API, which runs any command, requires a token although it listens on loopback."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(serving.state.addresses["ray"] + "/api/jobs/")


def test_all_processes_listen_only_on_loopback(serving: Serving) -> None:
    """Every listening socket of every process has a loopback address."""
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


def test_a_second_serve_prints_the_addresses_of_the_first(serving: Serving) -> None:
    """A second `paretoib serve` on the same store starts no process and prints no tokens."""
    before = set(processes(serving.state))
    code, out, err = result(start_serve(serving.store))
    assert code == 0
    assert json.loads(out) == {**serving.document, "tokens": {}}
    pid = serving.process.pid
    assert err == f"already running as process {pid}, which has printed the tokens\n"
    now = processes(serving.state)
    # Ray starts and ends idle workers at any time, so only other new processes are wrong.
    new = [now[pid] for pid in now.keys() - before]
    # The command line of a process that is ending is empty.
    assert [c for c in new if c and b"/default_worker.py" not in c and b"ray::" not in c] == []


def test_sigterm_ends_everything(serving: Serving) -> None:
    """After SIGTERM the processes and Ray's temp directory are gone; the state file is empty."""
    state = serving.state
    assert any(b"gcs_server" in command for command in processes(state).values())
    serving.process.send_signal(signal.SIGTERM)
    code, out, err = result(serving.process)
    assert (code, out) == (0, "")
    lines = [line for line in err.splitlines() if not line.startswith("waiting until all answer")]
    addresses = serving.document["addresses"]
    assert lines == [
        f"starting MLflow at {addresses['mlflow']}",
        "starting Ray",
        f"starting the service at {addresses['service']}",
        "Ctrl-C ends everything",
    ]
    assert processes(state) == {}
    assert not Path(state.scratch).exists()
    assert (serving.store / "serve.json").read_text() == ""


@pytest.mark.slow
def test_a_new_serve_ends_the_processes_of_a_killed_one(tmp_path: Path) -> None:
    """After `paretoib serve` was killed, the next one ends the processes that are left.

    The sweep that was running is then interrupted. After a resume, the sweep finishes.
    """
    with ended_afterwards(serve_until_ready(tmp_path / "store")) as first:
        state = first.state
        sweep = first.request("/sweeps", body=SWEEP)[1]["id"]
        wait_for(lambda: any(b"jobs.sweep" in line for line in processes(state).values()))
        first.process.kill()
        first.process.wait()
        assert processes(state)
        with ended_afterwards(serve_until_ready(tmp_path / "store")) as second:
            assert processes(state) == {}
            assert second.state.id != state.id
            path = f"/sweeps/{sweep}"
            wait_for(lambda: second.request(path)[1]["status"] == "interrupted")
            wait_for(lambda: second.request(f"{path}/resume", body={})[0] == 202)
            wait_for(lambda: second.request(path)[1]["status"] == "finished")
            assert len(second.request(f"{path}/front")[1]["points"]) == 2
    # A plain `paretoib resume` on the store looks for journals in this folder.
    assert (tmp_path / "store" / "journal").is_dir()


@pytest.mark.slow
def test_when_one_process_ends_all_others_are_ended(tmp_path: Path) -> None:
    """If MLflow is killed, `paretoib serve` ends the other processes; its error names MLflow."""
    with ended_afterwards(serve_until_ready(tmp_path / "store", "--no-auth")) as serving:
        assert serving.document["tokens"] == {}
        assert serving.request("/sweeps", token=None)[0] == 200
        for pid, command in processes(serving.state).items():
            if b"mlflow" in command:
                os.kill(pid, signal.SIGKILL)
        state = serving.state
        code, _, err = result(serving.process)
        assert code == 1
        ended = (
            "error: mlflow ended with exit code -9, so `paretoib serve` stops its other processes"
        )
        assert ended in err
        assert processes(state) == {}


def test_the_tokens_are_printed_with_instructions(capsys: pytest.CaptureFixture[str]) -> None:
    """With new tokens, the last line of the output is a command that uses the service.

    Without new tokens, only addresses are printed.
    """
    address = {"service": "http://127.0.0.1:8001"}
    command._print_addresses(address, {"read": "paretoib_r", "write": "paretoib_w"}, as_json=False)
    out = capsys.readouterr().out
    assert "PARETOIB_TOKEN" in out.splitlines()[-2]
    assert out.splitlines()[-1] == "paretoib sweep --server http://127.0.0.1:8001"
    command._print_addresses(address, {}, as_json=False)
    assert capsys.readouterr().out == "service  http://127.0.0.1:8001\n"


def test_the_processes_do_not_inherit_the_url_and_token_of_another_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment of the processes has no PARETOIB_SERVER and no PARETOIB_TOKEN."""
    monkeypatch.setenv("PARETOIB_SERVER", "https://elsewhere.example")
    monkeypatch.setenv("PARETOIB_TOKEN", "token of another service")
    settings.cache_clear()
    addresses = dict.fromkeys(("service", "mlflow", "ray"), "http://127.0.0.1:1")
    environment = supervisor._environment(addresses, addresses["mlflow"], True, {})
    settings.cache_clear()
    assert {"PARETOIB_SERVER", "PARETOIB_TOKEN"}.isdisjoint(environment)
    assert "PARETOIB_STORE" in environment


def test_errors_before_the_start_are_one_line(tmp_path: Path) -> None:
    """The error is one line if the store is a file or is below a file, or if the port is taken."""
    (tmp_path / "file").touch()
    rule = "should be a folder, not a file"
    refused = f"error: setting PARETOIB_STORE: {rule}; found '{tmp_path}/file'\n"
    assert result(start_serve(tmp_path / "file")) == (2, "", refused)
    refused = f"error: cannot write {tmp_path}/file/below/serve.json: Not a directory\n"
    assert result(start_serve(tmp_path / "file" / "below")) == (2, "", refused)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = f"error: --port: should be a free port; found {port}, which is taken\n"
        assert result(start_serve(tmp_path / "store", "--port", str(port))) == (2, "", refused)


def wait_for(condition: Callable[[], object]) -> None:
    """Return once the condition holds; fail after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.2)
