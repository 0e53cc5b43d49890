"""The pages in a real browser: sign-in, list, sweep, comparison, form."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def test_without_a_token_a_browser_sees_only_the_sign_in(sample: Any, open_browser: Any) -> None:
    """Without a token, a sweep's page is a sign-in page with styles.

    A wrong token shows an error; a valid token signs in.
    """
    browser = open_browser(sample.served.address)
    page = browser.page
    page.goto("/sweeps/" + sample.sweeps["a grid of β"].id)
    assert "a grid of β" not in page.content()
    assert (
        page.locator("input[name=token]").evaluate("e => getComputedStyle(e).borderRadius") == "7px"
    )
    page.fill("input[name=token]", "wrong")
    page.click("button.primary")
    page.wait_for_selector("text=Unknown token.")
    page.fill("input[name=token]", sample.served.secret)
    page.click("button.primary")
    page.wait_for_selector("text=a grid of β")
    page.click("text=Sign out")
    page.wait_for_selector("input[name=token]")


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_pages_fit_the_screen_and_use_no_network_beyond_the_service(
    sample: Any, open_browser: Any, viewport: dict[str, int]
) -> None:
    """No page scrolls horizontally, logs an error or sends a request to another origin."""
    browser = open_browser(sample.served.address, viewport)
    browser.sign_in(sample.served.secret)
    page, sweeps = browser.page, sample.sweeps
    left, right = sweeps["a grid of β"].id, sweeps["adaptive weights"].id
    for path, selector in (
        ("/", "#compare"),
        (f"/sweeps/{left}", ".scatterlayer .point"),
        (f"/sweeps/{sweeps['not begun'].id}", "text=No trial has ended yet."),
        (f"/compare?left={left}&right={right}", ".scatterlayer .point"),
    ):
        page.goto(path)
        page.wait_for_selector(selector)
        if path == "/":
            page.click("#new > summary")
            page.click("#new details > summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    assert browser.errors == []
    own = (sample.served.address, "data:", "blob:")
    assert [url for url in browser.requests if not url.startswith(own)] == []


def test_a_click_on_a_point_shows_its_trial(sample: Any, open_browser: Any) -> None:
    """A click on a point opens a panel with the trial's parameters, metrics and history.

    A URL with the trial's key opens the panel too. The panel of a trial with a model has a link to
    download it.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page, info = browser.page, sample.sweeps["a grid of β"]
    page.goto(f"/sweeps/{info.id}")
    page.wait_for_selector(".scatterlayer .point")
    assert page.evaluate("document.querySelector('#plot').layout.xaxis.type") == "log"
    page.check("#single-trials")
    markers = page.locator(".scatterlayer .trace .point")
    markers.nth(12).wait_for()
    box = markers.nth(markers.count() - 1).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#trial h2")
    trial = page.inner_text("#trial h2")
    with sample.served.client() as client:
        trials = {t["trial"]: t for t in client.get(f"/sweeps/{info.id}/trials").json()["trials"]}
    panel = page.inner_text("#trial")
    assert f"{trials[trial]['test']['rate_bits']:.4g}" in panel
    assert f"{trials[trial]['spec']['weighting']['beta']:.4g}" in panel
    assert page.locator("#trial polyline").count() == 1
    page.goto("/")
    page.goto(f"/sweeps/{info.id}#{trial[:12]}")
    page.wait_for_selector(f"text={trial}")
    (first, *_) = trials
    page.goto("/")
    page.goto(f"/sweeps/{info.id}#{first}")
    with page.expect_download() as download:
        page.click("#trial a:has-text('Model, 0.398')")
    assert download.value.suggested_filename == f"{first}.safetensors"
    assert browser.errors == []


