"""The spec of a sweep after an extension."""

from datetime import datetime
from typing import Any

from paretoib.documents import preview
from paretoib.errors import SpecError
from paretoib.specs._extensions import EXTENDED_FIELDS, Additions, is_more
from paretoib.specs._methods import SEARCHES
from paretoib.specs._space import Choices, Range
from paretoib.specs._sweep import SweepSpec

_EVERY_SEED = " and ".join(name for name, search in SEARCHES.items() if search.every_seed)


def extended(spec: SweepSpec, additions: Additions, *, ended: int, at: datetime) -> SweepSpec:
    """The spec of the sweep with these additions, and with the extension in its history.

    `ended` is the number of trials that have ended, and `at` the time of the extension.

    Raises `SpecError` for additions that the sweep's search cannot train, and if nothing is added.
    """
    _check_search(spec, additions)
    seeds = _seeds(spec.seeds, additions.seeds)
    changes: dict[str, Any] = {"seeds": seeds, **_values(spec, additions)}
    if spec.gap_field:
        changes["population"] = _for_seeds(spec.population, spec, seeds) or spec.population
    if spec.search == "grid":
        changes["trials"] = 0  # the size of the grid
    else:
        changes["trials"] = _trials(spec, additions, seeds)
    document = spec.document
    after = SweepSpec.from_document({**document, **changes, "extensions": ()}).document
    before = {
        field: document[field] for field in EXTENDED_FIELDS if document[field] != after[field]
    }
    if after["trials"] <= spec.trials:
        raise _nothing_added(spec, additions)
    extension = {"at": at, "ended": ended, "before": before}
    history = [*document["extensions"], extension]
    return SweepSpec.from_document({**after, "extensions": history})


def _check_search(spec: SweepSpec, additions: Additions) -> None:
    """Refuse additions that the search of the sweep does not have."""
    search = spec.search
    given = [f for f in Additions.model_fields if getattr(additions, f) not in (None, {})]
    if not given:
        raise SpecError(
            "an extension should add trials, seeds or values of fields; found none of them"
        )
    if not SEARCHES[search].every_seed and given != ["trials"]:
        field = next(f for f in given if f != "trials")
        raise SpecError(
            f"{field}: should be added to a sweep with search {_EVERY_SEED}; found search "
            f"`{search}`, which can be extended by `trials` only"
        )
    if search == "grid" and "trials" in given:
        raise SpecError(
            "trials: should be left out for search `grid`, which trains every combination of its "
            f"axes: add values by `grid`, or seeds by `seeds`; found {additions.trials}"
        )
    if search == "grid" and "space" in given:
        raise SpecError(
            "space: should be left out for search `grid`, which has axes: add values by `grid`; "
            f"found fields {', '.join(additions.space)}"
        )
    if search != "grid" and given not in (["trials"], ["seeds"]) and "trials" not in given:
        raise SpecError(
            f"trials: should be given with `grid` or `space` for search `{search}`, such as +12, "
            "because the values do not determine the number of trials"
        )


def _seeds(seeds: tuple[int, ...], more: tuple[int, ...] | str | None) -> tuple[int, ...]:
    """The seeds with further seeds; `+N` stands for the next N after the largest seed."""
    if more is None:
        return seeds
    if isinstance(more, str):
        more = tuple(max(seeds) + 1 + i for i in range(int(more)))
    return tuple(dict.fromkeys((*seeds, *more)))


def _for_seeds(count: int, spec: SweepSpec, seeds: tuple[int, ...]) -> int:
    """A number of trials of the sweep, if each setting has these seeds instead."""
    return count // len(spec.seeds) * len(seeds)


def _trials(spec: SweepSpec, additions: Additions, seeds: tuple[int, ...]) -> int:
    """The number of trials: those of the present settings with all seeds, and further ones."""
    every_seed = SEARCHES[spec.search].every_seed
    present = _for_seeds(spec.trials, spec, seeds) if every_seed else spec.trials
    if additions.trials is None:
        return present
    if is_more(additions.trials):
        return present + int(additions.trials)
    total = int(additions.trials)
    if total < present or total == spec.trials:
        more = "" if present == spec.trials else " with the new seeds"
        raise SpecError(
            f"trials: should be more than the {present} that the sweep has{more}, or +N for N "
            f"more; found {total}"
        )
    return total


def _values(spec: SweepSpec, additions: Additions) -> dict[str, dict[str, Any]]:
    """The axes and the space of the sweep, with the values and ranges that are added."""
    grid: dict[str, Any] = dict(spec.grid)
    space: dict[str, Any] = dict(spec.space)
    axes = spec.template.full_names(additions.grid, "grid")
    ranges = spec.template.full_names(additions.space, "space")
    if both := axes.keys() & ranges.keys():
        raise SpecError(f"space: should not have fields of `grid`; found {sorted(both)}")
    for field, values in {**axes, **ranges}.items():
        _check_field(field, values)
        if isinstance(values, Range):
            space[field] = _wider(spec, field, values)
            continue
        present = spec.varied.get(field, (spec.template.get(field),))
        if isinstance(present, Range):
            raise SpecError(
                f"grid.{field}: should be a field without a range; found a range from "
                f"{present.low:g} to {present.high:g}: `space` makes it wider"
            )
        (space if field in space else grid)[field] = _united(spec, field, present, values)
    return {"grid": grid, "space": space}


def _check_field(field: str, values: Range | Choices) -> None:
    if field == "seed":
        raise SpecError(f"seed: should be added as `seeds`; found {preview(values)}")
    if field.startswith("data."):
        raise SpecError(
            f"{field}: should stay as it is, because all trials of a sweep are measured on the "
            f"same data; found {preview(values)}: start a new sweep"
        )


def _united(spec: SweepSpec, field: str, present: Choices, values: Choices) -> Choices:
    """The present values and the new ones among `values`, in the field's type."""
    typed = (spec.template.with_fields({field: value}).get(field) for value in values)
    return tuple(dict.fromkeys((*present, *typed)))


def _wider(spec: SweepSpec, field: str, values: Range) -> Range:
    """The new range of a field; raises `SpecError` unless it contains the present range."""
    present = spec.space.get(field)
    if not isinstance(present, Range):
        raise SpecError(
            f"space.{field}: should be a field with a range; found one without: `grid` adds values"
        )
    if values.scale != present.scale or values.low > present.low or values.high < present.high:
        raise SpecError(
            f"space.{field}: should contain the present range {_text(present)}; found "
            f"{_text(values)}"
        )
    return values.model_copy(update={"whole": present.whole})


def _text(values: Range) -> str:
    return f"{values.scale}:{values.low:g}:{values.high:g}"


def _nothing_added(spec: SweepSpec, additions: Additions) -> SpecError:
    found = additions.model_dump(mode="json", exclude_defaults=True)
    return SpecError(
        f"an extension should add something to the {spec.trials} trials of the sweep; found only "
        f"values that it has: {preview(found)}"
    )
