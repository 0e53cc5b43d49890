"""What child processes inherit."""

import os
from pathlib import Path

import pytest

from paretoib.errors import ParetoIBError
from paretoib.processes import (
    LONGEST_TEMP_FOLDER,
    bypass_proxies_for_loopback,
    inherited,
    socket_folder,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"PATH": "/bin"}, None),
        ({"http_proxy": "http://proxy:3128"}, "127.0.0.1,localhost,::1"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.b"}, "a.b,127.0.0.1,localhost,::1"),
        ({"ALL_PROXY": "socks5://p", "no_proxy": "localhost, x"}, "localhost,x,127.0.0.1,::1"),
    ],
)
def test_no_proxy_is_used_for_loopback(before: dict[str, str], after: str | None) -> None:
    """The hosts that a user has exempted stay exempt; without a proxy nothing changes."""
    environment = dict(before)
    bypass_proxies_for_loopback(environment)
    if after is None:
        assert environment == before
    else:
        assert (environment["no_proxy"], environment["NO_PROXY"]) == (after, after)


def test_variables_are_inherited_in_the_block_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the environment is as before."""
    monkeypatch.setenv("PARETOIB_TEST_A", "before")
    monkeypatch.delenv("PARETOIB_TEST_B", raising=False)
    with inherited({"PARETOIB_TEST_A": "1", "PARETOIB_TEST_B": "2"}):
        assert (os.environ["PARETOIB_TEST_A"], os.environ["PARETOIB_TEST_B"]) == ("1", "2")
    assert os.environ["PARETOIB_TEST_A"] == "before"
    assert "PARETOIB_TEST_B" not in os.environ


def test_sockets_are_in_a_folder_with_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/tmp replaces a long TMPDIR. If /tmp cannot be written, the error states the rule."""
    long = tmp_path / ("x" * LONGEST_TEMP_FOLDER)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(long))
    assert socket_folder() == Path("/tmp")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/var/tmp")
    assert socket_folder() == Path("/var/tmp")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(long))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ParetoIBError, match=f"TMPDIR should have at most 40 .* found {long}"):
        socket_folder()
