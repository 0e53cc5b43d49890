"""The content of pictures of fronts; their appearance is not tested."""

import json
import re
import subprocess
import sys
import warnings
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from paretoib.fronts import (
    ImageFormat,
    RateAxis,
    compare,
    comparison_figure,
    comparison_html,
    comparison_image,
    front_figure,
    front_html,
    front_image,
    plane_image,
)
from paretoib.fronts._bands import front_band
from paretoib.fronts._drawing import INTERVAL, LOWER_BOUND, front_caption, plane_of
from paretoib.fronts._hover import hover
from paretoib.fronts._static import legend_label, new_figure, save_figure, style
from paretoib.records import ExactCurve, Front, Metrics, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

AXES: tuple[RateAxis | None, ...] = (None, "linear", "log")
CURVE = ExactCurve(label="exact bound", rate_bits=(0, 3, 20), lost_bits=(3, 0, 0))


@pytest.fixture
def front(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """A front with supported, unsupported, dominated, noiseless, diverged and stopped trials."""
    trials = [
        make_trial(0.0, 2.9, beta=1.0),
        make_trial(1.0, 2.0, beta=0.1),
        make_trial(1.5, 1.9, beta=0.05),
        make_trial(9.0, 0.2, beta=0.001),
        make_trial(9.5, 0.9, beta=0.0),
        make_trial(None, 0.1),
        make_trial(status="diverged"),
        make_trial(name="pruned", status="stopped"),
    ]
    return make_front(trials, name="<mine>", exact=CURVE)


def _figure(html: str) -> tuple[list[dict], dict]:
    """The traces and the layout that a page passes to plotly."""
    call = html[html.rindex("Plotly.newPlot(") :]
    decoder = json.JSONDecoder()
    traces, end = decoder.raw_decode(call, call.index("["))
    layout, _ = decoder.raw_decode(call, call.index("{", end))
    return traces, layout


def _hovers(html: str) -> list[str]:
    return [text for trace in _figure(html)[0] for text in trace.get("text", [])]


def test_a_page_loads_no_other_file(front: Front) -> None:
    """The page includes plotly's script, and no script, link, image or frame has a URL."""
    for html in (front_html(front), comparison_html(compare([front], [front]))):
        assert not re.search(r"<(script|link|img|iframe)[^>]*\b(src|href)=", html)
        assert "Plotly.newPlot" in html
        assert len(html) > 1_000_000


def test_every_trial_with_a_rate_is_drawn_and_explained(front: Front) -> None:
    """Each trial with a finite rate has a hover text with its parameters, metrics and β."""
    hovers = _hovers(front_html(front))
    assert len(hovers) == 5
    (unsupported,) = (text for text in hovers if "above the hull by" in text)
    assert "which may be noise with so few seeds" in unsupported
    for part in (
        "β 0.05",
        "seed 0",
        "rate 1.5 bits, at least 1.35",
        "accuracy 50.00 %, sampled 51.00 %, one sample 49.00 %",
        "relevance",
    ):
        assert part in unsupported
    assert sum("dominated by its own front" in text for text in hovers) == 1
    assert sum("selected by" in text for text in hovers) == 3


def test_a_rate_of_zero_is_drawn_at_the_left_end_of_the_axis(front: Front) -> None:
    """A logarithmic axis has no 0: a rate of 0 is drawn at 0.1 bits, as the hover text says."""
    html = front_html(front)
    traces, layout = _figure(html)
    assert layout["xaxis"]["type"] == "log"
    assert min(min(_numbers(t["x"])) for t in traces if t.get("name") != LOWER_BOUND) > 0
    (zero,) = (text for text in _hovers(html) if "rate 0 bits" in text)
    assert "drawn at 0.1 bits" in zero


def _numbers(values: list[float] | dict) -> list[float]:
    """The numbers of an array that plotly wrote as a list or as base64."""
    if isinstance(values, dict):
        return np.frombuffer(b64decode(values["bdata"]), values["dtype"]).tolist()
    return values


def test_the_axis_is_linear_within_a_decade(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """Rates from 2 to 8 bits have a linear axis."""
    html = front_html(make_front([make_trial(2.0, 1.0), make_trial(8.0, 0.5)]))
    assert _figure(html)[1]["xaxis"]["type"] == "linear"
    assert 'press("linear")' in html


def test_a_bar_joins_the_rate_to_its_lower_bound(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The bar is 0.2 bits long, because the rate is 2 bits and its lower bound is 1.8 bits."""
    traces, _ = _figure(front_html(make_front([make_trial(2.0, 1.0)])))
    (bars,) = (t["error_x"] for t in traces if "error_x" in t)
    assert _numbers(bars["arrayminus"]) == pytest.approx([0.2])
    assert _numbers(bars["array"]) == [0]


def test_a_linear_axis_clips_nothing(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """On a linear axis, lower bounds and the exact curve are drawn at their true rates."""
    trials = [make_trial(rate, lost) for rate, lost in ((34.0, 1.0), (54.0, 0.5))]
    low = [t.model_copy(update={"test": _with_lower_bound(t.test, 8.5)}) for t in trials]
    curve = ExactCurve(label="exact", rate_bits=(0.0, 3.0, 40.0), lost_bits=(3.0, 0.0, 0.0))
    front = make_front(low, exact=curve)
    traces, layout = _figure(front_html(front))
    assert layout["xaxis"]["type"] == "linear"
    (bars,) = (t for t in traces if "error_x" in t)
    left = np.subtract(_numbers(bars["x"]), _numbers(bars["error_x"]["arrayminus"]))
    assert left == pytest.approx([8.5, 8.5])
    (exact,) = (t for t in traces if t.get("name") == "exact")
    assert min(_numbers(exact["x"])) == pytest.approx(0, abs=0.01)
    assert 3.0 in _numbers(exact["x"])


def _with_lower_bound(metrics: Metrics | None, bits: float) -> Metrics:
    assert metrics is not None
    return metrics.model_copy(update={"rate_lower_bits": bits})


def test_a_logarithmic_axis_includes_the_smallest_lower_bound(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """On a logarithmic axis, a lower bound far below all rates is drawn at its true value."""
    trial = make_trial(2.0, 1.0)
    trials = [
        trial.model_copy(update={"test": _with_lower_bound(trial.test, 0.05)}),
        make_trial(40.0, 0.5),
    ]
    front = make_front(trials)
    assert plane_of(front).lower(front.points)[0] == 0.05


def test_names_are_text_not_markup(front: Front) -> None:
    """The name `<mine>` of a sweep is escaped."""
    for html in (front_html(front), comparison_html(compare([front], [front]))):
        assert "<mine>" not in html
        assert "&lt;mine&gt;" in html


def test_the_caption_counts_trials_that_are_not_drawn(front: Front) -> None:
    """The caption has the hypervolume, the cost, and the numbers of trials that are not drawn."""
    html = front_html(front)
    for part in (
        "up to the reference point (rate 10 bits, lost 3 bits)",
        "8 trials, 8 s",
        "1 failed",
        "1 stopped early",
        "1 without a finite rate",
    ):
        assert part in html


def test_a_hypervolume_of_zero_is_explained(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """If the hypervolume is 0, the caption says that every point is beyond the reference point."""
    front = make_front([make_trial(20.0, 1.0)])
    caption = front_caption(front, plane_of(front))
    assert caption.startswith(
        "hypervolume 0: every point lies beyond the reference point (rate 10 bits, lost 3 bits)"
    )


def test_points_far_above_the_reference_point_are_not_drawn(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A trial with 40 lost bits does not lengthen the axis, and the caption counts this trial."""
    html = front_html(make_front([make_trial(1.0, 1.0), make_trial(2.0, 40.0)]))
    assert _figure(html)[1]["yaxis"]["range"][1] < 3
    assert "1 above the picture" in html


def test_a_comparison_shows_verdict_table_and_both_sides(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The page has the verdict and a table; a hover text says which side dominates the point."""
    left = make_front([make_trial(1.0, 1.0)], name="a", method="mib")
    right = make_front([make_trial(2.0, 2.0)], name="b", method="vib", exact=CURVE)
    comparison = compare([left], [right])
    html = comparison_html(comparison)
    assert comparison.verdict.replace("'", "&#x27;") in html
    for part in ("additive ε", "IGD+", "coverage", "exact curve", "Mann–Whitney", "seeds"):
        assert part in html
    assert any("dominated by mib, by at least 1 bits" in text for text in _hovers(html))
    assert {t.get("name") for t in _figure(html)[0]} >= {"mib, on the hull", "vib, on the hull"}


@pytest.mark.parametrize(
    ("format", "begin"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_pictures_have_three_formats(front: Front, format: ImageFormat, begin: bytes) -> None:
    """A picture of each kind is a PNG, a PDF or an SVG; drawn twice, it has equal bytes."""
    history = {"rate_bits": [0.5, 1.0, 2.0], "relevance_bits": [0.1, 0.5, 1.0]}
    comparison = compare([front], [front])
    for draw in (
        lambda: front_image(front, format),
        lambda: comparison_image(comparison, format),
        lambda: plane_image(front, lambda _: history, format),
    ):
        picture = draw()
        assert picture.startswith(begin)
        assert draw() == picture


def test_the_axis_of_the_rate_can_be_chosen(front: Front) -> None:
    """`axis` sets the axis of the rate in pages and images; the default depends on the range."""
    comparison = compare([front], [front])
    for html, image in ((front_html, front_image), (comparison_html, comparison_image)):
        source = front if html is front_html else comparison
        types = {axis: _figure(html(source, axis=axis))[1]["xaxis"]["type"] for axis in AXES}
        assert types == {None: "log", "linear": "linear", "log": "log"}
        images = [image(source, axis=axis) for axis in AXES]
        assert images[0] == images[2] != images[1]


def test_only_gaps_that_the_seeds_show_are_diamonds(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Points above the hull are open circles; a diamond means that the seeds show the gap."""
    rows = ((1.0, 2.0, 0.1), (2.0, 1.9, 0.2), (3.0, 1.0, 0.3))
    for seeds, symbol in ((1, "circle-open"), (4, "diamond-open")):
        trials = [
            make_trial(rate + 0.001 * seed, lost - 0.001 * seed, beta=beta, seed=seed)
            for rate, lost, beta in rows
            for seed in range(seeds)
        ]
        traces, _ = _figure(front_html(make_front(trials)))
        drawn = {
            trace["marker"]["symbol"]
            for trace in traces
            for text in trace.get("text", [])
            if "β 0.2" in text
        }
        assert symbol in drawn
        assert drawn <= {symbol, "circle"}


@pytest.fixture
def replicated(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """A front of three settings with four seeds; the third is dominated."""
    rows = ((1.0, 2.0, 0.3), (4.0, 1.0, 0.2), (5.0, 1.5, 0.1))
    return make_front(
        [
            make_trial(rate + 0.1 * seed, lost, beta=beta, seed=seed)
            for rate, lost, beta in rows
            for seed in range(4)
        ]
    )


def test_a_mark_is_the_mean_of_a_setting(replicated: Front) -> None:
    """With several seeds, a mark is a setting with its means, intervals, seeds and trials.

    With `trials` a mark is a trial, and there are no intervals. The band is drawn in both.
    """
    setting = replicated.settings[0]
    by_setting, by_trial = (
        json.loads(front_figure(replicated, trials=trials)) for trials in (False, True)
    )
    marks = {key: trace for trace in by_setting["data"] for key in trace.get("customdata", [])}
    assert [*marks].count(" ".join(key[:12] for key in setting.trials)) == 1
    assert len(marks) == 3
    texts = [text for trace in by_setting["data"] for text in trace.get("text", [])]
    (first,) = (text for text in texts if "β 0.3" in text)
    for part in ("mean of 4 seeds: 0, 1, 2, 3", "rate 1.15 bits", "95 % intervals: rate 0.9"):
        assert part in first
    names = [{trace.get("name") for trace in f["data"]} for f in (by_setting, by_trial)]
    assert INTERVAL in names[0] - names[1]
    assert {"best to worst of 4 seeds", "median of 4 seeds"} <= names[0] & names[1]
    assert sum(len(trace.get("customdata", [])) for trace in by_trial["data"]) == 12
    caption = front_caption(replicated, plane_of(replicated))
    assert caption.startswith("means of 3 settings over up to 4 seeds · hypervolume ")


def test_the_band_lies_between_the_best_and_the_worst_seed(replicated: Front) -> None:
    """With four seeds the band has the corners of what one seed and all seeds attain.

    The median is what two of the four seeds attain.
    """
    plane = plane_of(replicated)
    band = front_band(replicated, plane)
    assert band is not None
    corners = {
        (round(x, 6), round(y, 6))
        for x, y in zip(band.outline.rate, band.outline.lost, strict=True)
    }
    assert {(1.0, 2.0), (4.0, 1.0), (1.3, 2.0), (4.3, 1.0)} <= corners
    assert [*zip(band.median.rate.round(6), band.median.lost, strict=True)] == [
        (1.1, 2.0),
        (4.1, 2.0),
        (4.1, 1.0),
        (5.3, 1.0),
    ]


def test_eight_seeds_have_a_band_of_quartiles(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """The band of eight seeds lies between the second and the sixth seed.

    A seed whose only trial diverged attains nothing.
    """
    trials = [make_trial(1.0 + seed, 1.0, seed=seed) for seed in range(7)]
    front = make_front([*trials, make_trial(seed=7, status="diverged")])
    band = front_band(front, plane_of(front))
    assert band is not None
    assert band.outline_label == "middle half of 8 seeds"
    assert {2.0, 6.0} <= {*band.outline.rate}
    assert 4.0 in band.median.rate


def test_a_side_with_several_seeds_has_a_band(
    replicated: Front, make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """In a comparison, a side with one seed has no band, and marks of its trials."""
    single = make_front([make_trial(2.0, 2.5, beta=0.7)], name="b", method="mib")
    comparison = compare([replicated], [single])
    for trials, count in ((False, 4), (True, 13)):
        figure = json.loads(comparison_figure(comparison, trials=trials))
        names = {trace.get("name") for trace in figure["data"]}
        assert {"vib, best to worst of 4 seeds", "vib, median of 4 seeds"} <= names
        assert not any(name and name.startswith("mib, median") for name in names)
        texts = [text for trace in figure["data"] for text in trace.get("text", [])]
        assert len(texts) == count
        assert any("dominated by vib" in text and "β 0.7" in text for text in texts)


def test_one_seed_is_drawn_without_a_band(front: Front) -> None:
    """With one seed, the picture is that of the trials."""
    figures = [front_figure(front, trials=trials) for trials in (False, True)]
    assert figures[0] == figures[1]
    assert "of 1 seed" not in figures[0]
    assert front_image(front) == front_image(front, trials=True)


def test_static_pictures_draw_the_settings(replicated: Front) -> None:
    """A static picture of settings differs from that of the trials, and has 20 colours too."""
    comparison = compare([replicated], [replicated])
    for draw in (
        lambda trials: front_image(replicated, trials=trials),
        lambda trials: comparison_image(comparison, trials=trials),
    ):
        assert draw(False) != draw(True)
        image = Image.open(BytesIO(draw(False)))
        assert len(set(image.convert("RGB").resize((160, 100)).get_flattened_data())) > 20


def test_static_pictures_are_drawn(front: Front) -> None:
    """The PNG of a front or a comparison has the documented size and more than 20 colours."""
    for png in (front_image(front), comparison_image(compare([front], [front]))):
        image = Image.open(BytesIO(png))
        assert image.size == (1600, 1000)
        assert len(set(image.convert("RGB").resize((160, 100)).get_flattened_data())) > 20


@pytest.mark.parametrize(
    "name", [r"cost $\alpha_{$", "a $5 and $9 b", "_draft", "大型扫描", "$x$", "\u0301"]
)
def test_names_are_drawn_unchanged(front: Front, name: str) -> None:
    """No character of a name starts a formula or causes a warning."""
    named = front.model_copy(update={"sweep": front.sweep.model_copy(update={"name": name})})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert front_image(named).startswith(b"\x89PNG")
    with rc_context(style()):
        figure = new_figure()
        save_figure(figure, name, name, "png")
    texts = [text for text in figure.findobj(Text) if text.get_text() == name]
    assert len(texts) == 2
    assert not any(text.get_parse_math() for text in texts)


def test_no_figure_shows_the_source_of_a_formula(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks are plain numbers, because matplotlib does not parse formulas in our figures."""
    drawn: list[Figure] = []
    save = Figure.savefig

    def record(figure: Figure, *args: Any, **kwargs: Any) -> None:
        drawn.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", record)
    history = {"rate_bits": [0.5, 1.0, 2.0], "relevance_bits": [0.1, 0.5, 1.0]}
    front_image(front)
    comparison_image(compare([front], [front]))
    plane_image(front, lambda _: history)
    assert len(drawn) == 3
    for figure in drawn:
        texts = [text.get_text() for text in figure.findobj(Text)]
        assert len(texts) > 10
        assert [text for text in texts if "$" in text] == []


def test_labels_that_begin_with_an_underscore_are_in_the_legend() -> None:
    """matplotlib omits labels with a leading underscore, so `legend_label` changes these labels."""
    with rc_context(style()):
        ax = new_figure().add_subplot()
        ax.plot([0, 1], [0, 1], label=legend_label("_draft, on the hull"))
    ((label,),) = [ax.get_legend_handles_labels()[1]]
    assert label.endswith("_draft, on the hull")


def test_a_sweep_without_points_still_has_pictures(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """If a sweep has no trials, or only noiseless trials, the page says why it has no points."""
    for trials in ([], [make_trial(None, 0.1)]):
        front = make_front(trials)
        html = front_html(front)
        assert "no trial with a finite rate yet" in html
        assert not {"hull", LOWER_BOUND} & {t.get("name") for t in _figure(html)[0]}
        assert front_image(front).startswith(b"\x89PNG")


def test_comparing_loads_no_plotting_library_and_no_torch() -> None:
    """The first use of a picture function imports the plotting libraries; nothing imports torch."""
    code = (
        "import sys, paretoib.fronts as f; f.compare\n"
        "heavy = {'torch', 'ray', 'mlflow', 'plotly', 'matplotlib', 'scipy.stats'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "f.front_html, f.front_image\n"
        "assert {'plotly', 'matplotlib'} <= set(sys.modules)\n"
        "assert not {'torch', 'ray', 'mlflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_very_large_rate_is_drawn_at_the_right_edge(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Rates above ten times the reference point's rate are drawn at the right edge.

    The caption and the hover text say so.
    """
    front = make_front([make_trial(1.0, 2.0), make_trial(5.0, 1.0), make_trial(1e10, 1.5)])
    drawn_plane = plane_of(front)
    assert drawn_plane.rate(front.points).max() == 10 * front.reference.rate_bits
    assert "1 drawn at" in front_caption(front, drawn_plane)
    assert "the right edge of the picture" in hover(front.points[-1], drawn_plane)


def test_the_axis_of_lost_bits_names_the_ceiling(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The ceiling is H(Y), or I(X;Y) if labels are noisy or Y is continuous."""
    front = make_front([make_trial(1.0, 2.0), make_trial(5.0, 1.0)])
    noisy = front.sweep.model_copy(update={"spec": {"data": {"label_noise": 0.1}}})
    points = [point.model_copy(update={"accuracy": None}) for point in front.points]
    for changed, name in (
        ({}, "H(Y)"),
        ({"sweep": noisy}, "I(X;Y)"),
        ({"points": tuple(points)}, "I(X;Y)"),
    ):
        drawn = front.model_copy(update=changed)
        assert plane_of(drawn).lost_title == f"lost bits, {name} − relevance"
        assert plane_of(compare([drawn], [drawn])).lost_title == plane_of(drawn).lost_title
