"""A sweep, fully written out: what the flags, a YAML file and a REST body all become."""

import math
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

from paretoib.data import DATASETS
from paretoib.documents import Document
from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.registry import lookup
from paretoib.specs._axes import log_spaced, parse_axis
from paretoib.specs._methods import ADAPTIVE_FIELDS, METHODS, SEARCHES
from paretoib.specs._sections import REGISTRIES, Section, parse_section
from paretoib.specs._trial import Training, TrialSpec, check_combination

MOST_TRIALS = 100_000


class SweepSpec(Document):
    """Everything that fixes a sweep. Fields left out take the defaults of method and data set.

    `grid` maps a field to its values: the axes of the grid, or for `adaptive` the values that it
    may choose from; a text such as "1e-5:1:16" is a log-spaced axis. `trials` counts all seeds.
    `reference` is the corner (rate, lost bits) of hypervolumes; None: ten times the relevance
    ceiling, and the ceiling.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field("", max_length=200, pattern=r"^[^\n\r\t]*$")
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
    reference: tuple[PositiveFloat, PositiveFloat] | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_sections(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            raise ValueError(f"should be a mapping of fields; found {document!r}")
        filled = dict(document)
        method = lookup(METHODS, filled.setdefault("method", "mib"), "method")
        filled["data"] = data = parse_section("data", filled.get("data", "digits"))
        filled.setdefault("model", DATASETS[data.name].model)
        filled.setdefault("objective", method.objective)
        filled.setdefault("weighting", method.weighting)
        filled.setdefault("search", method.search)
        filled.setdefault("seeds", method.seeds)
        return filled

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @model_validator(mode="after")
    def _fill(self) -> Self:
        lookup(SEARCHES, self.search, "search")
        self._check_method()
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: should differ; found {list(self.seeds)}")
        check_combination(self.data, self.model, self.objective, self.weighting)
        grid = {self.template.resolve(field): values for field, values in self.grid.items()}
        if len(grid) < len(self.grid):
            raise ValueError(f"grid: should name each field once; found {list(self.grid)}")
        if self.search == "grid" and not grid and "beta" in self.weighting.params:
            grid["weighting.beta"] = self._default_betas()
        if (
            self.search == "adaptive"
            and "beta" in self.weighting.params
            and ("weighting.beta" not in grid)
        ):
            raise ValueError(
                f"search: adaptive does not vary β, which weighting `{self.weighting.name}` "
                "needs; give `grid` values of beta, or search by grid"
            )
        grid = {field: self._axis(field, values) for field, values in grid.items()}
        # The model is frozen for its users; this fills in the defaults that need other fields.
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "trials", self._count(grid))
        object.__setattr__(self, "name", self.name or f"{self.method}-{self.data.name}")
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

    @classmethod
    def assemble(
        cls,
        document: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        grid: Mapping[str, Any] | None = None,
    ) -> "SweepSpec":
        """A document with single fields set over it, each by its full or bare name.

        A section's name (`objective=vib_squared`) exchanges the section; fields then set belong
        to the new one. What is set here, no search varies by itself: neither the default grid of
        β nor an adaptive design, which takes shorter training than `epochs` all the same.
        """
        filled = dict(document)
        fields = dict(settings or {})
        for kind in REGISTRIES:
            if kind in fields:
                filled[kind] = fields.pop(kind)
        # An axis may belong to a section that the document has not got, so names come first.
        bare = {k: v for k, v in filled.items() if k not in ("grid", "trials")}
        sweep = cls.from_document(bare)
        template = sweep.template
        axes: list[tuple[str, Any]] = []
        for field, value in fields.items():
            section, _, name = template.resolve(field).partition(".")
            if not name:
                raise SpecError(f"{field}: should be set as seeds of the sweep; found {value!r}")
            held = filled.get(section, template.document[section])
            filled[section] = {**({"name": held} if isinstance(held, str) else held), name: value}
            if name in (ADAPTIVE_FIELDS if sweep.search == "adaptive" else ("beta",)):
                axes.append((field, [value]))
        axes += (grid or {}).items()
        held = filled.get("grid", {})
        if axes and isinstance(held, Mapping):
            filled["grid"] = {
                template.resolve(str(field)): values for field, values in (*held.items(), *axes)
            }
        return cls.from_document(filled)

    def _check_method(self) -> None:
        method = METHODS[self.method]
        # Adaptive weights can balance any objective; a scalarised method is both its parts.
        fixed = ("weighting",) if method.search == "adaptive" else ("objective", "weighting")
        for kind in fixed:
            if getattr(self, kind).name != getattr(method, kind):
                raise ValueError(
                    f"method `{self.method}` stands for {kind} `{getattr(method, kind)}`; "
                    f"found `{getattr(self, kind).name}`"
                )

    def _default_betas(self) -> tuple[float, ...]:
        return log_spaced(*OBJECTIVES[self.objective.name].betas, self._trials_a_seed())

    def _trials_a_seed(self) -> int:
        if self.trials % len(self.seeds):
            raise ValueError(
                f"trials: should be a multiple of the number of seeds ({len(self.seeds)}), "
                f"so that each has the same settings; found {self.trials}"
            )
        return self.trials // len(self.seeds) or METHODS[self.method].trials

    def _axis(self, field: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if field == "seed":
            raise ValueError("grid.seed: seeds are given as `seeds`, not as an axis")
        axis = tuple(self.template.with_fields({field: v}).get(field) for v in values)
        if not axis or len(set(axis)) < len(axis):
            raise ValueError(f"grid.{field}: should be one or more different values; found {axis}")
        return axis

    def _count(self, grid: Mapping[str, tuple[Any, ...]]) -> int:
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
