"""The command line on a service (`--server`): what it prints is what it prints on the store."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import run as call
from typing import Any

import pytest

Run = Callable[..., Any]
Do = Callable[..., Any]
GRID, MIB = "a grid of β", "adaptive weights"
SMALL = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--epochs", "1")


@pytest.mark.parametrize(
    "command",
    [
        ("front", GRID),
        ("front", MIB, "--json"),
        ("front", "gaussian", "--json"),
        ("compare", MIB, "--against", GRID),
        ("compare", MIB, "--against", GRID, "--json"),
        ("methods",),
        ("methods", "--json"),
        ("datasets", "--json"),
        ("models", "--json"),
        ("searches", "--json"),
        ("watch", GRID, "--json"),
        ("watch", MIB),
        ("watch", "gaussian"),
        # What cannot be is said in the same words, too.
        ("show", "nosuch"),
        ("show", ""),
        ("front", "not begun"),
        ("compare", GRID, "--against", GRID),
        ("compare", GRID, "--against", "gaussian"),
        ("cancel", GRID),
    ],
)
def test_a_service_and_its_store_give_the_same(
    filled: Any, run: Run, remotely: Do, command: tuple[str, ...]
) -> None:
    """To the letter on stdout, with the same exit code; an error is the same line."""
    here = run(filled.store, *command)
    there = remotely(filled.served, *command)
    assert (there.code, there.out) == (here.code, here.out)
    if not here.out:
        assert there.err == here.err


def test_sweeps_that_have_ended_are_listed_alike(
    fresh_store: Path,
    serve: Callable[..., Any],
    make_sweep: Callable[..., Any],
    run: Run,
    remotely: Do,
) -> None:
    """Of one whose process is gone the store's own machine alone can tell."""
    statuses = ("finished", "interrupted", "failed")
    for i, status in enumerate(statuses):
        make_sweep(fresh_store, 4, name=f"sweep {i}", status=status)
    with serve(fresh_store) as served:
        for command in (("list",), ("list", "--json")):
            here, there = run(fresh_store, *command), remotely(served, *command)
            assert (there.code, there.out) == (here.code, here.out)
            assert all(status in here.out for status in statuses)


def test_a_sweep_is_shown_with_the_services_own_page(filled: Any, run: Run, remotely: Do) -> None:
    """MLflow stays behind the service; all else is as in the store, by id and prefix as well."""
    id_ = filled.sweeps[GRID].id
    here = run(filled.store, "show", GRID, "--json").document
    for reference in (GRID, id_, id_[:8]):
        there = remotely(filled.served, "show", reference, "--json", who="reader").document
        assert there == {**here, "address": f"{filled.served.address}/sweeps/{id_}"}
    assert remotely(filled.served, "show", GRID).out.count("look: http") == 1


def test_pictures_are_the_same(filled: Any, run: Run, remotely: Do, tmp_path: Path) -> None:
    """The page and the pictures of a front, and those of a comparison."""
    plane = tmp_path / "plane.png"
    for command in (("front", GRID, "--plane", str(plane)), ("compare", MIB, "--against", GRID)):
        found = []
        for do, place in ((run, filled.store), (remotely, filled.served)):
            page, picture = tmp_path / "page.html", tmp_path / "picture.png"
            assert do(place, *command, "--html", str(page), "--png", str(picture)).code == 0
            # But for plotly's name of its element, which is made up.
            pictures = (picture.read_bytes(), plane.read_bytes())
            found.append((re.sub(r"[0-9a-f-]{36}", "", page.read_text()), *pictures))
        assert found[0] == found[1]


def test_the_settings_name_the_service_and_a_flag_goes_over_them(
    filled: Any, run: Run, tmp_path: Path, secrets_of: dict[str, str]
) -> None:
    """PARETOIB_SERVER; with `--server ''` the store on this machine is looked at all the same."""
    settings = {"PARETOIB_SERVER": filled.served.address, "PARETOIB_TOKEN": secrets_of["reader"]}
    assert len(run(tmp_path, "list", "--json", **settings).document["sweeps"]) == 5
    assert run(tmp_path, "list", "--json", "--server", "").document["sweeps"] == []


def test_no_torch_ray_or_mlflow_is_loaded(filled: Any, secrets_of: dict[str, str]) -> None:
    """So that it answers quickly, and a machine needs none of them to look."""
    code = (
        "import sys\nfrom paretoib.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(*{n.partition('.')[0] for n in sys.modules}, file=sys.stderr)"
    )
    own = {"PARETOIB_SERVER": filled.served.address, "PARETOIB_TOKEN": secrets_of["reader"]}
    for command in (["list"], ["compare", MIB, "--against", GRID], ["watch", GRID]):
        ended = call(
            [sys.executable, "-c", code, *command],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stdout
        assert {"torch", "ray", "mlflow"}.isdisjoint(ended.stderr.split())


@pytest.mark.parametrize(
    ("command", "who", "said"),
    [
        (("submit", *SMALL), "reader", "scope write; `reader` has read"),
        (("cancel", "not begun"), "reader", "scope write; `reader` has read"),
        (("submit", "--trials", "3000"), "writer", "at most 2000; found 3000"),
        (("submit", "--method", "vibb"), "writer", "did you mean `vib`"),
        (("resume", GRID), "writer", "should be interrupted or failed; found finished"),
        (("list",), "wrong", "does not know the token of PARETOIB_TOKEN"),
        (("list",), "none", "asks for a token: set PARETOIB_TOKEN"),
    ],
)
def test_what_the_service_refuses_is_one_line(
    filled: Any,
    remotely: Do,
    secrets_of: dict[str, str],
    command: tuple[str, ...],
    who: str,
    said: str,
) -> None:
    """Code 2, nothing on stdout, and never the token."""
    ended = remotely(filled.served, *command, who=who)
    (line,) = ended.err.splitlines()
    assert (ended.code, ended.out) == (2, "")
    assert line.startswith("error: ")
    assert said in line
    assert not secrets_of[who] or secrets_of[who] not in line


def test_nobody_answers(remotely: Do, filled: Any) -> None:
    """The address is named, and why it did not answer; a dry run needs nobody."""
    nowhere = replace(filled.served, address="http://127.0.0.1:9")
    assert remotely(nowhere, "list").err == (
        "error: no answer from http://127.0.0.1:9: Connection refused\n"
    )
    dry = remotely(nowhere, "sweep", *SMALL, "--dry-run", "--json")
    assert dry.document["method"] == "vib"


def test_without_a_service_there_is_nothing_to_submit_to(run: Run, tmp_path: Path) -> None:
    """It is said how to name one and how to start one."""
    ended = run(tmp_path, "submit", *SMALL)
    assert (ended.code, ended.out) == (2, "")
    for part in ("--server URL", "PARETOIB_SERVER", "`paretoib serve`", "found neither"):
        assert part in ended.err


def test_a_name_with_a_slash_is_found(
    fresh_store: Path, serve: Callable[..., Any], make_sweep: Callable[..., Any], remotely: Do
) -> None:
    """Though no path can hold it; and so is one that is like a route's."""
    names = ("paper/figure 1", "..", "%2F")
    ids = [make_sweep(fresh_store, 0, name=name, status="running").id for name in names]
    with serve(fresh_store) as served:
        for name, id_ in zip(names, ids, strict=True):
            assert remotely(served, "show", name, "--json").document["sweep"]["id"] == id_
