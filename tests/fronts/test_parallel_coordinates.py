"""Parallel coordinates: where axes have their ticks, and where lines cross them."""

import json
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from paretoib.fronts import parallel_figure, parallel_image
from paretoib.fronts._parallel import MAX_TRIALS, ParallelAxis, parallel_lines
from paretoib.records import Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]


@pytest.fixture
def front(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """Six trials with β from 1e-5 to 1, two seeds, and one trial without a finite rate."""
    trials = [
        make_trial(10.0**i, 3 - 0.5 * i - 0.1 * (i % 2), beta=10.0 ** (i - 5), seed=i % 2)
        for i in range(6)
    ]
    return make_front([*trials, make_trial(None, 0.1)], name="<mine>")


def axis(front: Front, label: str) -> ParallelAxis:
    """The axis with this label."""
    lines = parallel_lines(front.points)
    assert lines is not None
    return next(axis for axis in lines.axes if axis.label == label)


def test_a_wide_positive_field_has_a_logarithmic_axis(front: Front) -> None:
    """Evenly log-spaced β lie evenly on their axis, with ticks at their values."""
    beta = axis(front, "β")
    assert sorted(beta.positions) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [label for _, label in beta.ticks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1", "1"]
    assert [position for position, _ in beta.ticks] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_axes_are_the_varied_fields_and_the_measures(front: Front) -> None:
    """Fields with one value have no axis; seeds are choices; trials without a rate have no line."""
    lines = parallel_lines(front.points)
    assert lines is not None
    assert [a.label for a in lines.axes] == ["β", "seed", "rate, bits", "lost, bits", "accuracy"]
    assert axis(front, "seed").ticks == [(0, "0"), (1, "1")]
    assert lines.lines.shape == (6, 5)
    # The accuracies are equal: their axis has a single tick in the middle.
    assert axis(front, "accuracy").ticks == [(0.5, "0.5")]


def test_many_values_have_evenly_spaced_ticks(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """An axis with many values has five ticks; a front with too many trials keeps its front."""
    trials = [
        make_trial(1 + i, 2.5, beta=0.1 + i / 1e4, name=f"{i}") for i in range(MAX_TRIALS + 5)
    ]
    lines = parallel_lines(make_front(trials).points)
    assert lines is not None
    assert len(lines.points) == MAX_TRIALS
    assert any(point.on_front for point in lines.points)
    assert [len(a.ticks) for a in lines.axes if a.label == "β"] == [5]


def test_a_click_on_the_figure_names_the_trial(front: Front) -> None:
    """The markers have the keys of the trials; labels are data, not HTML."""
    figure = json.loads(parallel_figure(front))
    markers = next(trace for trace in figure["data"] if trace["mode"] == "markers")
    keys = {point.trial[:12] for point in front.points if point.rate_bits is not None}
    assert set(markers["customdata"]) == keys
    assert figure["layout"]["xaxis"]["ticktext"][0] == "β"


def test_pictures_without_a_finite_rate_say_so(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A front without lines has the text of other pictures without points."""
    empty = make_front([make_trial(None, 0.1)])
    assert parallel_lines(empty.points) is None
    text = json.loads(parallel_figure(empty))["layout"]["annotations"][0]["text"]
    assert text == "no trial with a finite rate yet"
    assert Image.open(BytesIO(parallel_image(empty))).size == (1600, 1000)


def test_the_static_picture_has_the_formats_of_fronts(front: Front) -> None:
    """PNG, PDF and SVG begin as such files do."""
    assert Image.open(BytesIO(parallel_image(front))).size == (1600, 1000)
    assert parallel_image(front, "pdf").startswith(b"%PDF")
    assert b"<svg" in parallel_image(front, "svg")
