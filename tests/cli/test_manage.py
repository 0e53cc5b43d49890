"""Commands that change sweeps without training: `note`, `tag`, `archive`, `delete` and others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import TrialCounts
from tests.service.synthetic_sweeps import write_sweep


@pytest.fixture
def folder(empty_store: Path, tmp_path: Path) -> Path:
    """The folder of a store with two sweeps."""
    store = shutil.copytree(empty_store, tmp_path / "store")
    write_sweep(store, 5, name="old")
    write_sweep(store, 4, name="new")
    return store


def names(result: Any) -> list[str]:
    return [sweep["name"] for sweep in result.document["sweeps"]]


def test_list_shows_progress_hypervolume_and_start(run: Callable[..., Any], folder: Path) -> None:
    """A row has ended and total trials, the hypervolume in bits² and the time of the start."""
    listed = run(folder, "list", COLUMNS="120")
    (row,) = (line.split() for line in listed.out.splitlines() if " old " in line)
    started = datetime.fromisoformat(
        run(folder, "list", "--json").document["sweeps"][1]["started"]
    ).astimezone()
    assert row[1:7] == ["old", "vib", "digits", "finished", "5/5", "64.00"]
    assert " ".join(row[7:]) == f"{started:%d %b %H:%M}"
    header = next(line for line in listed.out.splitlines() if "volume" in line)
    assert header.split()[-3:] == ["trials", "volume", "started"]


def test_an_archived_sweep_is_listed_with_all(run: Callable[..., Any], folder: Path) -> None:
    """`archive` hides a sweep, `list --all` shows it, and `archive --undo` lists it again."""
    done = run(folder, "archive", "old", "new")
    assert (done.code, done.err.count("is archived")) == (0, 2)
    assert names(run(folder, "list", "--json")) == []
    assert names(run(folder, "list", "--all", "--json")) == ["new", "old"]
    assert "archived" in run(folder, "list", "--all").out
    assert run(folder, "front", "old").code == 0
    assert "old" in run(folder, "archive", "--undo", "old").err
    assert names(run(folder, "list", "--json")) == ["old"]


def test_a_note_is_written_and_shown(run: Callable[..., Any], folder: Path) -> None:
    """`show` prints the note of a sweep; `note` without a text prints the note alone."""
    done = run(folder, "note", "old", "β below 0.1\nlooks best")
    assert (done.code, done.out) == (0, "")
    assert "has a note" in done.err
    assert run(folder, "note", "old").out == "β below 0.1\nlooks best\n"
    assert "\nnote: β below 0.1\nlooks best\n" in run(folder, "show", "old").out
    assert run(folder, "show", "old", "--json").document["sweep"]["note"].startswith("β below")
    assert "has no note" in run(folder, "note", "old", "").err
    assert "note:" not in run(folder, "show", "old").out
    refused = run(folder, "note", "old", "\x1b[31m")
    assert (refused.code, refused.err.startswith("error: note: should have only")) == (2, True)


def test_tags_are_set_removed_and_listed(run: Callable[..., Any], folder: Path) -> None:
    """`tag` prints all tags of the sweep, and `list --tag` finds the sweeps with a tag."""
    assert run(folder, "tag", "old", "project=a=b", "draft=yes").out == "draft=yes\nproject=a=b\n"
    assert run(folder, "tag", "new", "project=c").code == 0
    assert run(folder, "tag", "old", "k=v", "--remove", "draft").out == "k=v\nproject=a=b\n"
    assert run(folder, "tag", "old").out == "k=v\nproject=a=b\n"
    assert "\ntags: k=v, project=a=b\n" in run(folder, "show", "old").out
    for flags, found in (
        (("--tag", "project"), ["new", "old"]),
        (("--tag", "project=a=b"), ["old"]),
        (("--tag", "project", "--tag", "k=v"), ["old"]),
        (("--tag", "draft"), []),
    ):
        assert names(run(folder, "list", *flags, "--json")) == found
    assert run(folder, "list", "--tag", "nosuch").err == "no sweep has these tags\n"
    for wrong, message in (
        (("novalue",), "a tag should be NAME=VALUE; found `novalue`"),
        (("k=x", "--remove", "k"), "a tag should be given once; found `k` twice"),
        (("mlflow.user=me",), "belong to MLflow and paretoib"),
        (("--remove", "nosuch"), "should have a tag 'nosuch'"),
    ):
        refused = run(folder, "tag", "old", *wrong)
        assert (refused.code, refused.out) == (2, "")
        assert message in refused.err
    assert run(folder, "tag", "old").out == "k=v\nproject=a=b\n"


def test_an_extension_that_adds_nothing_is_refused(run: Callable[..., Any], folder: Path) -> None:
    """The error has one line, Ray is not started, and the sweep stays as it is."""
    before = run(folder, "show", "old", "--json").out
    for flags, message in (
        ((), "should add trials, seeds or values of fields; found none"),
        (("--trials", "+16"), "trials: should be left out for search `grid`"),
        (("--seeds", "0"), "found only values that it has"),
        (("--seeds", "x"), "seeds: should be seeds such as 3,4, or +N for N more; found 'x'"),
        (("--grid", "beta"), "--grid: should be FIELD=VALUE; found `beta`"),
        (("--grid", "betta=1"), "unknown field `betta`; did you mean `beta`?"),
        (("--epochs", "100"), "trained trials cannot train further; found 100: values of `epochs`"),
    ):
        refused = run(folder, "extend", "old", *flags)
        assert (refused.code, refused.out) == (2, "")
        assert refused.messages.startswith("error: ")
        assert message in refused.messages
    assert run(folder, "show", "old", "--json").out == before


def test_delete_asks_and_says_how_to_undo(
    run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal it needs --yes. The printed command restores the sweeps."""
    refused = run(folder, "delete", "old")
    assert (refused.code, refused.err) == (2, "error: without a terminal, `delete` needs --yes\n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, code in (("n", 2), ("y", 0)):
        monkeypatch.setattr("typer.confirm", lambda *_, answer=answer, **__: answer == "y")
        asked = run(folder, "delete", "old")
        assert asked.code == code
        assert "old" in asked.err
        assert names(run(folder, "list", "--json")) == ["new", "old"][: 2 - (answer == "y")]
    deleted = run(folder, "delete", "new", "--yes")
    assert names(run(folder, "list", "--all", "--json")) == []
    undo = deleted.err.splitlines()[-1].removeprefix("undo:     paretoib ").split()
    assert run(folder, *undo).code == 0
    assert names(run(folder, "list", "--json")) == ["new"]
    unknown = run(folder, "delete", "old", "--yes")
    assert (unknown.code, unknown.err.count("no sweep `old`")) == (2, 1)


def test_delete_refuses_a_running_sweep(run: Callable[..., Any], folder: Path) -> None:
    """No sweep is deleted, also not the other sweeps of the command."""
    running = write_sweep(folder, 0, name="running", status="running")
    refused = run(folder, "delete", "old", "running", "--yes")
    assert refused.code == 2
    assert f"paretoib cancel {running.id[:8]}" in refused.err
    assert len(names(run(folder, "list", "--json"))) == 3


PROGRAM = """
import sys
from paretoib.cli import main
try:
    main(sys.argv[1:])
finally:
    print(sorted({"ray", "mlflow"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(("status", "loaded"), [("finished", "[]"), ("interrupted", "['mlflow']")])
def test_resuming_a_sweep_with_nothing_left_starts_no_ray(
    run: Callable[..., Any], folder: Path, status: str, loaded: str
) -> None:
    """`resume` shows the front. An interrupted sweep whose trials have all ended is closed."""
    write_sweep(folder, 5, name="all ended", status=status)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "resume", "all ended"],
        env={**os.environ, "PARETOIB_STORE": str(folder), "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "on the front of the means" in done.stdout
    assert done.stderr.splitlines()[-1] == loaded
    if status == "finished":
        assert "all ended is complete: all 5 trials have ended" in done.stderr
    state = run(folder, "show", "all ended", "--json").document["sweep"]
    assert state["status"] == "finished"
    assert TrialCounts.model_validate(state["trials"]).ended == 5
