"""Single fields set over a document, as flags are over a file."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES
from paretoib.specs._trial import TrialSpec

if TYPE_CHECKING:
    from paretoib.specs._sweep import SweepSpec


def full_names(template: TrialSpec, fields: Mapping[Any, Any]) -> dict[str, Any]:
    """The same fields under their full names; `SpecError` for one that the trial has not."""
    return {template.resolve(str(name)): value for name, value in fields.items()}


def assembled(
    parse: Callable[[Mapping[str, Any]], "SweepSpec"],
    document: Mapping[str, Any],
    settings: Mapping[str, Any],
    grid: Mapping[str, Any],
    space: Mapping[str, Any],
) -> dict[str, Any]:
    """The document that `SweepSpec.assemble` reads; `parse` reads one as it stands."""
    filled, fields = dict(document), dict(settings)
    for kind in REGISTRIES:
        if kind in fields:
            filled[kind] = fields.pop(kind)
    # The sweep's own, which no trial has.
    for field in [f for f in fields if f.startswith("resources.")]:
        held = filled.get("resources") or {}
        filled["resources"] = {**held, field.partition(".")[2]: fields.pop(field)}
    # An axis may belong to a section that the document has not got, so names come first.
    apart = ("grid", "space", "trials")
    sweep = parse({k: v for k, v in filled.items() if k not in apart})
    template, varied = sweep.template, sweep.varied
    fields = full_names(template, fields)
    for field, value in fields.items():
        section, _, name = field.partition(".")
        if not name:
            raise SpecError(f"{field}: should be set as seeds of the sweep; found {value!r}")
        held = filled.get(section, template.document[section])
        filled[section] = {**({"name": held} if isinstance(held, str) else held), name: value}
    # What is set is no longer varied; of epochs it is the longest training that is set.
    fixed = {f: [v] for f, v in fields.items() if f in varied and f != "training.epochs"}
    axes = fixed | full_names(template, grid)
    ranges = full_names(template, space)
    over = {*fields, *axes, *ranges}
    for kind, new in (("grid", axes), ("space", ranges)):
        held = filled.get(kind, {})
        if over and isinstance(held, Mapping):
            kept = {f: v for f, v in full_names(template, held).items() if f not in over}
            filled[kind] = kept | new
    return filled
