"""Two processes on one machine that begin the same sweep, with different journals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoib.errors import StoreError
from paretoib.records import ReferencePoint
from paretoib.specs import SweepSpec
from paretoib.tracking import JournalTracker, Ruler, _heartbeat
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)
WRITER = """
import sys, time
from pathlib import Path
from paretoib.records import ReferencePoint
from paretoib.tracking import JournalTracker, Ruler
from paretoib.tracking._mlflow.tracker import MLflowTracker
uri, sweep, journal = sys.argv[1:]
ruler = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)
JournalTracker(MLflowTracker(uri), Path(journal)).begin(sweep, ruler)
print("begun", flush=True)
time.sleep(10_000)
"""


@pytest.fixture
def sweep(tracker: MLflowTracker, spec: SweepSpec) -> str:
    return tracker.create(spec).id


@pytest.fixture
def writer(uri: str, sweep: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has begun the sweep."""
    command = [sys.executable, "-c", WRITER, uri, sweep, str(tmp_path / "first journal")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def test_the_first_writer_excludes_the_second_until_it_ends(
    writer: "subprocess.Popen[str]", tracker: MLflowTracker, sweep: str, tmp_path: Path
) -> None:
    """The second writer cannot begin the sweep while the first one runs.

    When the first one is killed, the second one can begin before the heartbeat is stale.
    """
    second = JournalTracker(tracker, tmp_path / "second journal")
    with pytest.raises(StoreError, match=rf"one writer at a time; found process {writer.pid} on"):
        second.begin(sweep, RULER)
    writer.send_signal(signal.SIGKILL)
    # Wait for the end without reaping the process, so that it stays a zombie.
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
    second.begin(sweep, RULER)
    second.release(sweep)


def test_another_process_with_the_same_id_is_not_the_writer(
    writer: "subprocess.Popen[str]", tracker: MLflowTracker, sweep: str
) -> None:
    """A process is the writer only if it has the process id and start time in the heartbeat."""
    (tag,) = (name for name in _heartbeat.heartbeat_tag() if name.endswith("writer"))
    heartbeat = json.loads(tracker._run(sweep).tags[tag])
    assert heartbeat["process"] == writer.pid
    for started in (heartbeat["started"] - 1, None):
        tracker._log(sweep, tags={tag: json.dumps({**heartbeat, "started": started})})
        tracker.begin(sweep, RULER)
