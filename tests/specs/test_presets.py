"""Presets supply defaults: above those of the method, below the values of the user."""

import json
from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.presets import PRESETS
from paretoib.specs import SweepSpec, preset_use, with_overrides, without_defaults

from .spec_errors import error_message

TABLE: dict[str, Any] = {"preset": "mib-table1", "method": "vib"}


def spec_of(**document: Any) -> SweepSpec:
    """The sweep of table 1's VIB with these fields."""
    return SweepSpec.from_document(TABLE | document)


def test_a_preset_wins_over_the_defaults_of_the_method() -> None:
    """The sweep has the preset's data, model, training and seeds, and one β instead of a grid."""
    spec = spec_of()
    assert (spec.data.name, spec.data["subset"]) == ("fashion_mnist", 0.2)
    assert (spec.model.name, spec.model["latent"], spec.model["decoder"]) == (
        "resnet18",
        128,
        (128, 128),
    )
    assert (spec.training.epochs, spec.seeds, spec.trials) == (40, (0, 1, 2), 3)
    assert spec.grid == {"weighting.beta": (1e-4,)}
    assert spec.template.get("beta") == 1e-4
    assert spec.preset == "mib-table1"


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        ({"training": {"epochs": 3}}, "training.epochs", 3),
        ({"model": {"name": "resnet18", "latent": 8}}, "model.latent", 8),
        ({"model": {"latent": 8}}, "model.latent", 8),
        ({"data": {"name": "fashion_mnist", "fold": 1}}, "data.fold", 1),
        ({"objective": {"name": "vib", "prior_width": 3}}, "objective.prior_width", 3),
    ],
)
def test_a_field_of_the_document_wins(document: Any, field: str, value: Any) -> None:
    """The document's field wins, and all other fields stay those of the preset."""
    changed, plain = spec_of(**document).template, spec_of().template
    assert changed.get(field) == value != plain.get(field)
    assert changed == plain.with_fields({field: value})


def test_another_entry_replaces_its_section_only() -> None:
    """Another model has its own defaults; data, training and seeds stay those of the preset."""
    spec = spec_of(model="mlp")
    assert spec.model == SweepSpec.from_document({"method": "vib", "model": "mlp"}).model
    assert (spec.training, spec.data, spec.seeds) == (
        spec_of().training,
        spec_of().data,
        spec_of().seeds,
    )


def test_a_data_set_of_the_preset_brings_its_own_values() -> None:
    """imb's table 1 has Adadelta on MNIST and Adagrad on CIFAR-10, and another β for VIB."""
    sweeps = {
        data: SweepSpec.from_document({"preset": "imb-table1", "method": "vib", "data": data})
        for data in ("mnist", "cifar10")
    }
    assert {d: s.template.get("beta") for d, s in sweeps.items()} == {
        "mnist": 1e-3,
        "cifar10": 1e-4,
    }
    joint = {"preset": "imb-table1", "method": "imb_joint"}
    optimisers = {
        data: SweepSpec.from_document({**joint, **data_section}).training.optimiser
        for data, data_section in (
            ("default", {}),
            ("mnist", {"data": "mnist"}),
            ("cifar10", {"data": {"name": "cifar10", "subset": 0.5}}),
        )
    }
    assert optimisers == {"default": "adadelta", "mnist": "adadelta", "cifar10": "adagrad"}


def test_a_stand_in_for_the_data_keeps_all_other_values() -> None:
    """On a data set that the preset does not have, only the `data` section differs."""
    spec = spec_of(data="digits")
    assert spec.data == SweepSpec.from_document({"method": "vib"}).data
    assert spec.template.model == spec_of().model
    assert spec.training == spec_of().training
    assert spec.grid == spec_of().grid


def test_a_value_of_the_document_is_not_varied() -> None:
    """A field that the preset varies has the document's value; other axes stay."""
    mib = {"preset": "mib-table1", "method": "mib"}
    both = {"weighting.iterations": (10, 100), "weighting.sqrted": (0, 1)}
    assert SweepSpec.from_document(mib).grid == both
    spec = SweepSpec.from_document({**mib, "weighting": {"name": "mib", "iterations": 20}})
    assert spec.grid == {"weighting.iterations": (20,), "weighting.sqrted": (0, 1)}
    spec = spec_of(weighting={"name": "linear", "beta": 0.5})
    assert spec.grid == {"weighting.beta": (0.5,)}


def test_a_grid_of_the_document_replaces_the_grid_of_the_preset() -> None:
    """Fields that it does not vary have the values of the preset."""
    document = {"preset": "mib-table1", "method": "mib", "grid": {"mu": [0.1, 1]}}
    spec = SweepSpec.from_document(document)
    assert spec.grid == {"weighting.mu": (0.1, 1.0)}
    assert (spec.template.get("iterations"), spec.template.get("sqrted")) == (10, 1)


