"""`paretoib presets`, and `--preset` of `sweep` and `train`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoib.presets import PRESETS
from paretoib.specs import SweepSpec

Run = Callable[..., Any]
VIB = ("--preset", "mib-table1", "--method", "vib")


def test_presets_are_listed_with_their_methods(run: Run, tmp_path: Path) -> None:
    """Each preset has a line with its title and source, and a line with its methods."""
    result = run(tmp_path, "presets")
    lines = result.out.splitlines()
    heads = [line.partition(": ")[0] for line in lines if not line.startswith(" ")]
    assert [head for head in heads if head in PRESETS] == list(PRESETS)
    assert "  methods vib, nib, vib_squared, nib_squared" in lines
    assert "(mib table 1)" in result.out
    assert "paretoib sweep --method METHOD --preset NAME" in result.err
    document = run(tmp_path, "presets", "--json").document
    assert list(document["presets"]) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_shown_with_its_rows_and_reasons(run: Run, tmp_path: Path, name: str) -> None:
    """The text has every row, every reason and every difference; it is at most 80 columns wide."""
    result = run(tmp_path, "presets", name)
    preset = PRESETS[name]
    lines = [line.rstrip() for line in result.out.splitlines()]
    assert lines[0].startswith(f"{name}: ")
    assert max(map(len, lines)) <= 80
    words = " ".join(result.out.split())
    for method, of_method in preset.methods.items():
        for row in of_method.rows:
            assert f"{method}, row {row}" in words
    for sentence in preset.differs:
        assert sentence in words
    # A reason is folded within its column, so its words are not adjacent to each other.
    reasons = [r for method in preset.methods for r in preset.reasons(method).values()]
    assert all(reason.split()[-1] in words for reason in reasons)
    assert words.count("ours: ") >= len(preset.ours)
    method = next(iter(preset.methods))
    assert result.err == f"run:      paretoib sweep --method {method} --preset {name}\n"
    assert run(tmp_path, "presets", name, "--json").document["presets"][name]["paper"] == (
        preset.citation
    )


def test_an_unknown_preset_is_refused(run: Run, tmp_path: Path) -> None:
    """`presets` and `sweep` suggest the nearest preset, and start nothing."""
    for words in (("presets", "mib-tabel1"), ("sweep", "--preset", "mib-tabel1")):
        result = run(tmp_path, *words)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: unknown preset: should be one of imb-fig1, ")
        assert result.err.endswith("found `mib-tabel1`; did you mean `mib-table1`?\n")
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_the_table_lacks_is_refused(run: Run, tmp_path: Path) -> None:
    """The message names the methods of the preset."""
    result = run(tmp_path, "sweep", "--preset", "mib-table3", "--method", "mib")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: method: should be one of vib, nib, vib_squared, nib_squared with preset "
        "`mib-table3`; found `mib`\n"
    )


def test_missing_data_of_a_preset_are_an_error_with_instructions(run: Run, tmp_path: Path) -> None:
    """A preset whose data set is not on this machine gets the usual error about data."""
    words = ("--preset", "mtvib-fig6", "--method", "uwl")
    result = run(tmp_path / "store", "train", *words, PARETOIB_DATA=str(tmp_path))
    assert result.code == 2
    assert "data set `mtfl` not found: download MTFL.zip" in result.err


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (("--epochs", "2"), "training.epochs", 2),
        (("--set", "latent=8"), "model.latent", 8),
        (("--dataset", "digits"), "data.name", "digits"),
        (("--model", "mlp"), "model.name", "mlp"),
        (("--seeds", "4,5"), "seeds", [4, 5]),
        (("--grid", "beta=0.1,0.2"), "grid", {"weighting.beta": [0.1, 0.2]}),
        (("--set", "beta=0.1"), "grid", {"weighting.beta": [0.1]}),
        (("--search", "random", "--trials", "4"), "grid", {}),
        (("--name", "mine"), "name", "mine"),
        (("--preset", ""), "data.name", "digits"),
    ],
)
def test_flags_win_over_the_preset(
    run: Run, tmp_path: Path, flags: tuple[str, ...], field: str, value: Any
) -> None:
    """The field has the value of the flag."""
    found: Any = run(tmp_path, "sweep", *VIB, *flags, "--dry-run", "--json").document
    for part in field.split("."):
        found = found[part]
    assert found == value


def test_a_config_wins_over_the_preset(run: Run, tmp_path: Path) -> None:
    """A config file may name the preset; its own values and those of flags win."""
    config = tmp_path / "sweep.yaml"
    config.write_text("{preset: mib-table1, method: vib, training: {epochs: 3}}")
    flags = ("--config", str(config), "--set", "latent=8", "--dry-run", "--json")
    document = run(tmp_path, "sweep", *flags).document
    assert document["preset"] == "mib-table1"
    assert (document["training"]["epochs"], document["training"]["batch_size"]) == (3, 128)
    assert (document["model"]["latent"], document["data"]["name"]) == (8, "fashion_mnist")
    # The preset may also come from a flag.
    config.write_text("{method: vib, training: {epochs: 3}}")
    other = run(tmp_path, "sweep", "--preset", "mib-table1", *flags).document
    assert other == document


@pytest.mark.parametrize(
    ("saved", "flags"),
    [
        (VIB, ("--method", "mib")),
        (VIB, ("--preset", "mib-table3")),
        (VIB, ("--seeds", "1,2")),
        ((*VIB, "--epochs", "2"), ("--method", "nib")),
        (("--preset", "imb-table1", "--method", "vib"), ("--dataset", "cifar10")),
    ],
)
def test_flags_change_the_values_in_a_saved_sweep(
    run: Run, tmp_path: Path, saved: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    """A file of `--dry-run` with further flags gives the same sweep as all flags without a file."""
    config = tmp_path / "dry.yaml"
    config.write_text(run(tmp_path, "sweep", *saved, "--dry-run").out, encoding="utf-8")
    with_file = run(tmp_path, "sweep", "--config", str(config), *flags, "--dry-run")
    without_file = run(tmp_path, "sweep", *saved, *flags, "--dry-run")
    assert with_file.code == 0, with_file.err
    assert with_file.out == without_file.out


def test_a_changed_value_is_not_marked_as_ours(run: Run, tmp_path: Path) -> None:
    """The head of a dry run lists the change; comments stand above the other values of ours."""
    text = run(tmp_path, "sweep", *VIB, "--set", "decoder=[64]", "--dry-run").out
    assert text.startswith(
        "# preset mib-table1 (mib table 1), row VIB; changed: model.decoder [64] "
        "(preset: [128, 128])\n"
    )
    assert "  latent: 128\n  decoder:\n  - 64\n" in text
    assert "these are torchvision's\n  stem: imagenet\n" in text


def test_a_trial_of_a_preset_trains(run: Run, tmp_path: Path) -> None:
    """`train` with imb's protocol of the 12-bit problem trains all layers on the paper's share."""
    words = ("--preset", "imb-fig1", "--method", "imb_joint", "--epochs", "1", "--seed", "2")
    record = run(tmp_path, "train", *words, "--json").document
    assert record["status"] == "finished"
    assert record["spec"]["seed"] == 2
    data = record["spec"]["data"]
    assert (data["name"], data["train_share"]) == ("binary12", 0.8)
    assert record["spec"]["weighting"]["beta"] == 1e-4
    layers = [name for name in record["history"] if name.endswith("/rate_bits")]
    assert len(layers) == 4
    assert record["test"]["examples"] == 4096


def test_every_preset_is_a_config(run: Run, tmp_path: Path) -> None:
    """The JSON of a dry run is the stored document, with the name of the preset."""
    document = run(tmp_path, "sweep", *VIB, "--dry-run", "--json").document
    assert document["preset"] == "mib-table1"
    assert SweepSpec.from_document(document).document == document
    assert yaml.safe_load(run(tmp_path, "sweep", *VIB, "--dry-run").out)["preset"] == "mib-table1"
