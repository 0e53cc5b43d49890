"""Single fields set over a document, as flags are over a file."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from paretoib.documents import shown
from paretoib.errors import SpecError
from paretoib.specs._resources import Resources
from paretoib.specs._sections import REGISTRIES
from paretoib.specs._trial import TrialSpec

if TYPE_CHECKING:
    from paretoib.specs._sweep import SweepSpec


def full_names(
    template: TrialSpec, fields: Mapping[Any, Any], what: str, beside: Iterable[str] = ()
) -> dict[str, Any]:
    """The same fields under their full names; `SpecError` for one that the trial has not.

    `what` the fields are for, and what may stand `beside` them, are named in errors.
    """
    full = {template.resolve(str(name), beside): value for name, value in fields.items()}
    if len(full) < len(fields):
        raise SpecError(f"{what}: should name each field once; found {shown(list(fields))}")
    return full


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
    own = (*REGISTRIES, *(f"resources.{name}" for name in Resources.model_fields))
    fields = full_names(template, fields, "settings", own)
    for field, value in fields.items():
        section, _, name = field.partition(".")
        if not name:
            raise SpecError(f"{field}: should be set as seeds of the sweep; found {shown(value)}")
        held = filled.get(section, template.document[section])
        filled[section] = {**({"name": held} if isinstance(held, str) else held), name: value}
    # What is set is no longer varied; of epochs it is the longest training that is set.
    fixed = {f: [v] for f, v in fields.items() if f in varied and f != "training.epochs"}
    axes, ranges = full_names(template, grid, "grid"), full_names(template, space, "space")
    if both := fields.keys() & {*axes, *ranges}:
        raise SpecError(f"{min(both)}: should be set, or be varied; found both")
    axes = fixed | axes
    over = {*fields, *axes, *ranges}
    for kind, new in (("grid", axes), ("space", ranges)):
        held = filled.get(kind, {})
        if over and isinstance(held, Mapping):
            kept = {f: v for f, v in full_names(template, held, kind).items() if f not in over}
            filled[kind] = kept | new
    return filled
