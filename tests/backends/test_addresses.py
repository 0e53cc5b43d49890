"""Which addresses a token is sent to."""

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
    ("address", "token", "said"),
    [
        ("127.0.0.1:8000", "", r"http\(s\)://HOST\[:PORT\]; found `127"),
        ("ftp://somewhere", "", "found `ftp://somewhere`"),
        ("http://:8000", "", "found `http://:8000`"),
        ("http://host:port", "", "found `http://host:port`"),
        ("http://[::1", "", r"found `http://\[::1`"),
        ("https://me:secret@host", "", "found `https://host`"),
        ("http://paretoib.example", "t", "in the clear: http://paretoib.example should be https"),
        ("https://paretoib.example", "two\nlines", "PARETOIB_TOKEN should have printable"),
        ("https://paretoib.example", "π", "PARETOIB_TOKEN should have printable"),
    ],
)
def test_an_address_that_cannot_be_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, address: str, token: str, said: str
) -> None:
    """No password is shown, and no token goes over a network in the clear."""
    monkeypatch.setenv("PARETOIB_TOKEN", token)
    settings.cache_clear()
    with pytest.raises(ServiceError, match=said) as refused:
        RemoteBackend(address)
    settings.cache_clear()
    assert "secret" not in str(refused.value)
    assert "lines" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://localhost:1", "http://[::1]:1", "https://far.example"])
def test_a_token_goes_to_this_machine_or_encrypted(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Those addresses are taken, with a path before the service's own too."""
    monkeypatch.setenv("PARETOIB_TOKEN", "t")
    settings.cache_clear()
    page = RemoteBackend(f"{address}/below/").page(INFO)
    settings.cache_clear()
    assert page == f"{address}/below/sweeps/{INFO.id}"
