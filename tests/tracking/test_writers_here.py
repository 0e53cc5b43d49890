"""Two processes of one machine that would write one sweep, each with a journal of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoib.errors import StoreError
from paretoib.records import Reference
from paretoib.specs import SweepSpec
from paretoib.tracking import JournalTracker, Ruler, _heartbeat
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(Reference(rate_bits=33.2, lost_bits=3.32), 3.32)
WRITER = """
import sys, time
from pathlib import Path
from paretoib.records import Reference
from paretoib.tracking import JournalTracker, Ruler
from paretoib.tracking._mlflow.tracker import MLflowTracker
uri, sweep, journal = sys.argv[1:]
ruler = Ruler(Reference(rate_bits=33.2, lost_bits=3.32), 3.32)
JournalTracker(MLflowTracker(uri), Path(journal)).begin(sweep, ruler)
print("begun", flush=True)
time.sleep(10_000)
"""


@pytest.fixture
def sweep(tracker: MLflowTracker, spec: SweepSpec) -> str:
    return tracker.create(spec).id


@pytest.fixture
def writer(uri: str, sweep: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which has begun the sweep."""
    command = [sys.executable, "-c", WRITER, uri, sweep, str(tmp_path / "its journal")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def test_the_first_keeps_the_second_off_until_it_is_gone(
    writer: "subprocess.Popen[str]", tracker: MLflowTracker, sweep: str, tmp_path: Path
) -> None:
    """While it lives, whatever the journal; killed, it keeps nobody waiting."""
    second = JournalTracker(tracker, tmp_path / "own journal")
    with pytest.raises(StoreError, match=rf"one writer at a time; found process {writer.pid} on"):
        second.begin(sweep, RULER)
    writer.send_signal(signal.SIGKILL)
    # Without its parent having taken note of its end.
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
    second.begin(sweep, RULER)
    second.release(sweep)


def test_another_process_with_its_number_is_not_taken_for_it(
    writer: "subprocess.Popen[str]", tracker: MLflowTracker, sweep: str
) -> None:
    """Numbers come around again, and a writer of long ago had none but its number."""
    (tag,) = (name for name in _heartbeat.heartbeat_tag() if name.endswith("writer"))
    signed = json.loads(tracker._run(sweep).data.tags[tag])
    assert signed["process"] == writer.pid
    for before in (signed["started"] - 1, None):
        tracker._log(sweep, tags={tag: json.dumps({**signed, "started": before})})
        tracker.begin(sweep, RULER)
