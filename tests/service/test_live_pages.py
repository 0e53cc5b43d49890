"""Pages that change while a person looks at them, in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial


@pytest.fixture
def growing(fresh_store: Path, library: Any) -> Iterator[Any]:
    """A sweep that runs, with nothing ended yet: its id, and what ends the next trial."""
    spec = SweepSpec.from_document({"method": "vib", "trials": 4, "name": "growing"})
    store = library.tracker_of(fresh_store)
    info = store.create(spec)
    store.begin(info.id, library.ruler)
    records = iter(library.records_of(spec, 4))
    with library.alive(fresh_store, info.id):
        yield info.id, lambda: store.add(info.id, [EndedTrial(next(records), 60.0)])


@contextmanager
def held_stream(served: Any, sweep: str) -> Iterator[None]:
    """An open event stream of somebody else's."""
    with served.client() as client, client.stream("GET", f"/sweeps/{sweep}/events") as answer:
        lines = answer.iter_lines()  # kept, as a stream is closed when nobody reads on
        next(lines)
        yield


def test_a_page_that_was_refused_its_events_asks_again(
    growing: Any, fresh_store: Path, serve: Callable[..., Any], visit: Any
) -> None:
    """Also after a service that was away; it says so meanwhile, and follows one stream, not two."""
    sweep, end_trial = growing
    with serve(fresh_store, max_streams="1") as served:
        person = visit(served.address)
        person.sign_in(served.secret)
        page = person.page
        with held_stream(served, sweep):
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


def test_the_list_goes_on_while_sweeps_are_chosen_from_it(
    growing: Any, fresh_store: Path, make_sweep: Any, serve: Callable[..., Any], visit: Any
) -> None:
    """What is ticked stays so, and the keyboard stays where it was: on a box, or on a link."""
    _, end_trial = growing
    left, right = (make_sweep(fresh_store, 4, name=name).id for name in ("left", "right"))
    with serve(fresh_store) as served:
        person = visit(served.address)
        person.sign_in(served.secret)
        page = person.page
        focused = "document.activeElement"

        def ended(count: int) -> None:
            end_trial()
            page.wait_for_selector(f"tr:has-text('growing') .count:text('{count} / 4')")

        page.click(f"input[name=linear][value='{left}']")
        ended(1)
        assert page.is_checked(f"input[name=linear][value='{left}']")
        assert page.evaluate(f"[{focused}.name, {focused}.value]") == ["linear", left]
        assert page.is_disabled("#compare button.primary")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.click(f"input[name=adaptive][value='{right}']")
        ended(2)
        assert page.is_enabled("#compare button.primary")
        page.focus("text=growing")
        ended(3)
        assert page.evaluate(f"{focused}.textContent") == "growing"
        assert person.wrong == []
