"""Fields that stand outside their section in a document."""

from collections.abc import Mapping
from typing import Any

from paretoib.documents import Document, shown
from paretoib.errors import SpecError
from paretoib.specs._limits import Budget, Plateau, Prune
from paretoib.specs._resources import Resources
from paretoib.specs._sections import REGISTRIES, parse_section
from paretoib.specs._trial import Training

_OWN: dict[str, type[Document]] = {
    "training": Training,
    "budget": Budget,
    "prune": Prune,
    "plateau": Plateau,
    "resources": Resources,
}


def check_places(document: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a field that a section has and the sweep has not; `document` names its sections."""
    for name in document.keys() - known:
        named = {kind: type(parse_section(kind, document[kind])) for kind in REGISTRIES}
        for section, model in {**named, **_OWN}.items():
            if name in model.model_fields:
                raise SpecError(
                    f"{name}: unknown field; found value {shown(document[name])}; "
                    f"did you mean `{section}.{name}`?"
                )
