"""Fronts and comparisons as pandas tables, CSV and Parquet."""

import csv
from collections.abc import Callable
from io import BytesIO

import pandas
import pytest

from paretoib.fronts import compare, table_file
from paretoib.records import Front, Metrics, TaskMetrics, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]


@pytest.fixture
def front(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """Two settings with three seeds; a seventh trial has diverged."""
    trials = [
        make_trial(1.0 + i + 0.1 * seed, 2.0 - i, beta=0.1 * (i + 1), seed=seed, seconds=2.0)
        for i in range(2)
        for seed in range(3)
    ]
    return make_front([*trials, make_trial(beta=0.2, seed=3, status="diverged", name="bad")])


def test_a_row_is_a_trial(front: Front) -> None:
    """Each trial has its parameters, seed, key, status, measures and place, under a unit."""
    table = front.to_pandas()
    assert [*table["trial"]] == [p.trial for p in front.points] + ["bad"]
    assert [*table["status"]] == ["finished"] * 6 + ["diverged"]
    assert table["seed"].dtype.kind == "i"
    assert table["rate_bits"].dtype.kind == table["validation_lost_bits"].dtype.kind == "f"
    assert table["on_front"].dtype.kind == "b"
    for point, (_, row) in zip(front.points, table.iterrows(), strict=False):
        assert row["weighting.beta"] == point.params["weighting.beta"]
        assert row["rate_bits"] == point.rate_bits
        assert row["hull_gap_bits"] == point.hull_gap_bits
        assert row["on_front"] == point.on_front
    last = table.iloc[-1]
    assert pandas.isna(last["rate_bits"])
    assert last["reason"] == "loss was not finite in epoch 3"
    assert not last["on_front"]
    # The hypervolume over trials and over training time.
    ended = table.sort_values("order")
    assert [*ended["sweep_seconds"]] == [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 13.0]
    assert ended["sweep_hypervolume_bits2"].is_monotonic_increasing
    assert ended["sweep_hypervolume_bits2"].iloc[-1] == front.hypervolume


def test_a_row_is_a_setting(front: Front) -> None:
    """The second form has means, the ends of intervals, and counts of seeds and failures."""
    table = front.to_pandas("settings")
    means = front.to_pandas().groupby("weighting.beta")["rate_bits"].mean()
    assert [*table["rate_bits"]] == pytest.approx([*means.sort_values()])
    assert [*table["seeds"]] == [3, 3]
    assert [*table["failed"]] == [0, 1]
    assert (table["rate_bits_low"] < table["rate_bits"]).all()
    assert (table["rate_bits"] < table["rate_bits_high"]).all()
    assert table["trials"].str.split().map(len).tolist() == [3, 3]


@pytest.mark.parametrize("trials", [False, True])
def test_files_have_the_same_cells(front: Front, trials: bool) -> None:
    """CSV and Parquet have the rows of the settings, or with `trials` those of the trials."""
    table = front.to_pandas("trials" if trials else "settings")
    read = (
        pandas.read_csv(BytesIO(table_file(front, "csv", trials=trials))),
        pandas.read_parquet(BytesIO(table_file(front, "parquet", trials=trials))),
    )
    for found in read:
        pandas.testing.assert_frame_equal(found, table, check_dtype=False, check_like=True)
    assert [*read[0]] == [*read[1]] == [*table]


def test_with_one_seed_a_file_has_trials(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """If no setting has two seeds, both forms of a file are the same."""
    front = make_front([make_trial(1.0, 1.0), make_trial(2.0, 0.5, beta=0.2)])
    assert table_file(front) == table_file(front, trials=True)
    assert table_file(front).startswith(b"trial,seed,status,weighting.beta,rate_bits,")


def test_cells_of_a_column_have_one_type(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """Lists are JSON texts, and a column with numbers and text is text, so Parquet can hold it."""
    models = ({"name": "mlp", "hidden": [64, 64]}, {"name": "cnn", "size": 3}, {"size": "large"})
    front = make_front([make_trial(1.0 + i, 1.0, model=m) for i, m in enumerate(models)])
    table = pandas.read_parquet(BytesIO(table_file(front, "parquet", trials=True)))
    assert table["model.hidden"].tolist()[0] == "[64, 64]"
    assert [v for v in table["model.size"] if isinstance(v, str)] == ["3", "large"]


def test_a_table_of_a_comparison_has_both_sides(front: Front, make_front: MakeFront) -> None:
    """The rows of a comparison have side, label and sweep, and whether the other side is better."""
    other = make_front([], name="other").model_copy(update={"points": front.points})
    comparison = compare([front], [other], labels=("a", "b"))
    table = comparison.to_pandas()
    assert table.groupby("side")["label"].unique().map(list).to_dict() == {
        "left": ["a"],
        "right": ["b"],
    }
    assert {*table["sweep"]} == {"sweep", "other"}
    assert [*table["dominated_by_other"]] == [p.dominated_by_other for p in comparison.points]
    rows = list(csv.DictReader(table_file(comparison).decode().splitlines()))
    assert [row["side"] for row in rows] == ["left", "left", "right", "right"]
    assert len(table_file(comparison, trials=True).decode().splitlines()) == 13


def test_tasks_have_columns(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """With several tasks, each measure of each task is a column."""
    trial = make_trial(1.0, 1.0)
    assert trial.test is not None
    digit = TaskMetrics(
        relevance_bits=1.5, ceiling_bits=2.0, lost_bits=0.5, cross_entropy_bits=0.5, accuracy=0.8
    )
    test = Metrics(**{**dict(trial.test), "tasks": {"digit": digit}})
    table = make_front([trial.model_copy(update={"test": test})]).to_pandas()
    assert table["digit_accuracy"].tolist() == [0.8]
    assert table["digit_lost_bits"].tolist() == [0.5]


def test_an_empty_front_has_an_empty_table(make_front: MakeFront) -> None:
    """Without trials, a table and its files have no rows."""
    front = make_front([])
    assert len(front.to_pandas()) == 0
    assert table_file(front).strip() == b""