def test_the_table_of_trials_is_sorted_filtered_and_downloaded(
    sample: Any, open_browser: Any
) -> None:
    """The table has every ended trial; a click on a heading sorts, the filter takes conditions.

    The download has the shown rows. A click on a trial opens its panel.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page, info = browser.page, sample.sweeps["a grid of β"]
    page.goto(f"/sweeps/{info.id}")
    page.wait_for_selector("#trials tbody tr")
    with sample.served.client() as client:
        front = client.get(f"/sweeps/{info.id}/front").json()
    count = len(front["points"]) + len(front["failed"])
    assert page.locator("#trials tbody tr").count() == count == 16
    column = "#trials tbody td:nth-child(4)"  # trial, β, seed, rate, …
    rates = [point["rate_bits"] for point in front["points"]]
    shown = [float(text) for text in page.locator(column).all_inner_texts() if text]
    assert shown == pytest.approx(sorted(rates), rel=1e-3)
    page.click("#trials th button[title=rate_bits]")
    assert page.get_attribute("#trials th[aria-sort]", "aria-sort") == "descending"
    shown = [float(text) for text in page.locator(column).all_inner_texts() if text]
    assert shown == pytest.approx(sorted(rates, reverse=True), rel=1e-3)

    page.fill("#trials input", "rate_bits<2, beta>=0.002")
    expected = [
        point
        for point in front["points"]
        if point["rate_bits"] < 2 and point["params"]["weighting.beta"] >= 0.002
    ]
    assert expected
    page.wait_for_selector(f"#trials .count:text-is('{len(expected)} of 16 trials')")
    with page.expect_download() as download:
        page.click("#trials .download")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("trial,weighting.beta,seed,rate_bits")
    assert {line.split(",")[0] for line in lines[1:]} == {point["trial"] for point in expected}
    page.fill("#trials input", "nosuch<2")
    page.wait_for_selector("#trials .error:has-text('begin with a column; found nosuch<2')")
    page.fill("#trials input", "")
    page.click("#trials tbody a >> nth=0")
    page.wait_for_selector("#trial h2")
    assert browser.errors == []


def test_sections_show_parallel_coordinates_and_importance(sample: Any, open_browser: Any) -> None:
    """Both sections load when they are opened; a click on a line's marker opens the trial."""
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page, info = browser.page, sample.sweeps["a grid of β"]
    page.goto(f"/sweeps/{info.id}")
    page.wait_for_selector("#trials tbody tr")
    assert not any("importance" in url for url in browser.requests)
    page.click("#importance > summary")
    page.wait_for_selector("#importance tbody tr")
    with sample.served.client() as client:
        shares = client.get(f"/sweeps/{info.id}/importance").json()["shares"]
    text = page.inner_text("#importance")
    assert f"{100 * shares['lost']['weighting.beta']:.0f} %" in text
    page.click("#parallel > summary")
    page.wait_for_selector("#parallel .scatterlayer .point")
    page.locator("#parallel .plot").scroll_into_view_if_needed()
    box = page.locator("#parallel .scatterlayer .point").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#trial h2")
    assert browser.errors == []


def test_a_mark_of_a_setting_leads_to_its_trials(sample: Any, open_browser: Any) -> None:
    """With several seeds, a click on a mark lists the trials of the setting.

    A box changes the figure and the downloads to single trials.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page, info = browser.page, sample.sweeps["a grid of β"]
    page.goto(f"/sweeps/{info.id}")
    markers = page.locator(".scatterlayer .trace .point")
    markers.nth(3).wait_for()
    assert markers.count() == 4
    box = markers.nth(3).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#trial li a")
    with sample.served.client() as client:
        settings = client.get(f"/sweeps/{info.id}/front").json()["settings"]
    listed = page.locator("#trial li a").all_inner_texts()
    assert [key[:12] for key in listed] in [[k[:12] for k in s["trials"]] for s in settings]
    page.click("#trial li a")
    page.wait_for_selector("#trial dl")
    assert page.inner_text("#trial h2").startswith(listed[0])
    csv = page.locator(".links a", has_text="CSV")
    assert csv.get_attribute("href").endswith("format=csv")
    page.check("#single-trials")
    markers.nth(12).wait_for()
    assert csv.get_attribute("href").endswith("format=csv&trials=true")
    assert browser.errors == []


def test_one_setting_is_chosen_on_the_page(sample: Any, open_browser: Any) -> None:
    """A form on the page of a sweep shows the choice of a rule, its trial, or the error."""
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page, info = browser.page, sample.sweeps["adaptive weights"]
    page.goto(f"/sweeps/{info.id}")
    page.fill("#choose [name=value]", "2")
    page.click("#choose button")
    page.wait_for_selector("#trial h2")
    with sample.served.client() as client:
        pick = client.get(f"/sweeps/{info.id}/pick?max_rate=2").json()
    assert page.inner_text("#choice") == pick["text"]
    assert page.inner_text("#trial h2") == pick["trial"]
    page.select_option("#choose [name=rule]", "knee")
    assert not page.is_visible("#choose [name=value]")
    page.click("#choose button")
    page.wait_for_selector("#choice >> text=the knee")
    page.select_option("#choose [name=rule]", "min_accuracy")
    page.fill("#choose [name=value]", "0.99")
    page.click("#choose button")
    page.wait_for_selector("#choose .error >> text=the highest accuracy is 0.9")


def test_sweeps_are_chosen_from_the_list_and_compared(sample: Any, open_browser: Any) -> None:
    """Two sweeps that are checked in the list can be compared.

    A sweep is on one side at most. The page has a figure of both fronts, indicators, the points
    above the hull and a verdict.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page = browser.page
    button = page.locator("#compare button.primary")
    assert button.is_disabled()
    page.locator("tr", has_text="a grid of β").locator("input[name=left]").check()
    assert button.is_disabled()
    page.locator("tr", has_text="adaptive weights").locator("input[name=right]").check()
    # A sweep cannot be on both sides.
    page.locator("tr", has_text="a grid of β").locator("input[name=right]").check()
    assert not page.locator("tr", has_text="a grid of β").locator("input[name=left]").is_checked()
    assert button.is_disabled()
    page.locator("tr", has_text="a grid of β").locator("input[name=left]").check()
    button.click()
    page.wait_for_selector(".scatterlayer .point")
    with sample.served.client() as client:
        comparison = client.get("/compare?left=a grid of β&right=adaptive weights").json()
    text = page.inner_text("main")
    assert comparison["verdict"] in text
    for side in ("left", "right"):
        assert f"{comparison['indicators']['hypervolume'][side]:.5g}" in text
    gaps = [p for p in comparison["points"] if p["on_front"] and not p["supported"]]
    assert gaps
    assert all(point["trial"][:12] in text for point in gaps)
    assert page.locator(".legendtext", has_text="vib, hull").count() == 1
    assert browser.errors == []


