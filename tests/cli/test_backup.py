"""The backup commands of docs/store.md."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs" / "store.md"
# A sweep of two trials that is being written. Both have ended, and only the journal has them, so
# `resume` has nothing left to run and needs no Ray.
WRITER = """
import sys, time
from pathlib import Path
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker
from tests.service.synthetic_sweeps import RULER, open_tracker, synthetic_records

spec = SweepSpec.from_document({
    "method": "vib", "name": "copied", "trials": 0, "seeds": [0],
    "model": {"name": "mlp", "hidden": [8], "latent": 2},
    "training": {"epochs": 1}, "grid": {"beta": [0.001, 0.01]},
})
store = open_tracker(Path("paretoib-store"))
tracker = JournalTracker(store, Path("paretoib-store/journal"))
sweep = tracker.create(spec)
tracker.begin(sweep.id, RULER)
store.add = lambda *_: time.sleep(1000)
(record,) = synthetic_records(spec, 1)
for trial in driver(spec).ask(2):
    named = record.model_copy(update={"trial": trial.key, "spec": trial.document})
    tracker.add(sweep.id, [EndedTrial(named, 60.0)])
print(sweep.id, flush=True)
time.sleep(1000)
"""


def test_a_store_copied_with_the_documented_commands_is_resumed_elsewhere(
    tmp_path: Path, new_store: Callable[..., Any], run: Callable[..., Any]
) -> None:
    """The copy is made while a sweep runs, and moved. No ended trial is lost or run again."""
    (commands,) = re.findall(r"## Back up\n.*?```bash\n(.*?)```", DOCS.read_text(), re.DOTALL)
    here = {**os.environ, "PYTHONPATH": str(DOCS.parents[1])}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=tmp_path, env=here, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        sweep_id = writer.stdout.readline().strip()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        copying = ["bash", "-euc", commands]
        subprocess.run(copying, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    (tmp_path / "paretoib-store").rename(tmp_path / "lost")
    elsewhere = new_store((tmp_path / "backup").rename(tmp_path / "a new place"))

    (listed,) = run(elsewhere, "list", "--json").document["sweeps"]
    assert listed["id"] == sweep_id
    resumed = elsewhere.wait(elsewhere.start("resume", "copied", "--json"))
    assert resumed.code == 0, resumed.err
    assert resumed.document["sweep"]["status"] == "finished"
    assert len(resumed.document["points"]) == 2
    # The trials of the copy kept their synthetic values.
    assert [point["rate_bits"] for point in resumed.document["points"]] == [0.1, 0.1]
    assert run(elsewhere, "front", sweep_id).code == 0
    assert not (tmp_path / "paretoib-store").exists()