def test_another_search_leaves_the_grid_out() -> None:
    """Search `adaptive` varies β over its default range, not the single β of the preset."""
    spec = spec_of(search="adaptive")
    assert (spec.grid, set(spec.space)) == ({}, {"weighting.beta"})
    assert spec.training == spec_of().training


@pytest.mark.parametrize(
    ("fields", "grid", "expected"),
    [
        ({"beta": 0.5}, {}, {"weighting.beta": (0.5,)}),
        ({"weighting.beta": 0.5}, {}, {"weighting.beta": (0.5,)}),
        ({}, {"beta": "0.1,0.2"}, {"weighting.beta": (0.1, 0.2)}),
        ({"epochs": 2}, {"latent": "4,8"}, {"weighting.beta": (1e-4,), "model.latent": (4, 8)}),
    ],
)
def test_overrides_win(fields: Any, grid: Any, expected: Any) -> None:
    """Overrides of fields and axes replace those of the preset, and keep the other axes."""
    spec = with_overrides(TABLE, fields, grid)
    assert spec.grid == expected
    assert spec.training.epochs == fields.get("epochs", 40)
    assert spec.model.name == "resnet18"
    assert SweepSpec.from_document(spec.document) == spec


def test_an_overridden_section_brings_the_values_of_its_data_set() -> None:
    """`data=cifar10` in the overrides takes the preset's values for CIFAR-10."""
    document = {"preset": "imb-table1", "method": "imb_joint"}
    assert with_overrides(document, {"data": "cifar10"}).training.optimiser == "adagrad"
    spec = with_overrides(document, {"data": "cifar10", "subset": 0.1})
    assert (spec.training.optimiser, spec.data["subset"]) == ("adagrad", 0.1)


def test_any_objective_of_mib_keeps_the_weighting_of_the_preset() -> None:
    """With another objective, the fields of the preset's objective do not apply."""
    spec = with_overrides({"preset": "mib-table1", "method": "mib"}, {"objective": "nib"})
    assert spec.objective.params == {}
    assert spec.grid["weighting.iterations"] == (10, 100)


