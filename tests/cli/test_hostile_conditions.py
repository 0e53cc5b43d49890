"""Commands on machines as users have them: proxies, odd folders, encodings and environments.

A row of `CONDITIONS` is one condition; to add one, add a row. The row `everything` has all of them
at once. `front` runs under each condition; `sweep`, `train`, `list` and `compare` run only under
`everything`. The slow tests run these commands and `serve` under each condition.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PATIENCE = 240  # seconds
TINY = (
    *("--method", "vib", "--set", "hidden=[16]", "--set", "latent=4"),
    *("--grid", "beta=1e-3,1", "--seeds", "0", "--epochs", "2"),
)
NAME = r"cost $\alpha_{$ größe"
PROXY = "http://127.0.0.1:9"  # nothing listens there


@dataclass(frozen=True)
class Condition:
    """What differs from a usual machine. In `environment`, `{}` is the folder of the test."""

    environment: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)  # in the working directory
    store: str = "store"  # the name of the store's folder
    read_only: bool = False  # whether the working directory is read-only


CONDITIONS = {
    "proxy": Condition(dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), PROXY)),
    "long TMPDIR": Condition({"TMPDIR": "{}/scratch_partition/users/firstname.lastname/job_1355"}),
    "no HOME": Condition(unset=("HOME", "USER", "LOGNAME")),
    "latin-1": Condition({"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"}),
    "COLUMNS=0": Condition({"COLUMNS": "0"}),
    "empty settings": Condition(
        {f"PARETOIB_{name}": "" for name in ("DATA", "JOURNAL", "CHECKPOINTS", "SERVER")}
    ),
    "read-only folder": Condition(read_only=True),
    "modules of the user": Condition(
        files={
            "jobs.py": "# batch jobs\n",
            "service.py": "raise ImportError('not the service')\n",
            "torch.py": "raise ImportError('not torch')\n",
            "mlflow.py": "raise ImportError('not MLflow')\n",
        }
    ),
    "Kubernetes": Condition(
        {
            "PARETOIB_PORT": "tcp://10.96.12.34:80",
            "PARETOIB_SERVICE_HOST": "10.96.12.34",
            "PARETOIB_SERVICE_PORT": "80",
        }
    ),
    "a foreign .env": Condition(files={".env": "NAME=caf\udce9\n"}),
    "a store in a folder like a URL": Condition(store="feature%2Flogin 50%"),
}


def merged() -> Condition:
    """All conditions at once."""
    environment, unset, files = {}, [], {}
    for condition in CONDITIONS.values():
        environment.update(condition.environment)
        unset.extend(condition.unset)
        files.update(condition.files)
    return Condition(environment, tuple(unset), files, "feature%2Flogin 50%", read_only=True)


CONDITIONS["everything"] = merged()


class Machine:
    """Runs `paretoib` under a condition."""

    def __init__(self, condition: Condition, folder: Path) -> None:
        self.store = folder / condition.store
        self.cwd = folder / "cwd"
        self.cwd.mkdir()
        for name, content in condition.files.items():
            (self.cwd / name).write_bytes(content.encode(errors="surrogateescape"))
        values = {n: v.replace("{}", str(folder)) for n, v in condition.environment.items()}
        if "TMPDIR" in values:
            Path(values["TMPDIR"]).mkdir(parents=True)
        if condition.read_only:
            self.cwd.chmod(0o555)
        own = {"PARETOIB_STORE": str(self.store), "PARETOIB_WORKERS": "1"}
        inherited = {n: v for n, v in os.environ.items() if n not in condition.unset}
        self.environment = {**inherited, **own, **values}

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command, as users do: the console script, without a terminal."""
        return subprocess.Popen(
            [Path(sys.executable).with_name("paretoib"), *arguments],
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to its end; returns exit code, stdout and stderr."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        encoding = self.environment.get("PYTHONIOENCODING", "utf-8")
        return process.returncode, out.decode(encoding), err.decode(encoding)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two sweeps, run under all conditions: `NAME`, and `other` with one trial."""
    machine = Machine(CONDITIONS["everything"], tmp_path_factory.mktemp("hostile"))
    code, out, err = machine.run("sweep", *TINY, "--name", NAME, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["sweep"]["name"], document["sweep"]["status"]) == (NAME, "finished")
    assert len(document["points"]) == 2
    code, out, err = machine.run("train", *TINY[:6], "--epochs", "2", "--name", "other", "--json")
    assert code == 0, err
    assert json.loads(out)["status"] == "finished"
    return machine.store


EACH = [
    name if name == "everything" else pytest.param(name, marks=pytest.mark.slow)
    for name in CONDITIONS
]


@pytest.fixture
def machine(request: pytest.FixtureRequest, swept: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine under one condition, with a copy of the store in another folder."""
    machine = Machine(CONDITIONS[request.param], tmp_path)
    shutil.copytree(swept, machine.store)
    yield machine
    machine.cwd.chmod(0o755)


def test_a_sweep_under_all_conditions_has_its_figures(swept: Path) -> None:
    """The figures of a sweep are beside the database.

    They are drawn although matplotlib cannot parse the `$…` in the sweep's name as a formula.
    """
    files = sorted(path.name for path in (swept / "artifacts").rglob("front.*"))
    assert files == ["front.html"] * 2 + ["front.json"] * 2 + ["front.png"] * 2
    assert not list(swept.parent.glob("*%25*"))


@pytest.mark.parametrize("machine", CONDITIONS, indirect=True)
def test_a_front_is_shown_and_drawn(machine: Machine) -> None:
    """`front` prints the table and writes a figure under each condition."""
    picture = machine.store / "front.png"
    code, out, err = machine.run("front", NAME, "--png", str(picture))
    assert (code, err) == (0, f"wrote {picture}\n")
    assert "vib on digits, finished" in out
    assert "relevance" in out
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("machine", EACH, indirect=True)
def test_commands_that_read_work(machine: Machine) -> None:
    """`list`, `front` and `compare` work.

    `list` and `methods` end without an error if the reader of their output closes the pipe.
    """
    code, out, err = machine.run("list", "--json")
    assert (code, err) == (0, "")
    assert {sweep["name"] for sweep in json.loads(out)["sweeps"]} == {NAME, "other"}

    code, out, err = machine.run("list")
    assert (code, err) == (0, "")
    # Without a terminal, no line is folded, so that `grep` finds a whole row.
    assert len([line for line in out.splitlines() if "finished" in line]) == 2

    plane = machine.store / "plane.png"
    code, out, err = machine.run("front", NAME, "--plane", str(plane), "--json")
    assert code == 0
    assert len(json.loads(out)["points"]) == 2
    assert plane.stat().st_size > 10_000

    code, out, err = machine.run("compare", NAME, "--against", "other", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["left"]["on_front"] >= 1

    for arguments in (("list",), ("methods",)):
        process = machine.start(*arguments)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE) == 0, arguments


@pytest.mark.slow
@pytest.mark.parametrize("machine", CONDITIONS, indirect=True)
def test_sweep_serve_and_submit_work(machine: Machine) -> None:
    """`sweep` trains both trials, on this machine and on the service that `serve` starts."""
    code, out, err = machine.run("sweep", *TINY, "--name", "alone", "--json")
    assert code == 0, err
    assert len(json.loads(out)["points"]) == 2

    serving = machine.start("serve", "--no-auth", "--json")
    try:
        assert serving.stdout is not None
        assert serving.stderr is not None
        lines: list[bytes] = []
        while b"}\n" not in lines:
            line = serving.stdout.readline()
            assert line, serving.stderr.read().decode(errors="replace")
            lines.append(line)
            if line == b"}\n":
                break
        address = json.loads(b"".join(lines))["addresses"]["service"]
        code, out, err = machine.run("sweep", *TINY, "--server", address, "--json")
        assert code == 0, err
        assert len(json.loads(out)["points"]) == 2
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=PATIENCE)
