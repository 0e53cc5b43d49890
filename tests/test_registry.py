"""Rows that installed packages add by entry points."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.errors import SpecError
from paretoib.models import MODELS, ModelEntry
from paretoib.registry import Registry, lookup

OWN = ModelEntry("paretoib.models._mlp:MLPEncoder", "a test's")
Installed = Callable[..., Registry[ModelEntry]]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """`installed(name="module:object", …)`: a registry beside a package with these entry points."""

    def install(source: str, **points: str) -> Registry[ModelEntry]:
        (tmp_path / "a_users_rows.py").write_text(source)
        metadata = tmp_path / "a_users_rows-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Name: a-users-rows\nVersion: 1\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        text = "\n".join(["[paretoib.test]", *lines, "[paretoib.other]", "elsewhere = nowhere:X"])
        (metadata / "entry_points.txt").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "a_users_rows", raising=False)
        return Registry("paretoib.test", ModelEntry, {"own": OWN})

    return install


ROWS = """
from paretoib.models import ModelEntry
GOOD = ModelEntry("somewhere:Good", "good")
CLASS = ModelEntry
"""


def test_a_row_is_there_by_its_entry_points_name(installed: Installed) -> None:
    """Behind paretoib's own, and looked up as they are."""
    rows = installed(ROWS, good="a_users_rows:GOOD")
    assert list(rows) == ["own", "good"]
    assert lookup(rows, "good", "model").target == "somewhere:Good"
    with pytest.raises(SpecError, match="should be one of own, good; found `god`; did you mean"):
        lookup(rows, "god", "model")


@pytest.mark.parametrize(
    ("name", "target", "rule"),
    [
        ("own", "a_users_rows:GOOD", "the name is taken"),
        ("bad", "a_users_rows:CLASS", "should be a ModelEntry; found"),
        ("bad", "a_users_rows:ABSENT", "has no attribute 'ABSENT'"),
        ("bad", "not_a_module:X", "No module named 'not_a_module'"),
    ],
)
def test_one_that_is_no_good_is_left_out_with_a_warning(
    installed: Installed, caplog: pytest.LogCaptureFixture, name: str, target: str, rule: str
) -> None:
    """The others stay."""
    rows = installed(ROWS, **{name: target, "good": "a_users_rows:GOOD"})
    assert list(rows) == ["own", "good"]
    assert rows["own"] is OWN
    assert f"{name} = {target} left out" in caplog.text
    assert rule in caplog.text


def test_no_package_is_imported_before_a_row_is_asked_for(installed: Installed) -> None:
    """So that it can import the registry that it adds to."""
    rows = installed(ROWS, good="a_users_rows:GOOD")
    assert "a_users_rows" not in sys.modules
    assert len(rows) == 2
    assert "a_users_rows" in sys.modules


def test_a_row_can_be_added_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process: workers know installed packages alone."""
    monkeypatch.setitem(MODELS, "mine", OWN)
    assert lookup(MODELS, "mine", "model") is OWN
    monkeypatch.undo()
    assert "mine" not in MODELS
