"""What `docs/service.md` says to paste works when pasted."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


def block(heading: str, language: str) -> str:
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None, heading
    return found[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "language", "command", "said"),
    [
        ("With curl", "bash", ["bash", "-euo", "pipefail"], "On digits,"),
        ("With Python", "python", [sys.executable], "bits, lost "),
    ],
)
def test_a_documented_session_works_as_it_stands(
    serve_cluster: Callable[..., Any],
    heading: str,
    language: str,
    command: list[str],
    said: str,
    tmp_path: Path,
) -> None:
    """Pasted into a fresh shell, with the address and the token that the page speaks of."""
    script = tmp_path / "pasted"
    script.write_text(block(heading, language))
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
    assert said in ended.stdout
