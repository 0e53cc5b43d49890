"""A store in PostgreSQL, which enforces lengths that SQLite ignores."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from paretoib.errors import StoreError, StoreUnavailableError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler
from paretoib.tracking._mlflow.tracker import MLflowTracker
from tests.contracts.tracker_records import model_of

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PASSWORD = "open-sesame"
RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)

pytestmark = [
    pytest.mark.skipif(not BINARIES, reason="needs PostgreSQL's server (Debian: postgresql)"),
    pytest.mark.skipif(not find_spec("psycopg2"), reason="needs psycopg2 (extra: postgres)"),
]


def execute(address: str, statement: str) -> None:
    """Execute a statement of SQL on the database."""
    import psycopg2

    connection = psycopg2.connect(address)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of an empty database, on a server with a short path for its socket.

    The role `guest` needs a password; user `paretoib` of the address needs none.
    """
    folder = Path(tempfile.mkdtemp(prefix="pib-", dir="/tmp"))
    folder.chmod(0o711)
    data = folder / "data"
    data.mkdir()
    user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL does not run as root.
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(data, "postgres")
    command = [
        *user,
        str(BINARIES[-1] / "initdb"),
        "-D",
        str(data),
        "-U",
        "paretoib",
        "-A",
        "trust",
    ]
    subprocess.run(command, check=True, capture_output=True)
    rules = data / "pg_hba.conf"
    rules.write_text(f"host all guest 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-F"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*user, str(BINARIES[-1] / "postgres"), *options], stdout=log, stderr=log
        )
    deadline = time.monotonic() + 60
    while not (data / f".s.PGSQL.{port}").exists():
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
    address = f"postgresql://paretoib@127.0.0.1:{port}/postgres"
    execute(address, f"CREATE ROLE guest LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    yield address
    server.send_signal(signal.SIGINT)  # ends without waiting for clients
    server.wait()
    shutil.rmtree(folder)


def test_a_trial_with_a_long_name_is_written(
    database: str,
    tmp_path: Path,
    record: Callable[..., TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name of a run is cut to the length of PostgreSQL's column; the params have every value.

    The trial's model file is written too.

    The address names no driver: SQLAlchemy's default is psycopg, but our extra installs psycopg2.
    """
    monkeypatch.setenv("PARETOIB_STORE", str(tmp_path))
    monkeypatch.setenv("PARETOIB_TRACKING_URI", database)
    settings.cache_clear()
    spec = SweepSpec.from_document(
        {"method": "vib", "grid": {"hidden": [[16], [2] * 150], "beta": [0.001]}}
    )
    tracker = JournalTracker(MLflowTracker(), tmp_path / "journal", patience=20)
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    trial = record(0)
    model = {**trial.spec["model"], "hidden": [2] * 150}
    long = trial.model_copy(update={"spec": {**trial.spec, "model": model}})
    tracker.add(sweep.id, [EndedTrial(long, 1.0, model_of(long))])
    tracker.close(sweep.id, "finished", None, ())
    state = tracker.state(sweep.id)
    assert (state.status, state.trials.finished, state.reason) == ("finished", 1, None)
    with MLflowTracker().open_model(sweep.id, long.trial) as file:
        assert file.read() == model_of(long).content
    client = MLflowTracker()._client
    (run,) = client.search_runs(
        [client.get_run(sweep.id).info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{sweep.id}'",
    )
    assert len(run.info.run_name) == 250
    assert run.info.run_name.endswith("… seed 2")
    assert run.data.params["model.hidden"] == str([2] * 150)
    settings.cache_clear()


def test_a_trial_that_postgresql_refuses_is_set_aside(
    database: str,
    tmp_path: Path,
    record: Callable[..., TrialRecord],
    spec: SweepSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trial that PostgreSQL refuses is kept in a file, and the other trials are written.

    The refusal is not taken for an unavailable store.
    """
    monkeypatch.setenv("PARETOIB_STORE", str(tmp_path))
    monkeypatch.setattr("paretoib.tracking._mlflow.layout._NAME_LENGTH", 10_000)
    monkeypatch.setenv("PARETOIB_TRACKING_URI", database)
    settings.cache_clear()
    tracker = JournalTracker(MLflowTracker(), tmp_path / "journal", patience=20)
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    trials = [record(position) for position in range(3)]
    model = {**trials[1].spec["model"], "hidden": [2] * 150}
    trials[1] = trials[1].model_copy(update={"spec": {**trials[1].spec, "model": model}})
    tracker.add(sweep.id, [EndedTrial(trial, 1.0) for trial in trials])
    tracker.close(sweep.id, "finished", None, ())
    state = tracker.state(sweep.id)
    assert state.trials.finished == 3
    assert state.reason is not None
    assert "the store refuses 1 trial, kept in" in state.reason
    assert "value too long for type character varying(250)" in state.reason
    assert [r.trial for r in MLflowTracker().records(sweep.id)] == [
        trials[0].trial,
        trials[2].trial,
    ]
    settings.cache_clear()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("paretoib@", "guest:wrong@", 'password authentication failed for user "guest"'),
        ("paretoib@", "guest@", "no password supplied"),
        ("paretoib@", "stranger@", 'role "stranger" does not exist'),
        ("/postgres", "/absent", 'database "absent" does not exist'),
    ],
    ids=["wrong password", "no password", "unknown user", "unknown database"],
)
def test_a_connection_that_postgresql_refuses_is_not_retried(
    database: str, old: str, new: str, reason: str
) -> None:
    """The error comes at once, not after the minute in which MLflow retries; it has the reason."""
    began = time.monotonic()
    with pytest.raises(StoreError, match=reason) as caught:
        MLflowTracker(database.replace(old, new))
    assert not isinstance(caught.value, StoreUnavailableError)
    assert "wrong" not in str(caught.value)
    assert time.monotonic() - began < 10


def test_a_password_that_is_changed_while_the_store_is_open_is_not_retried(database: str) -> None:
    """The next connection is refused, and the error is not a `StoreUnavailableError`."""
    tracker = MLflowTracker(database.replace("paretoib@", f"guest:{PASSWORD}@"))
    assert isinstance(tracker.sweeps(), list)
    execute(database, "ALTER ROLE guest PASSWORD 'changed'")
    try:
        execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'",
        )
        with pytest.raises(StoreError, match="password authentication failed") as caught:
            tracker.sweeps()
    finally:
        execute(database, f"ALTER ROLE guest PASSWORD '{PASSWORD}'")
    assert not isinstance(caught.value, StoreUnavailableError)
