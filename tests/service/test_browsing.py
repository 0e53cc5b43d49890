"""What a person sees and does, in a real browser."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def test_nothing_but_a_sign_in_is_shown_to_a_stranger(filled: Any, visit: Any) -> None:
    """Styled without another request; a wrong token is told, the right one opens the list."""
    stranger = visit(filled.served.address)
    page = stranger.page
    page.goto("/sweeps/" + filled.sweeps["a grid of β"].id)
    assert "a grid of β" not in page.content()
    assert (
        page.locator("input[name=token]").evaluate("e => getComputedStyle(e).borderRadius") == "7px"
    )
    page.fill("input[name=token]", "wrong")
    page.click("button.primary")
    page.wait_for_selector("text=That token is not known.")
    page.fill("input[name=token]", filled.served.secret)
    page.click("button.primary")
    page.wait_for_selector("text=a grid of β")
    page.click("text=Sign out")
    page.wait_for_selector("input[name=token]")


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_pages_fit_the_screen_and_use_no_network_beyond_the_service(
    filled: Any, visit: Any, viewport: dict[str, int]
) -> None:
    """On a laptop and a phone: nothing scrolls sideways, no error, no request elsewhere."""
    person = visit(filled.served.address, viewport)
    person.sign_in(filled.served.secret)
    page, sweeps = person.page, filled.sweeps
    left, right = sweeps["a grid of β"].id, sweeps["adaptive weights"].id
    for path, shown in (
        ("/", "#compare"),
        (f"/sweeps/{left}", ".scatterlayer .point"),
        (f"/sweeps/{sweeps['not begun'].id}", "text=No trial has ended yet."),
        (f"/compare?linear={left}&adaptive={right}", ".scatterlayer .point"),
    ):
        page.goto(path)
        page.wait_for_selector(shown)
        if path == "/":
            page.click("#new > summary")
            page.click("#new details > summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    assert person.wrong == []
    elsewhere = [
        url for url in person.asked if not url.startswith((filled.served.address, "data:", "blob:"))
    ]
    assert elsewhere == []


def test_a_point_shows_its_trial(filled: Any, visit: Any) -> None:
    """A click on it shows parameters, measures, and histories as lines; its address leads back."""
    person = visit(filled.served.address)
    person.sign_in(filled.served.secret)
    page, info = person.page, filled.sweeps["a grid of β"]
    page.goto(f"/sweeps/{info.id}")
    page.wait_for_selector(".scatterlayer .point")
    assert page.evaluate("document.querySelector('#plot').layout.xaxis.type") == "log"
    marks = page.locator(".scatterlayer .trace .point")
    box = marks.nth(marks.count() - 1).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#trial h2")
    trial = page.inner_text("#trial h2")
    with filled.served.client() as client:
        known = {t["trial"]: t for t in client.get(f"/sweeps/{info.id}/trials").json()["trials"]}
    shown = page.inner_text("#trial")
    assert f"{known[trial]['test']['rate_bits']:.4g}" in shown
    assert f"{known[trial]['spec']['weighting']['beta']:.4g}" in shown
    assert page.locator("#trial polyline").count() == 1
    page.goto("/")
    page.goto(f"/sweeps/{info.id}#{trial[:12]}")
    page.wait_for_selector(f"text={trial}")
    assert person.wrong == []


def test_sweeps_are_chosen_from_the_list_and_compared(filled: Any, visit: Any) -> None:
    """Both fronts in one picture, the indicators, what no β selects, and the verdict."""
    person = visit(filled.served.address)
    person.sign_in(filled.served.secret)
    page = person.page
    button = page.locator("#compare button.primary")
    assert button.is_disabled()
    page.locator("tr", has_text="a grid of β").locator("input[name=linear]").check()
    assert button.is_disabled()
    page.locator("tr", has_text="adaptive weights").locator("input[name=adaptive]").check()
    button.click()
    page.wait_for_selector(".scatterlayer .point")
    with filled.served.client() as client:
        comparison = client.get("/compare?linear=a grid of β&adaptive=adaptive weights").json()
    text = page.inner_text("main")
    assert comparison["verdict"] in text
    for side in ("left", "right"):
        assert f"{comparison['indicators']['hypervolume'][side]:.5g}" in text
    gaps = [p for p in comparison["points"] if p["on_front"] and not p["supported"]]
    assert gaps
    assert all(point["trial"][:12] in text for point in gaps)
    assert page.locator(".legendtext", has_text="vib, hull").count() == 1
    assert person.wrong == []


def test_sweeps_of_one_name_are_told_apart_in_the_list(filled: Any, visit: Any) -> None:
    """By the beginning of their ids, which every command takes."""
    person = visit(filled.served.address)
    person.sign_in(filled.served.secret)
    for info in filled.sweeps.values():
        row = person.page.locator("tr", has_text=info.name)
        assert info.id[:8] in row.inner_text()


def test_what_keeps_a_front_from_being_drawn_is_told(
    fresh_store: Path, make_sweep: Any, serve: Any, visit: Any
) -> None:
    """In the place of the picture: trials have ended, but one is not to be read."""
    sweep = make_sweep(fresh_store, 3).id
    with closing(sqlite3.connect(fresh_store / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = '{}' WHERE key = 'mlflow.paretoib.record'")
    with serve(fresh_store) as served, served.client() as client:
        told = client.get(f"/sweeps/{sweep}/front").json()["detail"]
        person = visit(served.address)
        person.sign_in(served.secret)
        person.page.goto(f"/sweeps/{sweep}")
        person.page.wait_for_selector(f"#plot >> text={told[:30]}")
        assert "No trial has ended yet." not in person.page.inner_text("main")


def test_a_name_is_text_whatever_it_says(
    fresh_store: Path, make_sweep: Any, serve: Any, visit: Any
) -> None:
    """In the list, on its page, in pictures and comparisons: no element, no script of it runs."""
    names = ['<img src=x onerror="document.title=1">', "</script><script>document.title=1</script>"]
    left, right = (make_sweep(fresh_store, 8, name=name, method="vib").id for name in names)
    with serve(fresh_store) as served:
        person = visit(served.address)
        person.sign_in(served.secret)
        page = person.page
        for path in ("/", f"/sweeps/{left}", f"/compare?linear={left}&adaptive={right}"):
            page.goto(path)
            if path != "/":
                page.wait_for_selector(".scatterlayer .point")
            assert names[0] in page.inner_text("main")
            assert page.locator("img").count() == 0
            assert page.title() != "1"
        assert person.wrong == []


def test_the_form_says_what_is_wrong(filled: Any, visit: Any) -> None:
    """The service's own words, and the form stays as it is."""
    person = visit(filled.served.address)
    person.sign_in(filled.served.secret)
    page = person.page
    page.click("#new > summary")
    page.select_option("[name=method]", "vib")
    assert "a grid of β" in page.inner_text("#summary")
    page.click("#new details > summary")
    page.fill("[name=grid]", "beta = high:low")
    page.click("#submit button.primary")
    page.wait_for_selector("#submit .error:visible")
    assert "a range should be LOW:HIGH:COUNT" in page.inner_text("#submit .error")
    assert page.input_value("[name=grid]") == "beta = high:low"
    assert page.is_visible("[name='weighting.beta']")
    page.select_option("[name=method]", "mib")
    assert page.is_visible("[name='weighting.mu']")
    assert not page.is_visible("[name='weighting.beta']")


