"""Notes and tags that users write on sweeps: the rules that all stores apply."""

import re
from collections.abc import Mapping

from paretoib.documents import preview
from paretoib.errors import ParetoIBError
from paretoib.specs import UNPRINTABLE

LONGEST_NOTE = 4000  # characters; MLflow accepts 5000, with the line of links
LONGEST_NAME, LONGEST_VALUE = 100, 500  # characters of a tag
MOST_TAGS = 50  # of one sweep

# Names that MLflow and paretoib use for their own tags.
_RESERVED = ("mlflow", "paretoib", "reason", "extended")
_RESERVED_PREFIXES = ("mlflow.", "paretoib.")
_NAME = re.compile(rf"\w[\w.-]{{0,{LONGEST_NAME - 1}}}")
_FORBIDDEN = re.compile(rf"[{UNPRINTABLE}\ud800-\udfff]")


def is_reserved(name: str) -> bool:
    """Whether a tag belongs to MLflow or paretoib, and is none of the user's."""
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES)


def checked_note(note: str) -> str:
    """The note without surrounding white space; raises `ParetoIBError` for an invalid note."""
    note = note.replace("\r\n", "\n").strip()
    if len(note) > LONGEST_NOTE:
        raise ParetoIBError(
            f"note: should have at most {LONGEST_NOTE} characters; found {len(note)}"
        )
    if _FORBIDDEN.search(note.replace("\n", "")):
        raise ParetoIBError(
            f"note: should have only printable characters and line breaks; found {preview(note)}"
        )
    return note


def check_tags(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> None:
    """Raise `ParetoIBError` for invalid changes of the present tags; None removes a tag."""
    if not changes:
        raise ParetoIBError("tags: should have a tag to set or to remove; found none")
    for name, value in changes.items():
        if is_reserved(name):
            raise ParetoIBError(
                f"tags: should not be named {', '.join(_RESERVED)}, mlflow.… or paretoib.…, "
                f"because these belong to MLflow and paretoib; found {preview(name)}"
            )
        if value is None:
            if name not in tags:
                known = ", ".join(tags) or "none"
                raise ParetoIBError(
                    f"tags: should have a tag {preview(name)} to remove it; found {known}"
                )
            continue
        if not _NAME.fullmatch(name):
            raise ParetoIBError(
                f"tags: a name should have 1 to {LONGEST_NAME} letters, digits, dots, hyphens and "
                f"underscores, and begin with none of dot and hyphen; found {preview(name)}"
            )
        if not value.strip() or len(value) > LONGEST_VALUE or _FORBIDDEN.search(value):
            raise ParetoIBError(
                f"tags.{name}: should have 1 to {LONGEST_VALUE} printable characters; found "
                f"{preview(value)}"
            )
    kept = {name for name in tags if name not in changes}
    count = len(kept) + sum(value is not None for value in changes.values())
    if count > MOST_TAGS:
        raise ParetoIBError(f"tags: a sweep should have at most {MOST_TAGS} tags; found {count}")
