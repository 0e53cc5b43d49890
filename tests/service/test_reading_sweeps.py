"""Sweeps, trials, fronts, the catalogue and the OpenAPI schema, read over HTTP."""

import csv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pandas
import pytest
from jsonschema import Draft202012Validator

from paretoib.fronts import pick
from paretoib.records import Front, ModelFiles, Pick, PickRule, SweepInfo, TrialRecord
from paretoib.tracking._mlflow.tracker import MLflowTracker
from paretoib.trained import read_model


def listed_names(client: httpx.Client, **query: Any) -> list[str]:
    """The names of the sweeps that `GET /sweeps` lists for a query."""
    answer = client.get("/sweeps", params=query)
    assert answer.status_code == 200, answer.text
    return [sweep["name"] for sweep in answer.json()["sweeps"]]


def test_sweeps_are_listed_newest_first_with_their_state(client: httpx.Client) -> None:
    """Sweeps are listed newest first, with times, counts of trials and the hypervolume."""
    document = client.get("/sweeps").json()
    assert document["schema"] == 1
    listed = [sweep["name"] for sweep in document["sweeps"]]
    assert listed == ["no good", "not begun", "gaussian", "adaptive weights", "a grid of β"]
    grid = document["sweeps"][-1]
    assert grid["trials"] == {"total": 16, "finished": 13, "stopped": 0, "failed": 3}
    assert grid["hypervolume"] == 75.0
    assert grid["started"] <= grid["ended"]
    known = {field: grid[field] for field in SweepInfo.model_fields}
    assert SweepInfo.from_document(known).spec["weighting"]["name"] == "linear"
    assert document["sweeps"][1]["ended"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"method": "mib"}, ["adaptive weights"]),
        ({"dataset": "gaussian"}, ["gaussian"]),
        ({"status": "failed"}, ["no good"]),
        ({"status": "running"}, ["not begun"]),
        ({"name": "GRID"}, ["a grid of β"]),
        ({"name": "o"}, ["no good", "not begun", "a grid of β"]),
        ({"name": "o", "status": "finished"}, ["a grid of β"]),
        ({"method": "nosuch"}, []),
        ({"limit": 2}, ["no good", "not begun"]),
        ({"limit": 2, "offset": 4}, ["a grid of β"]),
        ({"offset": 9}, []),
    ],
)
def test_a_list_is_filtered_and_paged(
    client: httpx.Client, query: dict[str, Any], expected: list[str]
) -> None:
    """A sweep matches if all filters match. `limit` and `offset` apply to the filtered list."""
    assert listed_names(client, **query) == expected


def test_all_pages_together_are_the_whole_list(client: httpx.Client) -> None:
    """Each sweep is on one page, and every page has the total number of sweeps."""
    pages = [client.get("/sweeps", params={"limit": 2, "offset": o}).json() for o in (0, 2, 4)]
    assert {page["total"] for page in pages} == {5}
    ids = [sweep["id"] for page in pages for sweep in page["sweeps"]]
    assert len(ids) == len(set(ids)) == 5


def test_a_sweep_is_found_by_id_prefix_and_name(client: httpx.Client, sample: Any) -> None:
    """The id of a sweep, the first characters of the id and the name give the same sweep."""
    info = sample.sweeps["a grid of β"]
    ids = {client.get(f"/sweeps/{r}").json()["id"] for r in (info.id, info.id[:8], info.name)}
    assert ids == {info.id}


def test_a_name_that_looks_like_an_id_is_found(
    fresh_store: Path, make_sweep: Callable[..., SweepInfo], serve: Callable[..., Any]
) -> None:
    """GET finds a sweep whose name looks like an id. DELETE takes only ids, and gets 404."""
    name = "f" * 32
    sweep_id = make_sweep(fresh_store, 0, name=name).id
    with serve(fresh_store) as served, served.client() as client:
        assert client.get(f"/sweeps/{name}").json()["id"] == sweep_id
        assert listed_names(client, sweep=name) == [name]
        assert client.delete(f"/sweeps/{name}").status_code == 404


def test_trials_are_listed_in_the_order_of_their_end(client: httpx.Client, sample: Any) -> None:
    """Trials are listed in the order of their end, without histories.

    A request for a single trial returns its history.
    """
    path = f"/sweeps/{sample.sweeps['a grid of β'].id}/trials"
    first = client.get(path, params={"limit": 10}).json()
    rest = client.get(path, params={"limit": 10, "offset": 10}).json()
    assert first["total"] == rest["total"] == 16
    trials = [*first["trials"], *rest["trials"]]
    assert [trial["spec"]["seed"] for trial in trials] == [0, 1, 2, 3] * 4
    assert len({trial["trial"] for trial in trials}) == 16
    assert {trial["status"] for trial in trials} == {"finished", "diverged"}
    assert all(trial["history"] == {} for trial in trials)
    one = client.get(f"{path}/{trials[3]['trial'][:12]}").json()
    assert one["history"] == {"train/prediction": [1.5, 0.5, 0.03]}
    address, model = one.pop("address"), one.pop("model")
    assert TrialRecord.from_document({**one, "history": {}}).document == trials[3]
    assert (address, model) == (None, None)


