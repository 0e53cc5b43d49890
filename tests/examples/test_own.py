"""The programs in docs/own.md run unchanged, and a sweep of the second is resumed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.records import Measurement
from paretoib.settings import settings
from tests.service.synthetic_sweeps import open_tracker

ROOT = Path(__file__).parents[2]
MEASURE, SWEEP = re.findall(r"```python\n(.*?)```", (ROOT / "docs/own.md").read_text(), re.DOTALL)
PRINTED = re.findall(r"```\n(rate .*)\n```", (ROOT / "docs/own.md").read_text())

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def program(folder: Path) -> Program:
    """`program(code, *arguments)` runs code in a new process in `folder`, with a store there."""

    def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        own = {"PARETOIB_STORE": str(folder / "store"), "PARETOIB_WORKERS": "1"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_documented_measurement_is_reproduced(program: Program) -> None:
    """The program prints the documented numbers, and writes a file that the command measures.

    Other linear algebra libraries may flip the signs of the means, and with them the noise.
    """
    done = program(MEASURE)
    assert done.returncode == 0, done.stderr
    number = r"\d+\.\d+"
    assert re.sub(number, "#", done.stdout.strip()) == re.sub(number, "#", PRINTED[0])
    numbers = [[float(n) for n in re.findall(number, text)] for text in (done.stdout, PRINTED[0])]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.1)
    command = "import sys; from paretoib.cli import main; main(sys.argv[1:])"
    document = json.loads(program(command, "measure", "codes.npz", "--json").stdout)
    assert str(Measurement.from_document(document["measurement"])) == done.stdout.strip()


def test_the_documented_sweep_learns(program: Program) -> None:
    """The shortest program trains all trials of its module on its arrays, from a script."""
    done = program(SWEEP + "print(max(point.accuracy for point in front.points))\n")
    assert done.returncode == 0, done.stderr
    front, accuracy = done.stdout.splitlines()
    assert re.match(r"vib-MyModule \([0-9a-f]{8}\), finished: \d of 8 trials on the front, ", front)
    assert float(accuracy) > 0.9


RESUME = """
import sys, paretoib
from paretoib.errors import SpecError
from own_encoder import MyModule, Other
for encoder in (Other, MyModule):
    try:
        print(paretoib.resume(sys.argv[1], encoder=encoder, on_progress=lambda state: None))
    except SpecError as error:
        print(error)
"""


def test_another_program_resumes_a_sweep_with_the_same_module(
    program: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is imported from a file that no worker can import; another module is refused.

    The sweep is on the arrays that the program of the documentation has saved.
    """
    monkeypatch.syspath_prepend(str(folder))
    module = SWEEP[SWEEP.index("class MyModule") : SWEEP.index("x, y =")]
    (folder / "own_encoder.py").write_text(
        f"import torch\n{module}\nclass Other(MyModule):\n    pass\n"
    )
    from own_encoder import MyModule

    from paretoib.specs import SweepSpec, with_own_parts

    saved = next((folder / "data" / "arrays").glob("*.npz"))
    document = {"method": "vib", "trials": 2, "training": {"epochs": 2}, "data": f"npz:{saved}"}
    spec = SweepSpec.from_document(with_own_parts(document, None, MyModule))
    try:
        settings.cache_clear()
        sweep = open_tracker(folder / "store").create(spec)
    finally:
        settings.cache_clear()
    done = program("import sys; sys.path.insert(0, '.')" + RESUME, sweep.id)
    refused, front = done.stdout.splitlines()
    assert "found other code of `Other`" in refused
    assert "finished: " in front
    assert "of 2 trials on the front" in front
