"""The files of the presets: their values are those of the papers, or are marked as ours."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from paretoib.presets import PRESETS, by_field, merged
from paretoib.specs import SweepSpec, preset_use, preset_values

from . import papers

Run = Callable[..., Any]

SWEEPS = [
    (name, method, data, row)
    for name, preset in PRESETS.items()
    for method, of_method in preset.methods.items()
    for data in preset.data
    for row in of_method.rows
]
METHODS = list(dict.fromkeys((name, method) for name, method, _, _ in SWEEPS))

# Fields that no preset should leave to the defaults of the program, if the sweep has them.
NAMED_FIELDS = [
    *("data", "data.labels", "data.label_noise"),
    *("model", "model.latent", "model.decoder", "model.hidden", "model.stem"),
    *("model.initial_noise", "objective.prior_width", "objective.draws", "objective.loss"),
    *("weighting.beta", "weighting.iterations", "weighting.sqrted", "weighting.task_weights"),
    *("training.optimiser", "training.learning_rate", "training.schedule", "training.batch_size"),
    *("training.epochs", "search", "seeds"),
]
# Fields without an effect: the initial width of noise that is not learned, β without compression.
SURROGATES = ("l2", "log_var", "log_var_given_y", "categorical")
WITHOUT_EFFECT = {
    "model.initial_noise": ("stl", "uwl", "gs", *SURROGATES),
    "weighting.beta": ("uwl", "gs"),
}


def set_values(name: str, method: str, data: str, row: str) -> dict[str, Any]:
    """The values that a preset sets for a sweep, by field, as JSON values."""
    values = by_field(preset_values(PRESETS[name], method, data, row))
    return dict(json.loads(json.dumps(values)))


@pytest.mark.parametrize(("name", "method", "data", "row"), SWEEPS)
def test_every_row_is_a_valid_sweep(name: str, method: str, data: str, row: str) -> None:
    """Each row is a sweep that is equal after it was stored, and has all values of the row."""
    values = preset_values(PRESETS[name], method, data, row)
    spec = SweepSpec.from_document({"preset": name, "method": method, **values})
    assert SweepSpec.from_json(spec.to_json()) == spec
    found = by_field(spec.document)
    expected = set_values(name, method, data, row)
    assert {field: found[field] for field in expected} == expected


@pytest.mark.parametrize(("name", "method", "data", "row"), SWEEPS)
def test_values_that_are_not_ours_are_those_of_the_paper(
    name: str, method: str, data: str, row: str
) -> None:
    """Each value of a preset is marked as ours, or is in the paper, with the same number."""
    expected = {
        **papers.SHARED[name],
        **papers.DATA.get((name, data), {}),
        **papers.METHODS.get((name, method), {}),
        **papers.ROWS.get((name, method, data, row), {}),
    }
    ours = PRESETS[name].reasons(method)
    names = {"search", "objective", "weighting"}  # of the method, not of the protocol
    for field, value in set_values(name, method, data, row).items():
        if field == "seeds":
            assert len(value) == expected.get("seeds", len(value))
        elif field not in ours and field not in names:
            assert field in expected, f"{field} should be in the paper, or be marked as ours"
            assert value == expected[field], field
        if papers_own := papers.AMONG.get((name, method, field)):
            assert set(papers_own) <= set(value), field
            assert field in ours


@pytest.mark.parametrize("name", papers.ROW_LABELS)
def test_tables_have_the_methods_of_the_paper(name: str) -> None:
    """The methods of a table, in the paper's order, have the labels of its rows."""
    methods = PRESETS[name].methods.items()
    labels = {method: next(iter(of_method.rows)) for method, of_method in methods}
    assert labels == papers.ROW_LABELS[name]
    assert list(labels) == list(papers.ROW_LABELS[name])


def test_every_value_of_a_paper_is_in_a_preset() -> None:
    """No value of the papers' table is left out by the presets that it belongs to."""
    for name, fields in papers.SHARED.items():
        set_fields = {f for sweep in SWEEPS if sweep[0] == name for f in set_values(*sweep)}
        assert fields.keys() <= set_fields, name