def test_the_list_shows_the_id_of_each_sweep(sample: Any, open_browser: Any) -> None:
    """In the list, a sweep's row has the first eight characters of its id; commands accept them."""
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    for info in sample.sweeps.values():
        row = browser.page.locator("tr", has_text=info.name)
        assert info.id[:8] in row.inner_text()


def test_the_page_shows_why_a_front_cannot_be_read(
    fresh_store: Path, make_sweep: Any, serve: Any, open_browser: Any
) -> None:
    """If trial records are invalid, the page shows the service's error in place of the figure."""
    sweep = make_sweep(fresh_store, 3).id
    with closing(sqlite3.connect(fresh_store / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = '{}' WHERE key = 'mlflow.paretoib.record'")
    with serve(fresh_store) as served, served.client() as client:
        detail = client.get(f"/sweeps/{sweep}/front").json()["detail"]
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        browser.page.goto(f"/sweeps/{sweep}")
        browser.page.wait_for_selector(f"#plot >> text={detail[:30]}")
        assert "No trial has ended yet." not in browser.page.inner_text("main")


def test_html_in_a_sweep_name_is_escaped(
    fresh_store: Path, make_sweep: Any, serve: Any, open_browser: Any
) -> None:
    """HTML in a sweep's name adds no element and runs no script on any page that shows the name."""
    names = ['<img src=x onerror="document.title=1">', "</script><script>document.title=1</script>"]
    left, right = (make_sweep(fresh_store, 8, name=name, method="vib").id for name in names)
    with serve(fresh_store) as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
        for path in ("/", f"/sweeps/{left}", f"/compare?left={left}&right={right}"):
            page.goto(path)
            if path != "/":
                page.wait_for_selector(".scatterlayer .point")
            assert names[0] in page.inner_text("main")
            assert page.locator("img").count() == 0
            assert page.title() != "1"
        assert browser.errors == []


def test_the_form_shows_the_error_of_the_service(sample: Any, open_browser: Any) -> None:
    """If the service rejects a sweep, the form shows the error and keeps its values.

    The form shows only the fields of the selected method.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page = browser.page
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


def test_the_form_has_the_fields_of_the_model_to_be_trained(sample: Any, open_browser: Any) -> None:
    """The form has the fields of the selected model.

    If no model is selected, the form has the fields of the method's default model, or else of the
    data set's default model.
    """
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page = browser.page
    page.click("#new > summary")
    page.click("#new details > summary")
    for method, data, selected, model in (
        ("stl", "multi_mnist", "", "small_alexnet"),
        ("det", "multi_mnist", "", "sigmoid"),
        ("vib", "multi_mnist", "", "mtvib_cnn"),
        ("stl", "digits", "", "mlp"),
        ("stl", "multi_mnist", "mlp", "mlp"),
    ):
        page.select_option("[name=method]", method)
        page.select_option("[name='data.name']", data)
        page.select_option("[name='model.name']", selected)
        fields = page.locator("fieldset[data-kind=model]:not([disabled])")
        assert fields.get_attribute("data-name") == model
    assert browser.errors == []


def test_a_sweep_is_submitted_watched_and_compared_by_clicks(
    serve_cluster: Callable[..., Any], cluster: Any, make_sweep: Any, open_browser: Any
) -> None:
    """A sweep is submitted with the form, and its page updates progress and front by itself.

    A click on the page then compares the sweep with another one.
    """
    make_sweep(cluster.store, 12, name="to compare with", method="mib", seeds=[0])
    with serve_cluster() as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
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
        assert browser.errors == []


def test_a_sweep_is_archived_and_deleted_on_its_page(
    fresh_store: Path, make_sweep: Any, serve: Any, open_browser: Any, store_tools: Any
) -> None:
    """Both buttons ask first. The list leaves the sweep out, and shows archived ones on request."""
    sweep = make_sweep(fresh_store, 4, name="first")
    running = make_sweep(fresh_store, 0, name="running", status="running")
    with serve(fresh_store) as served, store_tools.heartbeats(fresh_store, running.id):
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page, answers = browser.page, []

        def answer(dialog: Any) -> None:
            answers.append(dialog.message)
            dialog.accept() if len(answers) > 1 else dialog.dismiss()

        page.on("dialog", answer)
        page.goto(f"/sweeps/{sweep.id}")
        page.click("[data-action=archive]")  # dismissed: nothing happens
        page.click("[data-action=archive]")
        page.wait_for_selector("[data-action=unarchive]")
        assert "archived" in page.inner_text(".title")
        page.goto("/")
        assert "first" not in page.inner_text("#sweeps")
        page.check("input[name=archived]")
        page.click("text=Filter")
        page.wait_for_selector("#sweeps >> text=first")
        page.goto(f"/sweeps/{sweep.id}")
        page.click("[data-action=unarchive]")
        page.wait_for_selector("[data-action=archive]")
        page.click("[data-action=delete]")
        page.wait_for_selector("#compare")
        assert "first" not in page.inner_text("#sweeps")
        page.click("#sweeps >> text=running")
        page.wait_for_selector("#status")
        assert not page.is_visible("[data-action=delete]")
        assert len(answers) == 3
        assert f"paretoib delete --undo {sweep.id[:8]}" in answers[2]
        assert browser.errors == []


def test_notes_tags_and_extensions_are_written_on_the_page(
    fresh_store: Path, make_sweep: Any, serve: Any, open_browser: Any
) -> None:
    """The page shows note and tags as text, and the list filters by tag.

    The form of an extension shows the error of the service.
    """
    sweep = make_sweep(fresh_store, 4, name="first")
    make_sweep(fresh_store, 4, name="second", method="mib", search="random")
    with serve(fresh_store) as served:
        browser = open_browser(served.address)
        browser.sign_in(served.secret)
        page = browser.page
        page.goto(f"/sweeps/{sweep.id}")
        page.click("text=Note and tags")
        page.fill("[name=note]", "<b>bold</b>\ntwo lines")
        page.fill("[name=tags]", "project = a = b\ndraft = yes")
        page.click("#annotate button")
        page.wait_for_selector("#note")
        assert page.inner_text("#note") == "<b>bold</b>\ntwo lines"
        assert page.inner_text("#tags") == "draft=yes project=a = b"
        page.click("text=Note and tags")
        page.fill("[name=tags]", "project = a = b\nreason = none")
        page.click("#annotate button")
        page.wait_for_selector("#annotate .error:visible")
        assert "belong to MLflow and paretoib" in page.inner_text("#annotate .error")
        page.fill("[name=tags]", "project = a = b")
        page.click("#annotate button")
        page.wait_for_selector("#tags >> text=draft", state="detached")
        with served.client() as client:
            state = client.get(f"/sweeps/{sweep.id}").json()
        assert (state["tags"], state["note"]) == (
            {"project": "a = b"},
            "<b>bold</b>\ntwo lines",
        )

        page.click("summary:text('Extend')")
        assert page.locator("#extend [name=trials], #extend [name=space]").count() == 0
        page.fill("#extend [name=seeds]", "0")
        page.fill("#extend [name=grid]", "epochs = 50")
        page.click("#extend button")
        page.wait_for_selector("#extend .error:visible")
        assert "found only values that it has" in page.inner_text("#extend .error")

        page.goto("/")
        assert "project=a = b" in page.inner_text("#sweeps")
        page.fill(".filters [name=tag]", "project=a = b")
        page.click("text=Filter")
        page.wait_for_url("**tag=project*")
        assert "second" not in page.inner_text("#sweeps")
        page.goto("/")
        page.click("#sweeps >> text=second")
        page.click("summary:text('Extend')")
        assert page.is_visible("#extend [name=trials]")
        assert page.locator("#extend [name=seeds]").count() == 0
        assert [error for error in browser.errors if "422" not in error] == []