def test_the_model_of_a_trial_is_downloaded(client: httpx.Client, sample: Any) -> None:
    """The download is the model file; its name is the trial's key, and its size is known.

    `models` lists the files, and a trial's document has its own. The key may be shortened. A trial
    without a model gets 404 with the reason.
    """
    path = f"/sweeps/{sample.sweeps['a grid of β'].id}"
    document = client.get(f"{path}/models").json()
    files = ModelFiles.from_document(document)
    trials = client.get(f"{path}/trials").json()["trials"]
    assert [file.trial for file in files.kept] == [trial["trial"] for trial in trials[:2]]
    for file in files.files:
        one = client.get(f"{path}/trials/{file.trial}").json()
        assert one["model"] == file.document
        with client.stream("GET", f"{path}/trials/{file.trial[:12]}/model") as response:
            assert response.status_code == 200
            assert response.headers["content-length"] == str(file.bytes)
            assert response.headers["content-type"] == "application/octet-stream"
            disposition = response.headers["content-disposition"]
            assert disposition == f'attachment; filename="{file.trial}.safetensors"'
            content = response.read()
        assert read_model(content).trial == file.trial
    without = client.get(f"{path}/trials/{trials[2]['trial']}/model")
    assert without.status_code == 404
    assert "is not kept: the sweep kept no models when this trial ended" in without.json()["detail"]
    diverged = client.get(f"{path}/trials/{trials[4]['trial']}/model").json()["detail"]
    assert "this one is diverged (the loss was not finite in epoch 7)" in diverged
    assert client.get(f"{path}/trials/{'0' * 16}/model").status_code == 404


