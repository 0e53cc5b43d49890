"""The error for a field that is not there."""

from difflib import get_close_matches

from paretoib.errors import SpecError


def unknown_field(name: str, known: list[str], where: str) -> SpecError:
    """The error for a field that is not there, with the nearest that is."""
    close = get_close_matches(name, known, n=1)
    guess = f"; did you mean `{close[0]}`?" if close else ""
    return SpecError(f"unknown field `{name}` {where}{guess}; known: {', '.join(known)}")
