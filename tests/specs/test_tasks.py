"""Specs for data with several tasks: the methods of the paper mtvib, and invalid combinations."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.search import driver
from paretoib.specs import SweepSpec, TrialSpec, with_overrides


@pytest.mark.parametrize(
    ("method", "sections", "trials"),
    [
        ("mtvib", ("vib", "uncertainty", "mtvib_cnn"), 16),
        ("uwl", ("deterministic", "uncertainty", "small_alexnet"), 3),
        ("gs", ("deterministic", "task_weights", "small_alexnet"), 9),
        ("stvib", ("vib", "linear", "mtvib_cnn"), 16),
        ("stl", ("deterministic", "none", "small_alexnet"), 3),
    ],
)
def test_a_method_has_the_values_of_the_paper_mtvib(
    method: str, sections: tuple[str, ...], trials: int
) -> None:
    """The methods have the paper's sections, batch size 200 and learning rate 1e-4."""
    spec = SweepSpec.from_document({"method": method})
    assert (spec.objective.name, spec.weighting.name, spec.model.name) == sections
    assert spec.data.name == "multi_mnist"
    assert spec.template.tasks == (() if method in ("stvib", "stl") else ("left", "right"))
    assert (spec.training.batch_size, spec.training.learning_rate) == (200, 1e-4)
    assert len(driver(spec).ask(100)) == spec.trials == trials
    if sections[2] == "mtvib_cnn":
        assert spec.model["latent"] == 256
        assert spec.weighting["beta"] == 1e-3


def test_fields_override_the_papers_values() -> None:
    """Fields of the document and overrides replace the paper's values."""
    document = {"method": "mtvib", "data": "mtfl", "training": {"epochs": 3, "batch_size": 8}}
    spec = with_overrides(document, {"learning_rate": 0.01})
    assert (spec.training.epochs, spec.training.batch_size) == (3, 8)
    assert spec.training.learning_rate == 0.01
    assert spec.template.tasks == ("gender", "smile", "glasses", "pose")
    assert SweepSpec.from_document(spec.document) == spec


def test_large_images_have_the_convolutions_of_mtvib_table_2() -> None:
    """On `mtfl`, models that have `kernel` and `stride` use 5×5 kernels and stride 2 by default."""
    for method in ("mtvib", "uwl", "vib"):
        spec = SweepSpec.from_document({"method": method, "data": "mtfl"})
        assert (spec.model["kernel"], spec.model["stride"]) == (5, 2)
    assert with_overrides({"method": "stl", "data": "mtfl"}, {"kernel": 3}).model["kernel"] == 3
    plain = SweepSpec.from_document({"method": "vib", "data": "mtfl", "model": "resnet18"})
    assert "kernel" not in plain.model.params


def test_a_method_of_one_task_uses_the_first_or_the_selected_task() -> None:
    """A method of one task uses the first task by default and refuses `task=all`."""
    for fields, task in (({}, "left"), ({"task": "right"}, "right")):
        document = {"method": "stl", "data": "multi_fashion"}
        assert with_overrides(document, fields).data["task"] == task
    with pytest.raises(SpecError, match=r"`stl` learns one task; .* has 2 \(left, right\)"):
        with_overrides({"method": "stl", "data": "multi_mnist"}, {"task": "all"})


@pytest.mark.parametrize(
    ("data", "count", "ends"),
    [
        ("multi_mnist", 9, ((0.2, 1.8), (1.8, 0.2))),
        ("mtfl", 10, ((0.6667, 0.6667, 0.6667, 2.0), (2.0, 0.6667, 0.6667, 0.6667))),
        ("digits", 1, ((1.0,), (1.0,))),
    ],
)
def test_the_default_grid_of_task_weights_is_evenly_spaced(
    data: str, count: int, ends: tuple[Any, ...]
) -> None:
    """Task weights are positive and have mean 1, and their grid is symmetric in the tasks."""
    axis = SweepSpec.from_document({"method": "gs", "data": data}).grid["weighting.task_weights"]
    assert len(set(axis)) == len(axis) == count
    assert (axis[0], axis[-1]) == ends
    assert {tuple(reversed(weights)) for weights in axis} == set(axis)
    for weights in axis:
        assert sum(weights) == pytest.approx(len(weights), abs=1e-3)
        assert min(weights) > 0


def test_a_grid_of_task_weights_can_be_set() -> None:
    """Each value of the axis is a list of weights. Lists of equal lengths fit into one pack."""
    spec = with_overrides({"method": "gs"}, grid={"task_weights": "[1, 9], [1, 1], [9, 1]"})
    trials = driver(spec).ask(9)
    assert [t.get("task_weights") for t in trials] == [(1, 9), (1, 1), (9, 1)]
    assert len({t.pack_key for t in trials}) == 1
    assert spec.template.pack_key not in {t.pack_key for t in trials}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"objective": "log_var_given_y"}, r"needs one task; data set `multi_mnist` has 2"),
        ({"objective": "categorical"}, r"`categorical` needs one task; data set `multi_mnist` has"),
        (
            {"weighting": {"name": "task_weights", "task_weights": [1, 2, 3]}},
            "should have 2 values, one for each task",
        ),
        ({"weighting": "none"}, r"`none` weighs 1 losses; objective `vib` has 2"),
        ({"objective": "deterministic", "weighting": "linear"}, "`linear` weighs 2 to 9 losses"),
    ],
)
def test_invalid_combinations_with_several_tasks_are_refused(
    change: dict[str, Any], rule: str
) -> None:
    """An objective or a weighting is refused if it does not fit the number of tasks or losses."""
    document = SweepSpec.from_document({"method": "vib", "data": "multi_mnist"}).template.document
    with pytest.raises(SpecError, match=rule):
        TrialSpec.from_document({**document, **change})


def test_beta_may_not_vary_if_it_is_not_a_weight() -> None:
    """If no loss is weighted by β, several β would train the same trial under several keys."""
    assert with_overrides({"method": "uwl"}, {"beta": 0.1}).trials == 3
    for field in ({"grid": {"beta": [0.1, 1]}}, {"search": "random", "space": {"beta": "0.1:1"}}):
        with pytest.raises(
            SpecError, match="beta: should not vary, because objective `deterministic`"
        ):
            SweepSpec.from_document({"method": "uwl", **field})


def test_adaptive_weightings_accept_several_tasks_without_compression() -> None:
    """MGDA accepts the prediction losses of two tasks, as in Sener and Koltun 2018."""
    document = {"method": "mgda", "data": "multi_mnist", "objective": "deterministic"}
    assert SweepSpec.from_document(document).template.tasks == ("left", "right")
    with pytest.raises(SpecError, match=r"`mgda` weighs 2 to 9 losses; .* has 1"):
        SweepSpec.from_document({**document, "data": "mnist"})
