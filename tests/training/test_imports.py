"""Modules that the training of a pack imports, which every worker has to wait for."""

import subprocess
import sys

SCRIPT = """
import sys
from paretoib.specs import with_overrides
from paretoib.training import run_trials
for method, fields in [("vib", {}), ("mib", {"clip_norm": 1.0}), ("mib", {"gradient": "latent"})]:
    document = {"method": method, "data": "digits"}
    first = with_overrides(document, {"epochs": 1, "hidden": [16], **fields}).template
    specs = [first, first.with_fields({"seed": 1, "learning_rate": 1e-2})]
    for trials in (specs, specs[:1]):
        assert all(record.status == "finished" for record in run_trials(trials, device="cpu"))
print(*sys.modules)
"""
HEAVY = ("torch._dynamo", "sympy", "sklearn", "scipy", "pandas", "matplotlib", "ray", "mlflow")


def test_training_loads_no_compiler_and_no_library_that_it_does_not_use() -> None:
    """Training imports no module of `HEAVY`, for example scikit-learn, which takes a second."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, stdout=subprocess.PIPE, text=True
    )
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert loaded.intersection(HEAVY) == set()
