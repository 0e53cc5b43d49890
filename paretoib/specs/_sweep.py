"""A sweep, fully written out: what the flags, a YAML file and a REST body all become."""

import math
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from paretoib.documents import Document, shown
from paretoib.specs._axes import parse_axis
from paretoib.specs._checks import check_layers, check_method, check_search
from paretoib.specs._chosen import chosen
from paretoib.specs._defaults import default_grid, filled_in
from paretoib.specs._limits import Budget, Plateau, Prune
from paretoib.specs._methods import METHODS, SEARCHES
from paretoib.specs._misplaced import check_places
from paretoib.specs._overrides import assembled, full_names
from paretoib.specs._resources import Resources
from paretoib.specs._sections import REGISTRIES, Section, parse_section
from paretoib.specs._space import Choices, Range, default_space, parse_space
from paretoib.specs._trial import Training, TrialSpec, check_combination

MOST_TRIALS = 100_000
# Control characters, ends of lines and what turns the direction of text: names are shown to others.
UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
Measure = Literal["rate", "lost", "error", "cost"]
Bits = Annotated[float, Field(gt=0, le=1e6)]  # so that their product is a number too


class SweepSpec(Document):
    """Everything that fixes a sweep. Fields left out take the defaults of method and data set.

    `grid` maps a field to its values: the axes of the grid, or for other searches the values that
    they may choose from; a text such as "1e-5:1:16" is a log-spaced axis. `space` maps a field to
    its range, or to choices, for searches other than grid; fields of `default_space` that neither
    names are added, so a field is kept as it is by giving it one value. `trials` counts all seeds:
    grid and adaptive train each setting for every seed; any other search gives each of its trials
    one setting and one seed, the seeds in turn. `objectives` are what a search that learns
    minimises, on validation: rate and lost bits, error (of the mean latent), cost (seconds of
    training). `reference` is the corner (rate, lost bits) of hypervolumes; None: ten times the
    relevance ceiling, and the ceiling.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field("", max_length=200, json_schema_extra={"pattern": rf"^[^{UNPRINTABLE}]*$"})
    method: str
    data: SerializeAsAny[Section]
    model: SerializeAsAny[Section]
    objective: SerializeAsAny[Section]
    weighting: SerializeAsAny[Section]
    training: Training = Training()
    search: str
    trials: int = Field(0, ge=0, le=MOST_TRIALS, description="0: as many as method and grid say")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(min_length=1)
    grid: dict[str, Annotated[tuple[Any, ...], BeforeValidator(parse_axis)]] = Field({})
    space: dict[str, Annotated[Range | Choices, BeforeValidator(parse_space)]] = Field({})
    objectives: tuple[Measure, ...] = Field(("rate", "lost"), min_length=2)
    population: int = Field(
        0, ge=0, le=10_000, description="trials a generation; 0: as many as suit the search"
    )
    budget: Budget = Budget()
    prune: Prune | None = None
    plateau: Plateau | None = None
    resources: Resources = Resources()
    trial_seconds: PositiveFloat | None = Field(None, description="most that one trial may take")
    reference: tuple[Bits, Bits] | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_sections(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            raise ValueError(f"should be a mapping of fields; found {shown(document)}")
        filled = filled_in(document)
        check_places(filled, {*cls.model_fields, "schema"})
        return filled

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if re.search(f"[{UNPRINTABLE}]", name) or name.isspace():
            raise ValueError(f"should be of printable characters; found {shown(name)}")
        return name

    @model_validator(mode="after")
    def _fill(self) -> Self:
        check_method(self)
        for field in ("seeds", "objectives"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise ValueError(f"{field}: should differ; found {shown(list(values))}")
        check_combination(self.data, self.model, self.objective, self.weighting)
        grid, space = self._resolved("grid", self.grid), self._resolved("space", self.space)
        if both := grid.keys() & space.keys():
            raise ValueError(f"space: should not have fields of `grid`; found {sorted(both)}")
        if self.search == "grid":
            if space:
                others = ", ".join(name for name in SEARCHES if name != "grid")
                raise ValueError(
                    "space: search `grid` takes axes, in `grid`, such as LOW:HIGH:COUNT; ranges "
                    f"go with search {others}; found ranges of {', '.join(space)}"
                )
            if not grid:
                grid = default_grid(self.template, self._trials_a_seed)
        else:
            defaults = self._default_space({**grid, **space})
            space = {field: r for field, r in defaults.items() if field not in grid} | space
        # The model is frozen for its users; this fills in the defaults that need other fields.
        grid = {field: self._axis(f"grid.{field}", values) for field, values in grid.items()}
        object.__setattr__(self, "grid", grid)
        space = {field: self._range(field, values) for field, values in space.items()}
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "trials", self._count(grid))
        object.__setattr__(self, "population", self._generation())
        object.__setattr__(self, "name", self.name or f"{self.method}-{self.data.name}")
        check_layers(self)
        check_search(self)
        return self

    @cached_property
    def template(self) -> TrialSpec:
        """The trial that all trials of the sweep vary."""
        return TrialSpec(
            data=self.data,
            model=self.model,
            objective=self.objective,
            weighting=self.weighting,
            training=self.training,
        )

    @property
    def varied(self) -> dict[str, Range | Choices]:
        """All that a search may vary: `space`, and the values of `grid`; defaults come first."""
        both = {**self.grid, **self.space}
        return {f: both[f] for f in {**self._default_space(both), **both} if f in both}

    @property
    def by_beta(self) -> bool:
        """Whether `adaptive` places β, and not starts and settings."""
        return self.search == "adaptive" and isinstance(self.space.get("weighting.beta"), Range)

    @classmethod
    def chosen(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document without what follows from the rest of it: it fills in to the same sweep.

        Where its method, data set, model or search are exchanged, what is left takes the defaults
        of the new ones.
        """
        return chosen(lambda part: cls.from_document(part).document, document)

    @classmethod
    def assemble(
        cls,
        document: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        grid: Mapping[str, Any] | None = None,
        space: Mapping[str, Any] | None = None,
    ) -> "SweepSpec":
        """A document with single fields set over it, each by its full or bare name.

        A section's name (`objective=vib_squared`) exchanges the section; fields then set belong
        to the new one. What is set here, no search varies by itself: neither the default grid of
        β nor the default space, which has shorter training than `epochs` all the same.
        """
        return cls.from_document(
            assembled(cls.from_document, document, settings or {}, grid or {}, space or {})
        )

    def _resolved(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        full = full_names(self.template, fields, kind)
        if "seed" in full:
            raise ValueError(f"{kind}.seed: seeds are given as `seeds`, not in `{kind}`")
        return full

    def _default_space(self, given: Mapping[str, Range | Choices]) -> dict[str, Range | Choices]:
        # Where β has values to choose from, `adaptive` spreads starts over them.
        chosen = not isinstance(given.get("weighting.beta"), Range | None)
        space = default_space(self.template, starts=chosen and self.search == "adaptive")
        # What the method stands for is its own.
        return {f: r for f, r in space.items() if f not in METHODS[self.method].settings}

    def _trials_a_seed(self) -> int:
        if self.trials % len(self.seeds):
            raise ValueError(
                f"trials: should be a multiple of the number of seeds ({len(self.seeds)}), "
                f"so that each has the same settings; found {self.trials}"
            )
        return self.trials // len(self.seeds) or self._default_trials()

    def _default_trials(self) -> int:
        row = SEARCHES[self.search]
        return METHODS[self.method].trials if row.every_seed and not self.by_beta else row.trials

    def _axis(self, place: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        field = place.partition(".")[2]
        axis = tuple(self.template.with_fields({field: v}).get(field) for v in values)
        if not axis or len(set(axis)) < len(axis):
            found = shown(axis)
            raise ValueError(f"{place}: should be one or more different values; found {found}")
        return axis

    def _range(self, field: str, values: Range | Choices) -> Range | Choices:
        if not isinstance(values, Range):
            return self._axis(f"space.{field}", values)
        ends = self._axis(f"space.{field}", (values.low, values.high))
        if not all(type(end) in (int, float) for end in ends):
            raise ValueError(f"space.{field}: should be choices, as it is no number; found {ends}")
        whole = values.whole or any(isinstance(end, int) for end in ends)
        return values.model_copy(update={"whole": whole})

    def _count(self, grid: Mapping[str, tuple[Any, ...]]) -> int:
        if not SEARCHES[self.search].every_seed:
            return self.trials or self._default_trials()
        if self.search != "grid":
            return self._trials_a_seed() * len(self.seeds)
        size = math.prod(len(values) for values in grid.values()) * len(self.seeds)
        if size > MOST_TRIALS:
            raise ValueError(f"grid: should have at most {MOST_TRIALS} trials; found {size}")
        if self.trials not in (0, size):
            axes = " × ".join(str(len(values)) for values in grid.values()) or "1"
            raise ValueError(
                f"trials: should be {size}, the grid ({axes}) times the seeds "
                f"({len(self.seeds)}), or left out; found {self.trials}"
            )
        return size

    def _generation(self) -> int:
        default = SEARCHES[self.search].population
        if self.search == "adaptive":
            default *= len(self.seeds) if self.by_beta else 0
        return self.population or default
