"""Presets over HTTP: the catalogue, the fields of a sweep, and the pages."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from paretoib.catalogue import catalogue
from paretoib.presets import PRESETS
from service import ServiceSettings
from service.limits import limited_spec
from service.problems import ProblemError

Run = Callable[..., Any]

CHANGED = "imb-fig1 (imb figure 1), row JointIMB; changed: training.epochs 3 (preset: 20000)"


@pytest.fixture(scope="module")
def store(
    empty_store: Path, make_sweep: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A store with the sweeps `paper`, which has a preset, and `own`, which has none."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("presets") / "store")
    paper = {"method": "imb_joint", "preset": "imb-fig1", "training": {"epochs": 3}, "trials": 0}
    make_sweep(folder, 2, name="paper", **paper)
    make_sweep(folder, 2, name="own")
    return folder


def test_the_catalogue_has_the_protocols(client: httpx.Client) -> None:
    """`GET /presets` has the methods, rows, values and reasons of every preset."""
    presets = client.get("/presets").json()["presets"]
    assert list(presets) == list(PRESETS)
    assert presets == json.loads(json.dumps(catalogue("presets")))
    table = presets["mib-table1"]
    assert (table["summary"], table["paper"]) == (
        "Fashion-MNIST under seven attacks",
        "mib table 1",
    )
    assert table["methods"]["vib"]["rows"]["VIB"]["weighting"] == {"beta": 1e-4}
    assert "widths" in table["ours"]["model.decoder"]


def test_the_schema_lists_the_presets(client: httpx.Client) -> None:
    """The schema of a sweep, which /docs shows, has the names of all presets."""
    schema = client.get("/openapi.json").json()
    preset = schema["components"]["schemas"]["SweepSpec"]["properties"]["preset"]
    assert preset["anyOf"] == [{"enum": list(PRESETS)}, {"type": "null"}]
    assert "/presets" in schema["paths"]


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({"method": "vib", "preset": "mib-tabel1"}, "did you mean `mib-table1`?"),
        (
            {"method": "mib", "preset": "mib-table3"},
            "method: should be one of vib, nib, vib_squared, nib_squared with preset `mib-table3`",
        ),
    ],
)
def test_an_invalid_preset_gets_a_problem(
    client: httpx.Client, document: dict[str, str], detail: str
) -> None:
    """The problem names the presets, or the methods of the preset."""
    answer = client.post("/sweeps", json=document)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]


def test_limits_hold_for_the_values_of_a_preset() -> None:
    """A preset with too many epochs is refused; fewer epochs in the body are accepted."""
    limits = ServiceSettings(auth=False, max_epochs=200)
    body = {"method": "sfnn", "preset": "imb-fig1"}
    with pytest.raises(ProblemError, match="allows at most 200; found 20000"):
        limited_spec(body, limits)
    assert limited_spec({**body, "training": {"epochs": 200}}, limits).preset == "imb-fig1"


def test_show_says_what_was_changed(
    store: Path, serve: Callable[..., Any], run: Run, run_remotely: Run
) -> None:
    """`show` says it on this machine, on a service and in JSON; so does the page of the sweep."""
    local = run(store, "show", "paper")
    assert f"# preset {CHANGED}\n" in local.out
    assert "  # ours: the paper does not give it\n  learning_rate: 0.1\n" in local.out
    document = run(store, "show", "paper", "--json").document
    changed = {"training.epochs": {"preset": 20_000, "sweep": 3}}
    expected = {"name": "imb-fig1", "row": "JointIMB", "changed": changed}
    assert document["preset"] == expected
    assert document["sweep"]["spec"]["preset"] == "imb-fig1"
    assert "preset" not in run(store, "show", "own", "--json").document
    assert "# preset" not in run(store, "show", "own").out
    with serve(store) as served, served.client() as client:
        assert run_remotely(served, "show", "paper", "--json").document["preset"] == expected
        html = {"Accept": "text/html"}
        assert f"preset {CHANGED}" in client.get("/sweeps/paper", headers=html).text
        assert "preset " not in client.get("/sweeps/own", headers=html).text.partition("<pre>")[0]


def test_a_preset_of_another_version_is_shown_by_its_name(
    store: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`show` prints the sweep, and says why it is not compared with the preset."""
    monkeypatch.setattr("paretoib.specs._preset_use.PRESETS", {})
    shown = run(store, "show", "paper")
    assert shown.code == 0
    assert "preset: imb-fig1" in shown.out
    assert shown.err.startswith("preset `imb-fig1` is not compared with the sweep: unknown preset")


def test_mlflow_has_the_name_of_the_preset(store: Path) -> None:
    """The run of a sweep has the preset as a param, so that MLflow's UI can filter by it."""
    from tests.service.synthetic_sweeps import open_tracker

    client = open_tracker(store)._client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, "params.preset = 'imb-fig1'")
    assert [found_run.info.run_name for found_run in found] == ["paper"]
