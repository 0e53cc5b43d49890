"""`python -m service` serves; `python -m service token NAME [SCOPES]` makes a token."""

import sys

from paretoib.errors import ParetoIBError
from paretoib.tokens import new_token, token_digest
from service.settings import parsed_token

_USAGE = "usage: python -m service | python -m service token NAME [read|write|read+write]"


def main() -> int:
    """Run what the arguments say; the exit code."""
    match sys.argv[1:]:
        case []:
            return _serve()
        # A name that looks like an option is a question for help.
        case ["token", name, *scopes] if len(scopes) < 2 and not name.startswith("-"):
            return _token(name, scopes[0] if scopes else "read+write")
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
        # Event streams have no end of their own.
        timeout_graceful_shutdown=3,
    )
    return 0


def _token(name: str, scopes: str) -> int:
    """A token, to be shown once; and on the next line what the settings keep of it."""
    token = new_token()
    line = f"{name}:{scopes}:{token_digest(token)}"
    try:
        parsed_token(line)
    except ValueError:
        print(
            "error: NAME should be 1 to 64 letters, digits, `.`, `_` and `-`, and SCOPES read, "
            f"write or read+write; found {name}:{scopes}",
            file=sys.stderr,
        )
        return 2
    print(token)
    print(line)
    print("The first line is the token; the second is for PARETOIB_SERVICE_TOKENS", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
