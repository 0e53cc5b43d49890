"""Registry entries that installed packages add by entry points."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.errors import SpecError
from paretoib.models import MODELS, ModelEntry
from paretoib.registry import Registry, lookup

OWN = ModelEntry("paretoib.models._mlp:MLPEncoder", "a model of this test")
Installed = Callable[..., Registry[ModelEntry]]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """`installed(source, name="module:object")` installs a package and returns a registry.

    The package has this source and this entry point. The registry reads the package's entry points.
    """

    def install(source: str, **points: str) -> Registry[ModelEntry]:
        (tmp_path / "a_users_entries.py").write_text(source)
        metadata = tmp_path / "a_users_entries-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Name: a-users-entries\nVersion: 1\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        text = "\n".join(["[paretoib.test]", *lines, "[paretoib.other]", "elsewhere = nowhere:X"])
        (metadata / "entry_points.txt").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "a_users_entries", raising=False)
        return Registry("paretoib.test", ModelEntry, {"own": OWN})

    return install


ENTRIES = """
from paretoib.models import ModelEntry
GOOD = ModelEntry("somewhere:Good", "good")
CLASS = ModelEntry
"""


def test_an_entry_has_the_name_of_its_entry_point(installed: Installed) -> None:
    """The entry of a package follows paretoib's own entries and has the entry point's name."""
    entries = installed(ENTRIES, good="a_users_entries:GOOD")
    assert list(entries) == ["own", "good"]
    assert lookup(entries, "good", "model").target == "somewhere:Good"
    with pytest.raises(SpecError, match="should be one of own, good; found `god`; did you mean"):
        lookup(entries, "god", "model")


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("own", "a_users_entries:GOOD", "the name is taken"),
        ("bad", "a_users_entries:CLASS", "should be a ModelEntry; found"),
        ("bad", "a_users_entries:ABSENT", "has no attribute 'ABSENT'"),
        ("bad", "not_a_module:X", "No module named 'not_a_module'"),
    ],
)
def test_an_invalid_entry_is_ignored_with_a_warning(
    installed: Installed, caplog: pytest.LogCaptureFixture, name: str, target: str, reason: str
) -> None:
    """The warning names the invalid entry and the reason. The other entries are loaded."""
    entries = installed(ENTRIES, **{name: target, "good": "a_users_entries:GOOD"})
    assert list(entries) == ["own", "good"]
    assert entries["own"] is OWN
    assert f"{name} = {target} ignored" in caplog.text
    assert reason in caplog.text


def test_a_package_is_imported_on_the_first_access(installed: Installed) -> None:
    """A package is imported when its registry is first read, so the package can import paretoib."""
    entries = installed(ENTRIES, good="a_users_entries:GOOD")
    assert "a_users_entries" not in sys.modules
    assert len(entries) == 2
    assert "a_users_entries" in sys.modules


def test_an_entry_can_be_added_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lookup` finds an entry that was added to `MODELS` in this process."""
    monkeypatch.setitem(MODELS, "mine", OWN)
    assert lookup(MODELS, "mine", "model") is OWN
    monkeypatch.undo()
    assert "mine" not in MODELS
