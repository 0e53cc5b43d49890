"""Access tokens of the service: random text for the client, a SHA-256 hash for the settings."""

import hashlib
import secrets

_PREFIX = "paretoib_"
_RANDOM_BYTES = 32


def new_token() -> str:
    """A new token. Only the client keeps it; the service's settings hold its `token_digest`."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def token_digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal. A token is random, so it needs no slow password hash."""
    return hashlib.sha256(token.encode()).hexdigest()
