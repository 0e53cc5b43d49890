"""Who a token belongs to, and how often it may be used."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence

from service.settings import Token

_BYTES = 32
PREFIX = "paretoib_"


def new_token() -> tuple[str, str]:
    """A token to hand over once, and its SHA-256 to keep."""
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    return token, digest(token)


def digest(token: str) -> str:
    """What is kept of a token. It is as random as a key, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def owner(token: str, known: Sequence[Token]) -> Token | None:
    """The known token that this is; takes as long whichever it is, and if it is none."""
    shown, found = digest(token), None
    for candidate in known:
        if hmac.compare_digest(shown, candidate.sha256):
            found = candidate
    return found


class RateLimiter:
    """So many requests a minute for each name: all at once or spread, as a bucket that refills."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = float(per_minute)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Seconds until this request would be one too many no more; 0: it is let in."""
        now = self._clock()
        left, since = self._buckets.get(name, (self._room, now))
        left = min(self._room, left + (now - since) * self._room / 60)
        if left < 1:
            self._buckets[name] = left, now
            return (1 - left) * 60 / self._room
        self._buckets[name] = left - 1, now
        return 0.0
