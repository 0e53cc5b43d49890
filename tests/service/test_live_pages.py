"""Pages that update while a sweep runs, in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import PackProgress, RunningPacks, Workers
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial


@pytest.fixture
def growing(fresh_store: Path, store_tools: Any) -> Iterator[Any]:
    """A running sweep without ended trials: its id, and a function that ends the next trial."""
    spec = SweepSpec.from_document({"method": "vib", "trials": 4, "name": "growing"})
    store = store_tools.open_tracker(fresh_store)
    info = store.create(spec)
    store.begin(info.id, store_tools.ruler)
    records = iter(store_tools.records(spec, 4))
    with store_tools.heartbeats(fresh_store, info.id):
        yield info.id, lambda: store.add(info.id, [EndedTrial(next(records), 60.0)])


@contextmanager
def open_stream(served: Any, sweep: str) -> Iterator[None]:
    """Another client's event stream, open while the context is active."""
    with served.client() as client, client.stream("GET", f"/sweeps/{sweep}/events") as answer:
        lines = answer.iter_lines()  # Keep the iterator: a discarded iterator closes the stream.
        next(lines)
        yield


def test_a_page_reconnects_to_the_event_stream(
    growing: Any, fresh_store: Path, serve: Callable[..., Any], open_browser: Any
) -> None:
    """After a 429 or a restart of the service, the page shows a note until a stream is open."""
    sweep, end_trial = growing
    with serve(fresh_store, max_streams="1") as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
        with open_stream(served, sweep):
            page.goto(f"/sweeps/{sweep}")
            page.wait_for_selector("#connection:visible")
        page.wait_for_selector("#connection", state="hidden")
        end_trial()
        page.wait_for_selector("#progress .count:text('1 / 4')")
        page.wait_for_selector(".scatterlayer .point")
    page.wait_for_selector("#connection:visible")
    end_trial()
    with serve(fresh_store, port=served.address.rpartition(":")[2]) as served:
        page.wait_for_selector("#connection", state="hidden")
        page.wait_for_selector("#progress .count:text('2 / 4')")
        with served.client() as client:
            assert "paretoib_event_streams 1.0" in client.get("/metrics").text


def test_a_page_shows_the_epochs_of_a_running_sweep(
    fresh_store: Path, store_tools: Any, serve: Callable[..., Any], open_browser: Any
) -> None:
    """The page of a running sweep shows epochs, workers and a link to the log without a reload."""
    store = store_tools.open_tracker(fresh_store)
    info = store.create(SweepSpec.from_document({"method": "vib", "trials": 4}))
    store.begin(info.id, store_tools.ruler)
    packs = RunningPacks.of([PackProgress(trials=4, epoch=24, epochs=50)])
    log = fresh_store / "logs" / f"{info.id}.log"
    log.parent.mkdir()
    log.write_text("the log of the sweep\n")
    with serve(fresh_store) as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
        with store_tools.heartbeats(fresh_store, info.id):
            page.goto(f"/sweeps/{info.id}")
            page.wait_for_selector("#workers:text-is('–')")
        store.begin(info.id, store_tools.ruler, Workers(count=2, cpus=1, device="cpu"))
        with store_tools.heartbeats(fresh_store, info.id, packs):
            page.wait_for_selector("#progress .epoch:text-is('epoch 24/50')")
            page.wait_for_selector("#workers:text-is('2 workers × 1 CPU')")
            value = page.evaluate("document.querySelector('#progress progress').value")
            assert value == pytest.approx(4 * 24 / 50)
        store.close(info.id, "cancelled", None, [])
        page.wait_for_selector("#progress .epoch:text-is('')", state="attached")
        assert browser.errors == []
        page.click("text=log")
        page.wait_for_selector("text=the log of the sweep")


def test_a_refresh_of_the_list_keeps_checkboxes_and_focus(
    growing: Any, fresh_store: Path, make_sweep: Any, serve: Callable[..., Any], open_browser: Any
) -> None:
    """A refresh of the list keeps the checked boxes, and the focus on the same box or link."""
    _, end_trial = growing
    left, right = (make_sweep(fresh_store, 4, name=name).id for name in ("left", "right"))
    with serve(fresh_store) as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
        focused = "document.activeElement"

        def end_next_trial(count: int) -> None:
            end_trial()
            page.wait_for_selector(f"tr:has-text('growing') .count:text('{count} / 4')")

        page.click(f"input[name=left][value='{left}']")
        end_next_trial(1)
        assert page.is_checked(f"input[name=left][value='{left}']")
        assert page.evaluate(f"[{focused}.name, {focused}.value]") == ["left", left]
        assert page.is_disabled("#compare button.primary")
        # A sweep is on one side only: the box for side B clears the box for side A.
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert not page.is_checked(f"input[name=left][value='{left}']")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        page.click(f"input[name=right][value='{right}']")
        end_next_trial(2)
        assert page.is_enabled("#compare button.primary")
        page.focus("text=growing")
        end_next_trial(3)
        assert page.evaluate(f"{focused}.textContent") == "growing"
        assert browser.errors == []
