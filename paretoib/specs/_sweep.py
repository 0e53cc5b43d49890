"""A sweep, fully written out: what the flags, a YAML file and a REST body all become."""

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

from paretoib.data import DATASETS
from paretoib.documents import Document, preview
from paretoib.models import MODELS, MOST_PATHS
from paretoib.objectives import OBJECTIVES
from paretoib.specs._axes import parse_axis
from paretoib.specs._defaults import SearchDefaults, Seeds, Trials, fill_sections, is_by_beta
from paretoib.specs._limits import Budget, Plateau, Prune, Resources
from paretoib.specs._methods import SEARCHES, check_method
from paretoib.specs._sections import REGISTRIES, Section, parse_section
from paretoib.specs._space import Choices, Range, parse_space
from paretoib.specs._trial import Training, TrialSpec, check_combination
from paretoib.specs._unknown_fields import check_misplaced

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
    trials: Trials = Field(0, description="0: as many as method and grid say")
    seeds: Seeds
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
            raise ValueError(f"should be a mapping of fields; found {preview(document)}")
        filled = fill_sections(document)
        check_misplaced(filled, cls)
        return filled

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if re.search(f"[{UNPRINTABLE}]", name) or name.isspace():
            raise ValueError(f"should be of printable characters; found {preview(name)}")
        return name

    @model_validator(mode="after")
    def _fill(self) -> Self:
        check_method(self.method, self.data, self.objective, self.weighting)
        for field in ("seeds", "objectives"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise ValueError(f"{field}: should differ; found {preview(list(values))}")
        check_combination(self.data, self.model, self.objective, self.weighting)
        defaults, seeds = self._defaults, len(self.seeds)
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
            grid = grid or defaults.grid(self.trials, seeds)
        else:
            added = defaults.space({**grid, **space})
            space = {field: r for field, r in added.items() if field not in grid} | space
        # The model is frozen for its users; this fills in the defaults that need other fields.
        grid = {field: self._axis(f"grid.{field}", values) for field, values in grid.items()}
        object.__setattr__(self, "grid", grid)
        space = {field: self._range(field, values) for field, values in space.items()}
        object.__setattr__(self, "space", space)
        trials = defaults.trials(self.trials, seeds, grid, by_beta=self.by_beta)
        object.__setattr__(self, "trials", trials)
        population = self.population or defaults.population(seeds, by_beta=self.by_beta)
        object.__setattr__(self, "population", population)
        object.__setattr__(self, "name", self.name or f"{self.method}-{self.data.name}")
        self._check_layers()
        self._check_search()
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
    def _defaults(self) -> SearchDefaults:
        return SearchDefaults(self.method, self.search, self.template)

    @property
    def varied(self) -> dict[str, Range | Choices]:
        """All that a search may vary: `space`, and the values of `grid`; defaults come first."""
        both = {**self.grid, **self.space}
        return {f: both[f] for f in {**self._defaults.space(both), **both} if f in both}

    @property
    def by_beta(self) -> bool:
        """Whether `adaptive` places β, and not starts and settings."""
        return is_by_beta(self.search, self.space)

    def _resolved(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        full = self.template.full_names(fields, kind)
        if "seed" in full:
            raise ValueError(f"{kind}.seed: seeds are given as `seeds`, not in `{kind}`")
        return full

    def _axis(self, place: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        field = place.partition(".")[2]
        axis = tuple(self.template.with_fields({field: v}).get(field) for v in values)
        if not axis or len(set(axis)) < len(axis):
            found = preview(axis)
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

    def _check_layers(self) -> None:
        """Refuse too few epochs for greedy layers, and too many samples of the last layer.

        Where fields vary, the worst of their values count: one trial may have all of them.
        """
        row, model = OBJECTIVES[self.objective.name], MODELS[self.model.name]
        layers = model.layers_of(self.model.params)
        if model.sigmoid:
            layers = max(model.layers_of({"hidden": held}) for held in self._values("model.hidden"))
        epochs = int(min(self._values("training.epochs")))
        if row.greedy and epochs < layers:
            raise ValueError(
                f"training.epochs: should be at least the {layers} layers, which objective "
                f"`{self.objective.name}` trains one after another; found {epochs}"
            )
        if "draws" not in self.objective.params:
            return
        draws = int(max(self._values("objective.draws")))
        if draws**layers > MOST_PATHS:
            raise ValueError(
                f"objective.draws: should be few enough that draws^layers is at most {MOST_PATHS}; "
                f"found {draws}^{layers}"
            )

    def _values(self, field: str) -> tuple[Any, ...]:
        """The values that a field may have in the sweep; of a range its ends."""
        varied = self.varied.get(field, (self.template.get(field),))
        return (varied.low, varied.high) if isinstance(varied, Range) else varied

    def _check_search(self) -> None:
        """Refuse what the search cannot vary or learn from."""
        if self.by_beta and len(self.varied) > 1:
            others = ", ".join(field for field in self.varied if field != "weighting.beta")
            raise ValueError(
                f"search: adaptive varies β alone; found {others} too: give β values in `grid` "
                "to spread settings, or search otherwise"
            )
        if self.prune and max(self._values("training.epochs")) < 2:
            raise ValueError("prune: should have 2 epochs or more to compare trials at; found 1")
        betas = self.varied.get("weighting.beta", ())
        if not self.template.weighs_compression and (isinstance(betas, Range) or len(betas) > 1):
            raise ValueError(
                f"weighting.beta: should not vary, as objective `{self.objective.name}` has no "
                "loss that it weighs"
            )
        if not SEARCHES[self.search].learns:
            return
        if self.population < 2:
            raise ValueError(
                f"population: should be 2 or more for search `{self.search}`; "
                f"found {self.population}"
            )
        if "error" in self.objectives and DATASETS[self.data.name].continuous:
            raise ValueError(
                f"objectives: should be without error, as Y of data set `{self.data.name}` is "
                f"continuous; found {', '.join(self.objectives)}"
            )
        noise = OBJECTIVES[self.objective.name].noise_of(self.objective.params)
        if "rate" in self.objectives and noise == "none":
            raise ValueError(
                f"objectives: should be without rate, as objective `{self.objective.name}` has no "
                f"noise and so no finite one; found {', '.join(self.objectives)}"
            )