def test_the_front_is_available_in_every_format(client: httpx.Client, sample: Any) -> None:
    """A front has the formats JSON, CSV, Parquet, HTML, PNG and plotly's figure.

    Tables and figures have an entry for each setting, or with `trials` for each trial.
    """
    info = sample.sweeps["a grid of β"]
    path = f"/sweeps/{info.id}/front"
    front = Front.from_json(client.get(path).content)
    assert len(front.points) == 13
    assert [failed.status for failed in front.failed] == ["diverged"] * 3

    table = client.get(path, params={"format": "csv", "trials": True})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(table.text.splitlines()))
    ended = [*front.points, *front.failed]
    assert [row["trial"] for row in rows] == [trial.trial for trial in ended]
    assert [row["status"] for row in rows] == ["finished"] * 13 + ["diverged"] * 3
    assert [float(row["rate_bits"]) for row in rows[:13]] == [p.rate_bits for p in front.points]
    assert {row["on_front"] for row in rows} == {"True", "False"}
    assert len({len(cells) for cells in csv.reader(table.text.splitlines())}) == 1

    table = client.get(path, params={"format": "csv"})
    rows = list(csv.DictReader(table.text.splitlines()))
    assert [int(row["seeds"]) for row in rows] == [len(s.seeds) for s in front.settings]
    parquet = client.get(path, params={"format": "parquet"})
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    assert len(pandas.read_parquet(BytesIO(parquet.content))) == len(front.settings) == 4

    page = client.get(path, params={"format": "html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "Plotly.newPlot" in page.text
    picture = client.get(path, params={"format": "png"})
    assert picture.content.startswith(b"\x89PNG")

    for trials in (True, False):
        figure = client.get(path, params={"format": "figure", "trials": trials}).json()
        marks = [keys for trace in figure["data"] for keys in trace.get("customdata", ())]
        assert len(marks) == (13 if trials else 4)
        keys = [key for mark in marks for key in mark.split()]
        assert sorted(keys) == sorted(point.trial[:12] for point in front.points)


def test_a_front_of_some_trials(client: httpx.Client) -> None:
    """`where` may be repeated; each list of conditions has its own ETag."""
    path = "/sweeps/a grid of β/front"
    both = client.get(path, params={"where": ["seed=0", "rate_bits<1"]})
    assert both.json()["where"] == ["seed=0", "rate_bits<1"]
    assert {point["seed"] for point in both.json()["points"]} == {0}
    one = client.get(path, params={"where": "seed=0"})
    assert len(one.json()["points"]) > len(both.json()["points"]) > 0
    assert one.headers["etag"] != both.headers["etag"]
    for condition in ("bta<1", "rate_bits", "rate_bits>1000"):
        refused = client.get(path, params={"where": condition})
        assert (refused.status_code, refused.json()["type"]) == (
            422,
            "urn:paretoib:problem:invalid-filter",
        )


def test_one_setting_is_chosen(client: httpx.Client) -> None:
    """`/pick` takes one rule, conditions and further sweeps, and returns the library's choice."""
    path = "/sweeps/adaptive weights/pick"
    front = Front.from_json(client.get("/sweeps/adaptive weights/front").content)
    answer = client.get(path, params={"max_rate": 2})
    assert answer.status_code == 200
    assert Pick.from_json(answer.content) == pick([front], PickRule.of(max_rate=2))
    assert answer.json()["choice"]["validation"]["rate_bits"] <= 2
    query = {"prefer": 0.5, "also": "a grid of β", "where": "seed=0"}
    both = client.get(path, params=query)
    assert [sweep["name"] for sweep in both.json()["sweeps"]] == ["adaptive weights", "a grid of β"]
    for query, detail in (
        ({}, "should be given; found none"),
        ({"max_rate": 2, "knee": True}, "found max_rate and knee"),
        ({"max_rate": 0.001}, "the lowest rate is"),
        ({"prefer": 2}, "at most 1; found 2"),
    ):
        refused = client.get(path, params=query)
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:paretoib:problem:no-choice"
        assert detail in refused.json()["detail"]
    assert client.get(path, params={"max_rate": "inf"}).status_code == 422
    assert client.get("/sweeps/nosuch/pick?knee=true").status_code == 404


def test_unchanged_content_is_not_sent_again(client: httpx.Client) -> None:
    """A request with the ETag of the content gets 304. Each format has its own ETag."""
    path = "/sweeps/a grid of β/front"
    first = client.get(path)
    etag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = client.get(f"{path}?format=csv", headers={"If-None-Match": etag})
    assert other.status_code == 200
    assert other.headers["etag"] != etag
    assert client.get(path, headers={"If-None-Match": '"stale"'}).content == first.content
    assert client.get(path, headers={"If-None-Match": "*"}).status_code == 304
    assert first.headers["cache-control"] == "private, no-cache"


def test_a_change_is_visible_within_a_second(
    fresh_store: Path, make_sweep: Callable[..., SweepInfo], serve: Callable[..., Any]
) -> None:
    """A second after another process has created a newer sweep, the name leads to this sweep.

    Its front is sent, because the ETag in the request is that of the older sweep's front.
    """
    make_sweep(fresh_store, 5, name="growing", status="running")
    with serve(fresh_store) as served, served.client() as client:
        first = client.get("/sweeps/growing/front")
        assert len(first.json()["points"]) == 4
        make_sweep(fresh_store, 8, name="growing", status="running")
        import time

        time.sleep(1.1)
        second = client.get(
            "/sweeps/growing/front", headers={"If-None-Match": first.headers["etag"]}
        )
        assert second.status_code == 200
        assert len(second.json()["points"]) == 7
        assert listed_names(client) == ["growing", "growing"]


def test_the_catalogue_has_the_schema_of_every_field(client: httpx.Client) -> None:
    """In the catalogue, each field has a schema with type, bounds, description and default."""
    methods = client.get("/methods").json()["methods"]
    assert methods["vib"]["weighting"] == "linear"
    assert (methods["det"]["model"], methods["stl"]["task_model"]) == ("sigmoid", "small_alexnet")
    beta = methods["vib"]["fields"]["beta"]
    assert beta["type"] == "number"
    assert beta["minimum"] == 0
    assert beta["description"]
    assert "hidden" in client.get("/models").json()["models"]["mlp"]["fields"]
    assert client.get("/datasets").json()["datasets"]["digits"]["fields"]["subset"]["default"] == 1


def test_the_openapi_schema_has_problems_and_valid_examples(client: httpx.Client) -> None:
    """Every route documents its problems, and each example matches its schema."""
    openapi = client.get("/openapi.json").json()
    components = {"components": openapi["components"]}
    checked = 0
    for path, methods in openapi["paths"].items():
        for operation in methods.values():
            responses = operation["responses"]
            required = {"400"} if path in ("/healthz", "/readyz") else {"400", "401", "403", "429"}
            assert required <= responses.keys(), path
            for status, response in responses.items():
                for media, content in response.get("content", {}).items():
                    if status >= "400" and (path, status) != ("/readyz", "503"):
                        assert media == "application/problem+json"
                    if "example" in content:
                        schema = {**content["schema"], **components}
                        Draft202012Validator(schema).validate(content["example"])
                        checked += 1
    assert checked > 60
    body = openapi["paths"]["/sweeps"]["post"]["requestBody"]["content"]["application/json"]
    for example in body["examples"].values():
        Draft202012Validator({**body["schema"], **components}).validate(example["value"])
    assert openapi["security"] == [{"token": []}, {"cookie": []}]


def test_a_resumed_sweep_loses_the_reason_of_its_interruption(
    fresh_store: Path, make_sweep: Callable[..., SweepInfo], store_tools: Any
) -> None:
    """After a resume, the state has no reason, neither while the sweep runs nor after its end."""
    store = MLflowTracker(f"sqlite:///{fresh_store}/mlflow.db")
    sweep_id = make_sweep(fresh_store, 4, status="interrupted").id
    store.close(sweep_id, "failed", None, [], "no node has room")
    assert store.state(sweep_id).reason == "no node has room"
    writer = store_tools.open_tracker(fresh_store)
    writer.begin(sweep_id, store_tools.ruler)
    assert store.state(sweep_id).reason is None
    writer.close(sweep_id, "finished", None, [])
    assert store.state(sweep_id).reason is None
