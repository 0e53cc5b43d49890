"""Access tokens, the settings that hold them, and the rate limit."""

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


def test_a_token_is_found_by_its_hash() -> None:
    """A token is found by its hash, but the hash itself is not accepted as a token."""
    token = new_token()
    digest = token_digest(token)
    alice = Token(name="alice", scopes=("read",), sha256=digest)
    other = Token(name="other", scopes=("read",), sha256=token_digest("other"))
    assert find_token(token, [other, alice]) is alice
    assert find_token(digest, [other, alice]) is None
    assert find_token("", [other, alice]) is None
    assert len({new_token() for _ in range(100)}) == 100


def test_after_a_burst_the_rate_limiter_returns_the_time_to_wait() -> None:
    """After a burst, one more request is allowed after the returned time."""
    now = [0.0]
    limiter = RateLimiter(60, clock=lambda: now[0])
    assert [limiter.wait("a") for _ in range(60)] == [0.0] * 60
    wait = limiter.wait("a")
    assert wait == pytest.approx(1.0)
    assert limiter.wait("b") == 0.0
    now[0] += wait
    assert limiter.wait("a") == 0.0
    assert limiter.wait("a") > 0


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_pattern_of_requests_exceeds_the_rate(pauses: list[float]) -> None:
    """In t minutes, at most (1 + t) times the requests per minute are allowed."""
    now = [0.0]
    limiter = RateLimiter(30, clock=lambda: now[0])
    allowed = 0
    for pause in pauses:
        now[0] += pause
        allowed += limiter.wait("a") == 0
    assert allowed <= 30 + 0.5 * now[0] + 1e-6


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("TOKENS", "", "tokens: should have at least one token"),
        ("TOKENS", "alice:all:" + "0" * 64, "NAME:SCOPES:SHA256"),
        ("TOKENS", "alice:read:secret", "String should match pattern"),
        ("PORT", "http", "PARETOIB_SERVICE_PORT"),
    ],
)
def test_an_invalid_setting_is_a_one_line_error(
    setting: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid setting raises an error of one line that says what is wrong."""
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"a:read:{'0' * 64}")
    monkeypatch.setenv(f"PARETOIB_SERVICE_{setting}", value)
    with pytest.raises(ParetoIBError, match=message) as error:
        service_settings()
    assert "\n" not in str(error.value)


def test_tokens_are_parsed_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """In PARETOIB_SERVICE_TOKENS, commas or white space separate the entries."""
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"a:read:{'0' * 64}, b.c-1:read+write:{'1' * 64}")
    first, second = service_settings().tokens
    assert (first.name, first.scopes) == ("a", ("read",))
    assert (second.name, second.scopes) == ("b.c-1", ("read", "write"))


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "example.org", "::"])
def test_auth_can_be_off_only_on_loopback(host: str) -> None:
    """With auth off, the settings reject every host that is not loopback."""
    ServiceSettings(auth=False)
    ServiceSettings(auth=False, host="::1")
    with pytest.raises(ValueError, match="loopback"):
        ServiceSettings(auth=False, host=host)


@pytest.mark.parametrize("words", [("a b", "admin"), ("a:b",), ("",), ("a,b", "read"), ("a", "")])
def test_no_token_is_created_with_an_invalid_name_or_scope(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an invalid name or scope, `token` prints an error that quotes both, and no token."""
    monkeypatch.setattr(sys, "argv", ["service", "token", *words])
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"found {words[0]}:{words[1] if len(words) > 1 else 'read+write'}\n")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--scopes", "read")])
def test_an_option_is_not_taken_as_the_name_of_a_token(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the first argument is an option, `token` prints its usage on stderr, and no token."""
    monkeypatch.setattr(sys, "argv", ["service", "token", *words])
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: python -m service | python -m service token NAME")


def test_a_created_token_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`token` prints the token, then the entry for PARETOIB_SERVICE_TOKENS."""
    monkeypatch.setattr(sys, "argv", ["service", "token", "b.c-1"])
    assert main() == 0
    token, line = capsys.readouterr().out.split()
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", line)
    match = find_token(token, service_settings().tokens)
    assert match is not None
    assert (match.name, match.scopes) == ("b.c-1", ("read", "write"))
