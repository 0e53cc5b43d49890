"""The log of a sweep: what goes to its file, and what the program still gets."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import logging, sys
from pathlib import Path
from jobs.log import log_to_file
exec(sys.argv[2])
log = logging.getLogger("jobs.sweep_run")
with log_to_file(Path(sys.argv[1])):
    log.info("a trial has ended")
    log.warning("waiting for MLflow")
log.info("after the sweep")
log.warning("after the sweep")
"""


@pytest.mark.parametrize(
    ("configure", "stderr"),
    [
        ("pass", "waiting for MLflow\nafter the sweep\n"),
        (
            "logging.basicConfig(format='%(levelname)s %(message)s')",
            "WARNING waiting for MLflow\nWARNING after the sweep\n",
        ),
        (
            "logging.basicConfig(format='%(message)s', level='INFO')",
            "a trial has ended\nwaiting for MLflow\nafter the sweep\nafter the sweep\n",
        ),
    ],
)
def test_the_file_has_all_lines_and_the_program_those_of_its_level(
    tmp_path: Path, configure: str, stderr: str
) -> None:
    """The log of a sweep changes nothing that a program prints, whatever its logging settings."""
    path = tmp_path / "logs" / "sweep.log"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), configure],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == stderr
    lines = path.read_text().splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "INFO a trial has ended",
        "WARNING waiting for MLflow",
    ]


def test_a_sweep_runs_without_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """If the folder cannot be created, a warning has the path and the reason."""
    (tmp_path / "logs").write_text("")
    path = tmp_path / "logs" / "sweep.log"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), "pass"],
        capture_output=True,
        text=True,
        check=True,
    )
    first, *rest = ended.stderr.splitlines()
    assert first.startswith(f"the sweep has no log: cannot write {path}: ")
    assert rest == ["waiting for MLflow", "after the sweep"]
