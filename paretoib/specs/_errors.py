"""pydantic's complaints as one plain line: the field, the rule, the value found."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from pydantic import ValidationError

from paretoib.errors import SpecError

# A message of pydantic's says "Input should be …"; what reads best after the field is "should …".
_PREFIXES = ("Input should ", "Value error, ")


def _message(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    first = details[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown field; found value {first['input']!r}"
    text = first["msg"]
    for prefix in _PREFIXES:
        if text.startswith(prefix):
            text = ("should " if "should" in prefix else "") + text.removeprefix(prefix)
    found = "" if first["type"] in ("missing", "value_error") else f"; found {first['input']!r}"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{place}: {text}{found}{more}" if place else f"{text}{found}{more}"


def unknown_field(name: str, known: list[str], where: str) -> SpecError:
    """The error for a field that is not there, with the nearest that is."""
    close = get_close_matches(name, known, n=1)
    guess = f"; did you mean `{close[0]}`?" if close else ""
    return SpecError(f"unknown field `{name}` {where}{guess}; known: {', '.join(known)}")


@contextmanager
def plain_errors(what: str = "") -> Iterator[None]:
    """Turn a pydantic `ValidationError` into a `SpecError` of one line."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(f"{what}{_message(error)}") from error
