"""The content of pictures of the information plane; their appearance is not tested."""

from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from paretoib.fronts import plane_image
from paretoib.fronts._plane import MAX_DOTS, MAX_PATHS, paths, select_points
from paretoib.records import ExactCurve, Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

TWO_EPOCHS = {"rate_bits": (8.0, 2.0), "relevance_bits": (0.5, 1.5)}
WHITE = 255


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(BytesIO(png))
    assert image.size == (1600, 1000)
    return np.asarray(image.convert("RGB")).astype(int)


def test_a_path_is_the_trials_rate_and_relevance_by_epoch(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Epochs are counted from 1, and a missing value of the history is NaN in the path."""
    (point,) = make_front([make_trial(2.0, 1.0)]).points
    history = {"rate_bits": (9.0, None, 2.0), "relevance_bits": (0.1, 0.2, 1.5)}
    by_layer = paths([(point, history)])
    assert list(by_layer) == [0]
    (path,) = by_layer[0]
    assert path.epoch.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(path.rate, [9.0, np.nan, 2.0])
    np.testing.assert_array_equal(path.relevance, [0.1, 0.2, 1.5])


def test_layers_that_are_known_exactly_replace_z(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The path of Z is not drawn if the history has layers; layers are in numeric order."""
    deep, flat = make_front([make_trial(2.0, 1.0), make_trial(3.0, 0.5)]).points
    both: dict[str, Any] = {
        f"layer_{layer}/{name}": tuple(layer * value for value in row)
        for layer in (10, 2)
        for name, row in TWO_EPOCHS.items()
    }
    by_layer = paths(
        [
            (deep, both | TWO_EPOCHS),
            (flat, {k: v for k, v in both.items() if k.startswith("layer_2/")}),
        ]
    )
    assert {layer: [p.point for p in layer_paths] for layer, layer_paths in by_layer.items()} == {
        2: [deep, flat],
        10: [deep],
    }
    assert by_layer[10][0].rate.tolist() == [80.0, 20.0]


def test_a_long_path_keeps_its_first_epochs(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """A path has at most `MAX_DOTS` epochs, including the first five and the last."""
    (point,) = make_front([make_trial(2.0, 1.0)]).points
    row = tuple(range(20_000))
    ((path,),) = paths([(point, {"rate_bits": row, "relevance_bits": row})]).values()
    assert len(path.epoch) <= MAX_DOTS
    assert path.epoch[:5].tolist() == [1, 2, 3, 4, 5]
    assert path.epoch[-1] == 20_000
    assert (path.rate == path.epoch - 1).all()


def test_the_number_of_trials_drawn_is_limited(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """At most `MAX_PATHS` trials are drawn, evenly spaced by order; none of them is noiseless."""
    trials = [make_trial(rate, 1.0) for rate in range(1, 200)]
    points = select_points(make_front([*trials, make_trial(None, 0.5)]).points)
    assert len(points) == MAX_PATHS
    order = np.array([p.order for p in points])
    assert (order[0], order[-1]) == (0, 198)
    assert set(np.diff(order)) <= {3, 4}


def test_the_picture_requests_the_histories_that_it_draws(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Only the histories of drawn trials are requested, and another history changes the picture."""
    trials = [make_trial(2.0, 1.0, name="a"), make_trial(None, 0.1, name="b")]
    curve = ExactCurve(label="exact", rate_bits=(0, 3, 20), lost_bits=(3, 0, 0))
    front = make_front(trials, exact=curve)
    requested = []

    def history(trial: str) -> Any:
        requested.append(trial)
        return TWO_EPOCHS

    picture = pixels(plane_image(front, history))
    assert requested == ["a"]
    changed = TWO_EPOCHS | {"relevance_bits": (2.5, 0.5)}
    assert (picture != pixels(plane_image(front, lambda _: changed))).any()


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_a_picture_can_have_any_number_of_layers(
    make_trial: MakeTrial, make_front: MakeFront, layers: int
) -> None:
    """The picture is not blank for 1, 2, 3 or 5 layers."""
    front = make_front([make_trial(2.0, 1.0), make_trial(3.0, 0.5, beta=0.001)])
    rows = {f"layer_{n}/{k}": row for n in range(1, 1 + layers) for k, row in TWO_EPOCHS.items()}
    assert (pixels(plane_image(front, lambda _: rows)) < WHITE).any()


@pytest.mark.parametrize("layers", [1, 4, 5])
@pytest.mark.parametrize(("low", "high"), [(0.02, 80), (0.6, 11), (2, 25), (1.5, 80), (5, 9)])
def test_labels_of_ticks_do_not_overlap(
    make_trial: MakeTrial,
    make_front: MakeFront,
    monkeypatch: pytest.MonkeyPatch,
    layers: int,
    low: float,
    high: float,
) -> None:
    """On a logarithmic axis at least one tick has a label, and no two labels overlap."""
    drawn: list[Figure] = []
    save = Figure.savefig

    def record(figure: Figure, *args: Any, **kwargs: Any) -> None:
        save(figure, *args, **kwargs)
        drawn.append(figure)

    monkeypatch.setattr(Figure, "savefig", record)
    front = make_front([make_trial(2.0, 1.0), make_trial(3.0, 0.5, beta=0.001)])
    rows = {
        f"layer_{n}/{name}": row
        for n in range(1, 1 + layers)
        for name, row in (("rate_bits", (low, high)), ("relevance_bits", (0.1, 1.0)))
    }
    plane_image(front, lambda _: rows, axis="log")
    for ax in filter(Axes.get_visible, drawn[0].axes):
        is_bar = ax.get_label() == "<colorbar>"
        labels = _tick_labels(ax.yaxis if is_bar else ax.xaxis)
        along = 1 if is_bar else 0
        boxes = [label.get_window_extent() for label in labels]
        extents = sorted((box.min[along], box.max[along]) for box in boxes)
        assert all(end < begin for (_, end), (begin, _) in pairwise(extents))
    assert _tick_labels(drawn[0].axes[layers - 1].xaxis)


def _tick_labels(axis: Axis) -> list[Text]:
    """The labels that the axis shows."""
    first, last = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    labels = [
        label
        for tick in ticks
        if first <= tick.get_loc() <= last
        for label in (tick.label1, tick.label2)
    ]
    return [label for label in labels if label.get_visible() and label.get_text()]


def test_without_paths_a_picture_has_only_a_text(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A noiseless trial and a trial without a history have no path; the text covers few pixels."""
    for rate, history in ((None, TWO_EPOCHS), (2.0, {})):
        front = make_front([make_trial(rate, 0.1)])
        ink = (pixels(plane_image(front, lambda _, h=history: h)) < 128).mean()
        assert 0 < ink < 0.02