def test_the_form_has_the_fields_of_what_would_be_trained(filled: Any, visit: Any) -> None:
    """The model chosen, the method's on several tasks or on all data, or the data set's."""
    person = visit(filled.served.address)
    person.sign_in(filled.served.secret)
    page = person.page
    page.click("#new > summary")
    page.click("#new details > summary")
    for method, data, chosen, model in (
        ("stl", "multi_mnist", "", "small_alexnet"),
        ("det", "multi_mnist", "", "sigmoid"),
        ("vib", "multi_mnist", "", "mtvib_cnn"),
        ("stl", "digits", "", "mlp"),
        ("stl", "multi_mnist", "mlp", "mlp"),
    ):
        page.select_option("[name=method]", method)
        page.select_option("[name='data.name']", data)
        page.select_option("[name='model.name']", chosen)
        fields = page.locator("fieldset[data-kind=model]:not([disabled])")
        assert fields.get_attribute("data-name") == model
    assert person.wrong == []


def test_a_sweep_is_submitted_watched_and_compared_by_clicks(
    serve_cluster: Callable[..., Any], cluster: Any, make_sweep: Any, visit: Any
) -> None:
    """From the form to the verdict, without a reload: progress and front come by themselves."""
    make_sweep(cluster.store, 12, name="to compare with", method="mib", seeds=[0])
    with serve_cluster() as served:
        person = visit(served.address)
        person.sign_in(served.secret)
        page = person.page
        page.click("#new > summary")
        page.select_option("[name=method]", "vib")
        page.fill("[name=name]", "by clicks")
        page.fill("[name='training.epochs']", "3")
        page.click("#new details > summary")
        page.fill("[name='model.hidden']", "16, 16")
        page.fill("[name='model.latent']", "4")
        page.fill("[name=grid]", "beta = 1e-3:1:4")
        page.click("#submit button.primary")
        page.wait_for_selector("#sweep, #submit .error:visible")
        assert page.locator("#submit .error:visible").all_inner_texts() == []
        sweep = page.get_attribute("#sweep", "data-id")
        page.wait_for_selector("#plot .scatterlayer .point")
        page.wait_for_selector("#status >> text=finished")
        assert page.inner_text("#progress .count") == "4 / 4"
        with served.client() as client:
            spec = client.get(f"/sweeps/{sweep}").json()["spec"]
        assert (spec["model"]["hidden"], spec["model"]["latent"]) == ([16, 16], 4)
        assert spec["training"]["epochs"] == 3
        assert len(spec["grid"]["weighting.beta"]) == 4
        page.click("button:text('Compare')")
        page.wait_for_selector(".verdict")
        assert "to compare with" in page.inner_text("main")
        assert person.wrong == []
