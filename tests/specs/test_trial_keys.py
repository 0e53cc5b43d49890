"""The keys of trials, and the keys of the packs that they fit into."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from paretoib.specs import SweepSpec, TrialSpec

# The fields that may differ within a pack.
PER_TRIAL = {
    "seed",
    "training.learning_rate",
    "model.initial_scale",
    "model.initial_noise",
    "objective.prior_width",
    "objective.relative_betas",
    "objective.gammas",
    "weighting.beta",
    "weighting.iterations",
    "weighting.mu",
    "weighting.sqrted",
    "weighting.task_weights",
}
WEIGHTED = {"name": "task_weights", "task_weights": [1]}
LAYERED = {"name": "imb_joint", "relative_betas": [1, 1], "gammas": [1, 1, 1]}
TEMPLATES = [
    SweepSpec.from_document(document).template
    for document in (
        {"method": "vib", "data": "gaussian"},
        {"method": "vib_squared"},
        {"method": "mib", "data": "cifar10", "model": "resnet18"},
        {"method": "mgda"},
        {"method": "deterministic", "data": "mnist"},
        {"method": "gs", "data": "digits", "weighting": WEIGHTED},
        {"method": "imb_joint", "objective": LAYERED},
    )
]
FIELDS = [
    (trial, f"{section}.{field}")
    for trial in TEMPLATES
    for section, values in trial.document.items()
    if isinstance(values, dict)
    for field in values
    if field != "name"
] + [(trial, "seed") for trial in TEMPLATES]
OTHER_VALUES: dict[str, Any] = {
    "gradient": "latent",
    "over": "all",
    "normalise": "l2",
    "stem": "cifar",
    "activation": "sigmoid",
    "optimiser": "sgd",
    "schedule": "step",
    "precision": "bf16",
    "clip_norm": 1.0,
    "sqrted": 0,
    "decoder": [16],
    "hidden": [16],
    "correlations": [0.5],
    "task_weights": [0.5],
    "relative_betas": [1, 0.5],
    "gammas": [1, 1, 0.5],
    "losses": "per_layer",
}


def another(field: str, value: Any) -> Any:
    """A different valid value of the field."""
    name = field.rpartition(".")[2]
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if name == "solver":
        return "frank_wolfe" if value == "closed_form" else "closed_form"
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value / 2 or 0.5


@pytest.mark.parametrize(("trial", "field"), FIELDS, ids=lambda v: v if isinstance(v, str) else "")
def test_every_field_changes_the_trial_key(trial: TrialSpec, field: str) -> None:
    """Every field changes the trial key; fields that a pack has to share also change its key."""
    changed = trial.with_fields({field: another(field, trial.get(field))})
    assert changed.get(field) != trial.get(field)
    assert changed.key != trial.key
    assert (changed.pack_key == trial.pack_key) == (field in PER_TRIAL)
    assert changed.with_fields({field: trial.get(field)}).key == trial.key


def test_all_templates_differ() -> None:
    """Templates that differ in a section have different trial keys and pack keys."""
    assert len({t.key for t in TEMPLATES}) == len({t.pack_key for t in TEMPLATES}) == 7


def test_the_key_does_not_depend_on_how_a_value_was_written() -> None:
    """1, 1.0 and "1" are the same β; the order of a document's keys does not matter."""
    keys = {TEMPLATES[0].with_fields({"beta": beta}).key for beta in (1, 1.0, "1")}
    assert len(keys) == 1
    reordered = dict(reversed(TEMPLATES[0].document.items()))
    assert TrialSpec.model_validate(reordered).key == TEMPLATES[0].key


def test_keys_are_the_same_in_every_process() -> None:
    """Keys do not depend on the seed of Python's hashes."""
    program = (
        "import json, sys; from paretoib.specs import TrialSpec; "
        "trials = [TrialSpec.model_validate(d) for d in json.load(sys.stdin)]; "
        "print(json.dumps([(t.key, t.pack_key) for t in trials]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([t.document for t in TEMPLATES]),
        env={**os.environ, "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(finished.stdout) == [[t.key, t.pack_key] for t in TEMPLATES]