def test_a_stored_sweep_does_not_depend_on_its_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete document is read as it is, also if the preset has other values now."""
    spec = with_overrides(TABLE, {"epochs": 3, "latent": 4}, {"beta": "0.1,0.2"})
    stored = json.loads(spec.to_json())
    other = PRESETS["vim-table1"]
    names = {**dict(PRESETS), "mib-table1": other}
    monkeypatch.setattr("paretoib.specs._presets.PRESETS", names)
    assert SweepSpec.from_document({"preset": "mib-table1", "method": "vib"}) != spec
    assert SweepSpec.from_document(stored) == spec


def test_a_stored_sweep_without_the_field_is_read() -> None:
    """A document of an earlier version has no `preset`; its trials are the same."""
    spec = SweepSpec.from_document({"method": "vib", "trials": 4})
    stored = spec.document
    assert stored.pop("preset") is None
    assert SweepSpec.from_document(stored) == spec
    assert SweepSpec.from_document({**stored, "preset": ""}) == spec


def test_a_preset_is_no_part_of_its_trials() -> None:
    """Trials with the same values have the same key, with and without a preset."""
    spec = spec_of()
    plain = SweepSpec.from_document({**spec.document, "preset": None})
    assert plain.template.key == spec.template.key
    assert plain.preset is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TABLE, {"method": "mib"}),
        (TABLE, {"method": "nib_squared"}),
        (TABLE, {"preset": "mib-table3"}),
        ({**TABLE, "training": {"epochs": 2}}, {"method": "mib"}),
        ({"preset": "imb-table1", "method": "imb_joint"}, {"data": "cifar10"}),
        ({"preset": "imb-table1", "method": "imb_joint"}, {"method": "vib"}),
        ({"preset": "uib-fig5", "method": "l2"}, {"method": "log_var"}),
        ({"preset": "mib-table1", "method": "mib"}, {"search": "adaptive"}),
        ({"preset": "mtvib-fig5", "method": "gs"}, {"method": "mtvib"}),
    ],
)
def test_a_change_takes_the_values_of_the_preset(before: Any, after: Any) -> None:
    """A change in a written document gives the same sweep as in the short document."""
    written = SweepSpec.from_document(before).document
    changed = SweepSpec.from_document(without_defaults(written) | after)
    assert changed == SweepSpec.from_document({"data": written["data"]} | before | after)


@pytest.mark.parametrize("name", PRESETS)
def test_a_document_without_defaults_is_short(name: str) -> None:
    """All values of a preset are dropped, and the short document is the same sweep."""
    for method in PRESETS[name].methods:
        spec = SweepSpec.from_document({"preset": name, "method": method})
        short = without_defaults(spec.document)
        assert SweepSpec.from_document(short) == spec
        kept = {"preset", "method", "data", "seeds", "model", "training", "grid", "trials"}
        assert kept & short.keys() == {"preset", "method", "data"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"preset": "mib-tabel1", "method": "vib"},
            "unknown preset: should be one of imb-fig1, imb-fig2, ",
        ),
        ({"preset": "mib-tabel1"}, "found `mib-tabel1`; did you mean `mib-table1`?"),
        ({"preset": 3}, "unknown preset"),
        ({"preset": ["mib-table1"]}, "unknown preset"),
        (
            {"preset": "mtvib-fig5", "method": "vib"},
            "method: should be one of mtvib, stvib, stl, uwl, gs with preset `mtvib-fig5`; "
            "found `vib`",
        ),
        (
            {"preset": "vim-table1"},
            "method: should be one of deterministic, vib, vim with preset `vim-table1`; found none",
        ),
        ({**TABLE, "method": "vibb"}, "unknown method"),
        ({**TABLE, "method": ["vib"]}, "unknown method"),
        ({**TABLE, "data": "imagenet"}, "unknown dataset"),
        ({**TABLE, "data": {"name": ["mnist"]}}, "data: should be a name or a mapping"),
        ({**TABLE, "data": "gaussian"}, "model `resnet18` takes inputs of kind image"),
        ({**TABLE, "model": 3}, "model: should be a name or a mapping"),
        ({**TABLE, "training": 3}, "training: should be a mapping"),
        ({**TABLE, "model": {"latnet": 3}}, "model.latnet: unknown field"),
        ({**TABLE, "grid": 3}, "grid: should be a mapping"),
        ({**TABLE, "trials": 4}, "trials: should be 3, the size of the grid (1) times"),
    ],
)
def test_invalid_documents_are_refused(document: Any, message: str) -> None:
    """The message names the presets, the methods of the preset, or the invalid field."""
    assert message in error_message(document)


def test_changes_from_the_preset_are_listed() -> None:
    """Changed fields have the values of the preset and of the sweep; values of ours lose them."""
    spec = with_overrides(
        {"preset": "mib-table1", "method": "mib", "seeds": [0]},
        {"epochs": 1, "iterations": 20, "decoder": [64]},
    )
    use = preset_use(spec.document)
    assert use is not None
    assert use.changed == {
        "training.epochs": (40, 1),
        "model.decoder": ([128, 128], [64]),
        "seeds": ([0, 1, 2], [0]),
        "weighting.iterations": ([10, 100], 20),
    }
    assert "model.stem" in use.ours
    assert use.ours.keys().isdisjoint(use.changed)
    assert "weighting.iterations 20 (preset: [10, 100])" in str(use)
    assert use.document["changed"]["training.epochs"] == {"preset": 40, "sweep": 1}


def test_a_stand_in_is_one_change() -> None:
    """Another data set is listed by its name alone."""
    use = preset_use(spec_of(data="digits").document)
    assert use is not None
    assert use.changed == {"data": ("fashion_mnist", "digits")}
    changed = "changed: data digits (preset: fashion_mnist)"
    assert str(use) == f"mib-table1 (mib table 1), row VIB; {changed}"


@pytest.mark.parametrize(
    ("preset", "method", "fields", "row"),
    [
        ("mtvib-fig5", "stl", {"task": "right"}, "STL, right"),
        ("vim-table1", "deterministic", {}, "Baseline"),
        ("vim-table1", "deterministic", {"label_smoothing": 0.1}, "Label Smoothing"),
        ("vim-table1", "vib", {"beta": 1e-4}, "VIB (β = 1e-4), in tables 2 and 3"),
        ("uib-fig4", "l2", {"zero_entropy_noise": False}, "no noise"),
    ],
)
def test_the_row_is_the_most_similar_one(preset: str, method: str, fields: Any, row: str) -> None:
    """The values of a later row are no changes."""
    spec = with_overrides({"preset": preset, "method": method}, fields)
    use = preset_use(spec.document)
    assert use is not None
    assert (use.row, use.changed) == (row, {})
    assert str(use).endswith("; nothing changed")


def test_a_sweep_without_a_preset_has_no_use() -> None:
    """Without a preset there is nothing to compare with."""
    assert preset_use(SweepSpec.from_document({}).document) is None


def test_a_preset_of_another_version_is_refused() -> None:
    """A stored sweep may name a preset or a method that this version does not have."""
    stored = spec_of().document
    with pytest.raises(SpecError, match="unknown preset"):
        preset_use({**stored, "preset": "mib-table9"})
    with pytest.raises(SpecError, match="unknown method of the preset"):
        preset_use({**stored, "method": "gs"})