@pytest.mark.parametrize(("name", "method", "data", "row"), SWEEPS)
def test_no_value_of_a_protocol_is_left_to_the_program(
    name: str, method: str, data: str, row: str
) -> None:
    """A preset sets each field that decides a result, even if the value is a default today."""
    values = preset_values(PRESETS[name], method, data, row)
    spec = by_field(SweepSpec.from_document({"method": method, **values}).document)
    for field in NAMED_FIELDS:
        if field in spec and method not in WITHOUT_EFFECT.get(field, ()):
            assert field in by_field(values), field


def test_every_mark_has_a_value_and_a_reason() -> None:
    """A field that is marked as ours is set by a row of its method, and the reason is a text.

    Marks of a whole preset may belong to some of its methods only.
    """
    for name, preset in PRESETS.items():
        set_fields: dict[str, set[str]] = {method: set() for method in preset.methods}
        for sweep in SWEEPS:
            if sweep[0] == name:
                set_fields[sweep[1]] |= set_values(*sweep).keys()
        for method, of_method in preset.methods.items():
            assert of_method.ours.keys() <= set_fields[method], (name, method)
        assert preset.ours.keys() <= set.union(*set_fields.values()), name
        for method in preset.methods:
            assert all(len(reason) > 20 for reason in preset.reasons(method).values())


@pytest.mark.parametrize("name", [n for n in PRESETS if n.startswith(("mib", "vim"))])
def test_all_methods_of_a_table_start_from_the_same_noise(name: str) -> None:
    """The initial noise is equal in all rows, and marked as ours."""
    rows = [sweep for sweep in SWEEPS if sweep[0] == name]
    assert {set_values(*row)["model.initial_noise"] for row in rows} == {0.0067}
    assert all("model.initial_noise" in PRESETS[name].reasons(row[1]) for row in rows)


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_dry_run_marks_the_values_that_are_ours(
    run: Run, tmp_path: Any, name: str, method: str
) -> None:
    """`--dry-run` says the preset, gives a reason above each value of ours, and is a config.

    The config that it prints is the same sweep.
    """
    result = run(tmp_path, "sweep", "--preset", name, "--method", method, "--dry-run")
    assert (result.code, result.err) == (0, "")
    spec = SweepSpec.from_yaml(result.out)
    assert spec == SweepSpec.from_document({"preset": name, "method": method})
    assert result.out.startswith(f"# preset {name} ({PRESETS[name].citation}), row ")
    use = preset_use(spec.document)
    assert use is not None
    assert use.ours
    words = " ".join(result.out.replace("# ", "").split())
    for field, reason in use.ours.items():
        key = field if field in spec.grid else field.rpartition(".")[2]
        assert f"ours: {reason} {key}:" in words, field
    assert result.out.count("# ours: ") == len(use.ours)
    for sentence in PRESETS[name].differs:
        assert sentence in words
    assert all(len(line) <= 100 for line in result.out.splitlines())


def test_a_base_gives_what_its_file_leaves_out() -> None:
    """mib-table2 has the methods and the training of table 1, and its own data set and epochs."""
    first, second = PRESETS["mib-table1"], PRESETS["mib-table2"]
    assert second.methods == first.methods
    assert second.sweep == first.sweep
    assert (list(first.data), list(second.data)) == (["fashion_mnist"], ["cifar10"])
    third = PRESETS["mib-table3"]
    assert third.sweep == first.sweep
    assert "mib" not in third.methods


def test_documents_are_merged_field_by_field() -> None:
    """Later values win, and a section with another name replaces the section."""
    base = {"model": {"name": "mlp", "latent": 2}, "training": {"epochs": 3, "batch_size": 5}}
    assert merged(base, {"model": {"latent": 4}, "training": {"epochs": 1}}) == {
        "model": {"name": "mlp", "latent": 4},
        "training": {"epochs": 1, "batch_size": 5},
    }
    assert merged(base, {"model": {"name": "cnn"}})["model"] == {"name": "cnn"}
    assert base["model"] == {"name": "mlp", "latent": 2}


def test_an_installed_package_has_the_files() -> None:
    """The package data of pyproject.toml include the YAML files."""
    from tests.docs.reference import ROOT

    assert '"presets/*.yaml"' in (ROOT / "pyproject.toml").read_text()
    files = sorted((ROOT / "paretoib" / "presets").glob("*.yaml"))
    assert [file.stem for file in files] == list(PRESETS)
    assert all(isinstance(yaml.safe_load(file.read_text()), dict) for file in files)
