"""`python -m service` runs the service; `python -m service token NAME [SCOPES]` creates a token."""

import sys

from paretoib.errors import ParetoIBError
from paretoib.tokens import new_token, token_digest
from service.settings import parse_token

_USAGE = "usage: python -m service | python -m service token NAME [read|write|read+write]"


def main() -> int:
    """Run the command in `sys.argv`; returns the exit code."""
    match sys.argv[1:]:
        case []:
            return _serve()
        # A name that starts with a dash is an option such as --help: print the usage.
        case ["token", name, *scopes] if len(scopes) < 2 and not name.startswith("-"):
            return _create_token(name, scopes[0] if scopes else "read+write")
    print(_USAGE, file=sys.stderr)
    return 2


def _serve() -> int:
    import uvicorn

    from service.app import create_app
    from service.settings import service_settings

    try:
        settings = service_settings()
        app = create_app(settings)
    except ParetoIBError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        server_header=False,
        # Event streams stay open, so a shutdown has to close them.
        timeout_graceful_shutdown=3,
    )
    return 0


def _create_token(name: str, scopes: str) -> int:
    """Print a new token, and on the next line the entry to add to the settings."""
    token = new_token()
    entry = f"{name}:{scopes}:{token_digest(token)}"
    try:
        parse_token(entry)
    except ValueError:
        print(
            "error: NAME should have 1 to 64 characters (letters, digits, `.`, `_`, `-`), and "
            f"SCOPES should be read, write or read+write; found {name}:{scopes}",
            file=sys.stderr,
        )
        return 2
    print(token)
    print(entry)
    print(
        "The first line is the token. Add the second line to PARETOIB_SERVICE_TOKENS.",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
