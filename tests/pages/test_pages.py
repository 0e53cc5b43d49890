"""The HTML page of a front and MLflow's pages in a browser."""

from pathlib import Path
from typing import Any

from paretoib.records import Front

Page = Any


def test_a_front_is_drawn_without_network(
    stored_sweep: tuple[Path, Front], browser: Any, tmp_path: Path
) -> None:
    """The page of a front has a mark for each trial within the axes, and needs no network."""
    from paretoib.fronts import front_html

    file = tmp_path / "front.html"
    file.write_text(front_html(stored_sweep[1]))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    requested: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector(".scatterlayer .trace")
    drawn = page.locator(".scatterlayer .point").count()
    inside = [
        p for p in stored_sweep[1].points if p.lost_bits <= stored_sweep[1].reference.lost_bits
    ]
    assert drawn >= len(inside)
    assert errors == []
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


def test_the_rate_axis_switches_between_log_and_linear(
    stored_sweep: tuple[Path, Front], browser: Any, tmp_path: Path
) -> None:
    """Buttons change the scale of the rate axis. On a phone the page does not scroll sideways."""
    from paretoib.fronts import front_html

    file = tmp_path / "front.html"
    file.write_text(front_html(stored_sweep[1]))
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(file.as_uri())
    page.wait_for_selector(".scatterlayer .trace")
    axis = "() => document.querySelector('.js-plotly-plot').layout.xaxis.type"
    types = set()
    for name in ("linear", "logarithmic"):
        page.get_by_text(name, exact=True).click()
        page.wait_for_timeout(300)
        types.add(page.evaluate(axis))
    assert types == {"linear", "log"}
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390, "a phone should not scroll sideways"
    page.close()


def test_mlflow_shows_the_front_and_the_trials_of_a_sweep(
    stored_sweep: tuple[Path, Front], mlflow_pages: str, browser: Any
) -> None:
    """The artifact page of the sweep's run shows the front; the saved view lists every trial."""
    sweep = stored_sweep[1].sweep.id
    page = browser.new_page(viewport={"width": 1400, "height": 950})
    query = "?workflowType=machine_learning"
    page.goto(f"{mlflow_pages}/#/experiments/1/runs/{sweep}/artifacts/front.html{query}")
    frame = page.wait_for_selector("iframe", timeout=60_000).content_frame()
    frame.wait_for_selector(".scatterlayer .trace", timeout=60_000)
    page.goto(f"{mlflow_pages}/#/experiments/1/runs{query}&viewStateShareKey={sweep}")
    page.wait_for_selector("text=β=", timeout=60_000)
    text = page.inner_text("body")
    assert text.count("β=") >= len(stored_sweep[1].points)
    page.close()
