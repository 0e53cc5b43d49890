"""The curl and Python examples in `docs/service.md` work as written."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


def code_block(heading: str, language: str) -> str:
    """The first code block of this language in a section of the page."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    block = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert block is not None, heading
    return block[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "language", "command", "output"),
    [
        ("With curl", "bash", ["bash", "-euo", "pipefail"], "On digits,"),
        ("With Python", "python", [sys.executable], "bits, lost "),
    ],
)
def test_a_documented_session_works(
    serve_cluster: Callable[..., Any],
    heading: str,
    language: str,
    command: list[str],
    output: str,
    tmp_path: Path,
) -> None:
    """Each session of the page runs in a new process with the two variables that the page names."""
    script = tmp_path / "session"
    script.write_text(code_block(heading, language))
    with serve_cluster() as served:
        ended = subprocess.run(
            [*command, script],
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "PARETOIB_URL": served.address,
                "TOKEN": served.secret,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert output in ended.stdout
