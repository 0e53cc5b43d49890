"""The sessions of docs/tour.md run as they stand, in order, in one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

from paretoib.tracking._mlflow.reader import MLflowReader

PAGE = Path(__file__).parents[2] / "docs" / "tour.md"
FENCE = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


def test_every_session_of_the_tour_runs(tmp_path: Path) -> None:
    """Shell and Python sessions end without an error, and leave the files that they name."""
    sessions = FENCE.findall(PAGE.read_text())
    assert len(sessions) > 8
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        **{name: os.environ[name] for name in ("PYTHONPATH", "TMPDIR") if name in os.environ},
    }
    output = ""
    for language, text in sessions:
        shell = ["bash", "-euo", "pipefail", "-c"]
        command = shell if language == "bash" else [sys.executable, "-c"]
        ended = subprocess.run(
            [*command, text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        output += ended.stdout
    for name in ("front.png", "model", "comparison.html", "comparison.csv", "linear.csv"):
        assert (tmp_path / name).exists(), name
    store = tmp_path / "paretoib-store"
    names = {state.name for state in MLflowReader(f"sqlite:///{store}/mlflow.db").sweeps()}
    assert names == {"linear", "adaptive"}  # `mine` was deleted
    assert "rate" in output
    assert "torch.Size([1797, 32])" in output
