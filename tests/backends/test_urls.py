"""Which service URLs the client accepts, and with which URLs it accepts a token."""

from datetime import UTC, datetime

import pytest

from paretoib.backends import RemoteBackend
from paretoib.errors import ServiceError
from paretoib.records import SweepState, TrialCounts
from paretoib.settings import settings

INFO = SweepState(
    id="0" * 32,
    name="",
    method="vib",
    dataset="digits",
    status="running",
    spec={"trials": 2},
    trials=TrialCounts(total=2),
    started=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("url", "token", "message"),
    [
        ("127.0.0.1:8000", "", r"http\(s\)://HOST\[:PORT\]; found `127"),
        ("ftp://somewhere", "", "found `ftp://somewhere`"),
        ("http://:8000", "", "found `http://:8000`"),
        ("http://host:port", "", "found `http://host:port`"),
        ("http://[::1", "", r"found `http://\[::1`"),
        ("https://me:secret@host", "", "found `https://host`"),
        ("http://paretoib.example", "t", "sent over https; found `http://paretoib.example`"),
        ("https://paretoib.example", "two\nlines", "PARETOIB_TOKEN should have only printable"),
        ("https://paretoib.example", "π", "PARETOIB_TOKEN should have only printable"),
    ],
)
def test_an_invalid_url_or_token_is_refused_before_a_request(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str, message: str
) -> None:
    """The error for an invalid URL or token contains no password and no token."""
    monkeypatch.setenv("PARETOIB_TOKEN", token)
    settings.cache_clear()
    with pytest.raises(ServiceError, match=message) as error:
        RemoteBackend(url)
    settings.cache_clear()
    assert "secret" not in str(error.value)
    assert "lines" not in str(error.value)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "https://far.example"])
def test_a_token_is_allowed_on_loopback_or_over_tls(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """With a token, the client accepts URLs on loopback or with https. A URL may have a path."""
    monkeypatch.setenv("PARETOIB_TOKEN", "t")
    settings.cache_clear()
    page = RemoteBackend(f"{url}/below/").page(INFO)
    settings.cache_clear()
    assert page == f"{url}/below/sweeps/{INFO.id}"
