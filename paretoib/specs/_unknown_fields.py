"""The error for a field that is not there."""

from paretoib.documents import guess
from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES


def unknown_field(name: str, known: list[str], where: str) -> SpecError:
    """The error for a field that is not there, with the nearest that is."""
    bare = name.rpartition(".")[2]
    meant = guess(bare, known) or _elsewhere(bare)
    return SpecError(f"unknown field `{name}` {where}{meant}; known: {', '.join(known)}")


def _elsewhere(name: str) -> str:
    """Which rows have the field, where others were chosen."""
    owners = {
        kind: [row for row, entry in registry.items() if name in (p.name for p in entry.params)]
        for kind, registry in REGISTRIES.items()
    }
    told = [f"{kind} {', '.join(rows)}" for kind, rows in owners.items() if rows]
    return f"; it is a field of {' and of '.join(told)}" if told else ""
