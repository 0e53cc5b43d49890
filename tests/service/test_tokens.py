"""Tokens and their rate."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoib.errors import ParetoIBError
from paretoib.tokens import new_token, token_digest
from service import Token
from service.__main__ import main
from service.auth import find_token
from service.rate_limit import RateLimiter
from service.settings import ServiceSettings, service_settings


def test_a_token_is_known_by_its_hash_alone() -> None:
    """What is kept finds the token's owner, and is no token itself."""
    token = new_token()
    digest = token_digest(token)
    alice = Token(name="alice", scopes=("read",), sha256=digest)
    other = Token(name="other", scopes=("read",), sha256=token_digest("other"))
    assert find_token(token, [other, alice]) is alice
    assert find_token(digest, [other, alice]) is None
    assert find_token("", [other, alice]) is None
    assert len({new_token() for _ in range(100)}) == 100


def test_a_rate_lets_a_minutes_worth_in_at_once_and_then_as_much_as_refills() -> None:
    """The time that it says to wait is the time after which one more is let in."""
    now = [0.0]
    rate = RateLimiter(60, clock=lambda: now[0])
    assert [rate.wait("a") for _ in range(60)] == [0.0] * 60
    wait = rate.wait("a")
    assert wait == pytest.approx(1.0)
    assert rate.wait("b") == 0.0
    now[0] += wait
    assert rate.wait("a") == 0.0
    assert rate.wait("a") > 0


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_pattern_of_requests_beats_the_rate(pauses: list[float]) -> None:
    """In any time t at most a minute's worth and t more are let in."""
    now = [0.0]
    rate = RateLimiter(30, clock=lambda: now[0])
    let_in = 0
    for pause in pauses:
        now[0] += pause
        let_in += rate.wait("a") == 0
    assert let_in <= 30 + 0.5 * now[0] + 1e-6


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("TOKENS", "", "tokens: should be one or more"),
        ("TOKENS", "alice:all:" + "0" * 64, "NAME:SCOPES:SHA256"),
        ("TOKENS", "alice:read:secret", "String should match pattern"),
        ("PORT", "http", "PARETOIB_SERVICE_PORT"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(
    setting: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the setting's name, before anything is served."""
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"a:read:{'0' * 64}")
    monkeypatch.setenv(f"PARETOIB_SERVICE_{setting}", value)
    with pytest.raises(ParetoIBError, match=said) as error:
        service_settings()
    assert "\n" not in str(error.value)


def test_tokens_are_read_from_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, by commas or white space."""
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"a:read:{'0' * 64}, b.c-1:read+write:{'1' * 64}")
    first, second = service_settings().tokens
    assert (first.name, first.scopes) == ("a", ("read",))
    assert (second.name, second.scopes) == ("b.c-1", ("read", "write"))


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "example.org", "::"])
def test_without_tokens_it_listens_on_loopback_alone(host: str) -> None:
    """Anything else is refused before it listens."""
    ServiceSettings(auth=False)
    ServiceSettings(auth=False, host="::1")
    with pytest.raises(ValueError, match="loopback"):
        ServiceSettings(auth=False, host=host)


@pytest.mark.parametrize("words", [("a b", "admin"), ("a:b",), ("",), ("a,b", "read"), ("a", "")])
def test_no_token_is_made_that_the_settings_would_refuse(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given is told, and nothing that looks like a token."""
    monkeypatch.setattr(sys, "argv", ["service", "token", *words])
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"found {words[0]}:{words[1] if len(words) > 1 else 'read+write'}\n")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--scopes", "read")])
def test_an_option_is_no_name(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No token is made of it; it is said what to write."""
    monkeypatch.setattr(sys, "argv", ["service", "token", *words])
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: python -m service | python -m service token NAME")


def test_a_token_that_is_made_can_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second line is the setting, the first what its owner shows."""
    monkeypatch.setattr(sys, "argv", ["service", "token", "b.c-1"])
    assert main() == 0
    token, line = capsys.readouterr().out.split()
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", line)
    found = find_token(token, service_settings().tokens)
    assert found is not None
    assert (found.name, found.scopes) == ("b.c-1", ("read", "write"))
