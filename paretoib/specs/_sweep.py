"""The spec of a sweep, which is built from flags, a YAML file or the body of a request."""

import re
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
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
from paretoib.errors import SpecError
from paretoib.models import MAX_PATHS, MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.specs._axes import parse_axis
from paretoib.specs._defaults import (
    SearchDefaults,
    Seeds,
    Trials,
    default_name,
    fill_sections,
)
from paretoib.specs._extensions import Extension
from paretoib.specs._limits import Budget, Plateau, Prune, Resources
from paretoib.specs._methods import SEARCHES, check_method
from paretoib.specs._sections import REGISTRIES, Section, parse_section
from paretoib.specs._space import Choices, Range, parse_space
from paretoib.specs._trial import Training, TrialSpec, check_batch_size, check_combination
from paretoib.specs._unknown_fields import check_misplaced

# Control characters, line ends and marks that change the direction of text. Names of sweeps may not
# have them, because other users see the names on terminals and pages.
UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
SearchObjective = Literal["rate", "lost", "error", "cost"]
Bits = Annotated[float, Field(gt=0, le=1e6)]  # so that their product, a hypervolume, is finite


class SweepSpec(Document):
    """Everything that determines a sweep.

    Missing fields take the defaults of the method, the data set, the objective and the model.

    For an invalid spec, the constructor raises pydantic's `ValidationError` or a `SpecError`;
    `from_document` raises only `SpecError`.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(
        "",
        max_length=200,
        description="a name to find the sweep by; empty: METHOD-DATASET, such as vib-digits",
        json_schema_extra={"pattern": rf"^[^{UNPRINTABLE}]*$"},
    )
    method: str = Field(description="an objective, a weighting and a search under one name")
    preset: str | None = Field(
        None,
        description="a table or figure of a paper, such as mib-table1, whose protocol gives the "
        "defaults; none: the defaults of the method",
    )
    data: SerializeAsAny[Section] = Field(description="the data set")
    model: SerializeAsAny[Section] = Field(description="the encoder and the decoder")
    objective: SerializeAsAny[Section] = Field(description="the losses of a trial")
    weighting: SerializeAsAny[Section] = Field(
        description="the rule that turns the losses into one gradient"
    )
    training: Training = Field(Training(), description="the optimiser and its schedule")
    search: str = Field(description="how trials are proposed")
    trials: Trials = Field(
        0, description="trials of all seeds together; 0: the default of the method or the search"
    )
    seeds: Seeds = Field(
        description="searches grid and adaptive train each setting once for every seed; all other "
        "searches give the seeds to the trials in turn"
    )
    grid: dict[str, Annotated[tuple[Any, ...], BeforeValidator(parse_axis)]] = Field(
        {},
        description="values of fields: the axes of search grid, or the choices of any other "
        "search; a text such as 1e-5:1:16 is a log-spaced axis",
    )
    space: dict[str, Annotated[Range | Choices, BeforeValidator(parse_space)]] = Field(
        {},
        description="ranges or choices of fields, for searches other than grid; fields of the "
        "default space that are in neither `space` nor `grid` are added; to keep such a field "
        "fixed, give it a single choice",
    )
    objectives: tuple[SearchObjective, ...] = Field(
        ("rate", "lost"),
        min_length=2,
        description="search objectives, which a search that uses results minimises: rate and lost "
        "in bits and error (1 − accuracy of the mean latent) on the validation split, cost in "
        "seconds of training",
    )
    population: int = Field(
        0, ge=0, le=10_000, description="trials in a generation; 0: the default of the search"
    )
    budget: Budget = Field(Budget(), description="limits after which no trial starts")
    prune: Prune | None = Field(None, description="stops trials early if many others dominate them")
    plateau: Plateau | None = Field(
        None, description="ends the sweep when its hypervolume stops growing"
    )
    resources: Resources = Field(Resources(), description="what Ray reserves for a pack")
    trial_seconds: PositiveFloat | None = Field(
        None,
        description="seconds after which a trial fails; n times as many for a pack of n trials",
    )
    reference: tuple[Bits, Bits] | None = Field(
        None,
        description="reference point of hypervolumes: rate and lost bits; if not given: rate = "
        "10 · ceiling, lost = ceiling, where the ceiling is the largest possible relevance",
    )
    extensions: tuple[Extension, ...] = Field(
        (),
        max_length=100,
        description="the history of the sweep: one entry for each `paretoib extend`",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_sections(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            raise SpecError(f"should be a mapping of fields; found {preview(document)}")
        filled = fill_sections(document)
        check_misplaced(filled, cls)
        return filled

    @field_validator(*REGISTRIES, mode="before")
    @classmethod
    def _parse_section(cls, value: Any, info: Any) -> Any:
        return parse_section(info.field_name, value)

    @field_validator("preset")
    @classmethod
    def _no_preset(cls, preset: str | None) -> str | None:
        return preset or None

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if re.search(f"[{UNPRINTABLE}]", name) or name.isspace():
            raise ValueError(f"should have only printable characters; found {preview(name)}")
        return name

    @model_validator(mode="after")
    def _fill_and_check(self) -> Self:
        check_method(self.method, self.data, self.objective, self.weighting)
        for field in ("seeds", "objectives"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise SpecError(
                    f"{field}: should have no value twice; found {preview(list(values))}"
                )
        check_combination(self.data, self.model, self.objective, self.weighting)
        defaults, seeds = self._defaults, len(self.seeds)
        grid, space = self._full_names("grid"), self._full_names("space")
        if both := grid.keys() & space.keys():
            raise SpecError(f"space: should not have fields of `grid`; found {sorted(both)}")
        if self.search == "grid":
            if space:
                others = ", ".join(name for name in SEARCHES if name != "grid")
                raise SpecError(
                    "space: should be empty for search `grid`, which takes axes such as "
                    f"LOW:HIGH:COUNT in `grid`; ranges need search {others}; found ranges of "
                    f"{', '.join(space)}"
                )
            grid = grid or defaults.grid(self.trials, seeds)
        else:
            added = defaults.space({**grid, **space})
            space = {field: r for field, r in added.items() if field not in grid} | space
        # The model is frozen, but these defaults depend on other fields.
        grid = {field: self._axis(f"grid.{field}", values) for field, values in grid.items()}
        object.__setattr__(self, "grid", grid)
        space = {field: self._range(field, values) for field, values in space.items()}
        object.__setattr__(self, "space", space)
        trials = defaults.trials(self.trials, seeds, grid, space)
        object.__setattr__(self, "trials", trials)
        population = self.population or defaults.population(seeds, space)
        object.__setattr__(self, "population", population)
        object.__setattr__(self, "name", self.name or default_name(self.method, self.data.document))
        self._check_layers()
        self._check_batch_size()
        self._check_search()
        self._check_extensions()
        return self

    @cached_property
    def template(self) -> TrialSpec:
        """The trial from which all trials of the sweep are made, by changing fields."""
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
        """The ranges and choices of all varied fields; fields of the default space come first."""
        both = {**self.grid, **self.space}
        return {f: both[f] for f in {**self._defaults.space(both), **both} if f in both}

    @property
    def gap_field(self) -> str | None:
        """The field by which search `adaptive` fills the gaps of the front, or None.

        Without such a field, `adaptive` spaces initialisations and hyperparameters evenly.
        """
        return self._defaults.gap_field(self.varied)

    @property
    def stages(self) -> tuple["SweepSpec", ...]:
        """The sweep before its first extension, after it, and so on; the last is the sweep itself.

        The earlier stages have no history. A search goes through the stages one by one, so that an
        extended sweep has the trials that it had before, and others.
        """
        return (*self._earlier_stages, self)

    @cached_property
    def _earlier_stages(self) -> tuple["SweepSpec", ...]:
        stages: list[SweepSpec] = []
        document = {**self.document, "extensions": ()}
        for number, extension in reversed([*enumerate(self.extensions)]):
            document |= extension.before
            try:
                stages.insert(0, SweepSpec.from_document(document))
            except SpecError as error:
                raise SpecError(f"extensions.{number}.before: {error}") from error
        return tuple(stages)

    def is_extended_by(self, later: "SweepSpec") -> bool:
        """Whether `later` has more trials, and all seeds and values of this sweep."""
        return (
            self.trials < later.trials
            and self.seeds == later.seeds[: len(self.seeds)]
            and self.gap_field == later.gap_field
            and self.varied.keys() <= later.varied.keys()
            # A field that was not varied keeps its value as a choice.
            and all(
                _contains(v, self.varied.get(f, (self.template.get(f),)))
                for f, v in later.varied.items()
            )
        )

    def _full_names(self, kind: Literal["grid", "space"]) -> dict[str, Any]:
        fields = self.template.full_names(getattr(self, kind), kind)
        if "seed" in fields:
            raise SpecError(f"{kind}.seed: should be set as `seeds`, not in `{kind}`")
        return fields

    def _axis(self, location: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Values of an axis or choices, in the field's type; errors begin with `location`."""
        field = location.partition(".")[2]
        axis = tuple(self.template.with_fields({field: v}).get(field) for v in values)
        if not axis or len(set(axis)) < len(axis):
            found = preview(axis)
            raise SpecError(f"{location}: should be one or more different values; found {found}")
        return axis

    def _range(self, field: str, values: Range | Choices) -> Range | Choices:
        if not isinstance(values, Range):
            return self._axis(f"space.{field}", values)
        ends = self._axis(f"space.{field}", (values.low, values.high))
        if not all(type(end) in (int, float) for end in ends):
            raise SpecError(
                f"space.{field}: should be choices, because the field is not a number; found {ends}"
            )
        whole = values.whole or any(isinstance(end, int) for end in ends)
        return values.model_copy(update={"whole": whole})

    def _check_layers(self) -> None:
        """Refuse fewer epochs than greedy layers, and too many samples of the last layer.

        Varied fields are checked with their worst values, which one trial may combine.
        """
        objective, model = OBJECTIVES[self.objective.name], MODELS[self.model.name]
        layers = model.layers_of(self.model.params)
        if model.sigmoid:
            layers = max(
                model.layers_of({"hidden": widths}) for widths in self._values("model.hidden")
            )
        epochs = int(min(self._values("training.epochs")))
        if objective.greedy and epochs < layers:
            raise SpecError(
                f"training.epochs: should be at least {layers}, the number of layers, which "
                f"objective `{self.objective.name}` trains one after another; found {epochs}"
            )
        if "draws" not in self.objective.params:
            return
        draws = int(max(self._values("objective.draws")))
        if draws**layers > MAX_PATHS:
            raise SpecError(
                f"objective.draws: should be few enough that draws^layers is at most {MAX_PATHS}; "
                f"found {draws}^{layers}"
            )

    def _check_batch_size(self) -> None:
        """Refuse small batches with a full covariance; one trial may combine the worst values."""
        if "covariance" not in self.objective.params:
            return
        if "full" in self._values("objective.covariance"):
            latent, batch_size = self._values("model.latent"), self._values("training.batch_size")
            check_batch_size(self.objective.name, int(max(latent)), int(min(batch_size)))

    def _check_extensions(self) -> None:
        """Refuse a history in which a sweep is no extension of the one before."""
        if self.extensions:
            for number, (before, after) in enumerate(pairwise(self.stages)):
                if not before.is_extended_by(after):
                    found = preview(self.extensions[number].before)
                    raise SpecError(
                        f"extensions.{number}.before: should have fewer trials than the sweep "
                        f"after it, and no seeds or values that are not in it; found {found}"
                    )

    def _values(self, field: str) -> tuple[Any, ...]:
        """The values of a field in the sweep; a range is represented by its ends."""
        varied = self.varied.get(field, (self.template.get(field),))
        return (varied.low, varied.high) if isinstance(varied, Range) else varied

    def _check_search(self) -> None:
        """Refuse varied fields, pruning and search objectives that the search cannot handle."""
        ranges = [field for field, values in self.varied.items() if isinstance(values, Range)]
        if self.gap_field and len(ranges) > 1:
            others = ", ".join(field for field in ranges if field != self.gap_field)
            raise SpecError(
                f"search: `adaptive` with a range of {self.gap_field} should have no other range; "
                f"found ranges of {others}: list their values, or choose another search"
            )
        if self.prune and max(self._values("training.epochs")) < 2:
            raise SpecError(
                "prune: should have 2 training epochs or more, so that a rung comes before the "
                "last epoch; found 1"
            )
        betas = self.varied.get("weighting.beta", ())
        if not self.template.weighs_compression and (isinstance(betas, Range) or len(betas) > 1):
            raise SpecError(
                f"weighting.beta: should not vary, because objective `{self.objective.name}` has "
                "no loss that β weighs"
            )
        if not SEARCHES[self.search].uses_results:
            return
        if self.population < 2:
            raise SpecError(
                f"population: should be 2 or more for search `{self.search}`; "
                f"found {self.population}"
            )
        if "error" in self.objectives and DATASETS[self.data.name].continuous:
            raise SpecError(
                f"objectives: should not include error, because Y of data set `{self.data.name}` "
                f"is continuous; found {', '.join(self.objectives)}"
            )
        noise = OBJECTIVES[self.objective.name].noise_of(self.objective.params)
        if "rate" in self.objectives and noise == "none":
            raise SpecError(
                f"objectives: should not include rate, because objective `{self.objective.name}` "
                f"has no noise and so no finite rate; found {', '.join(self.objectives)}"
            )


def _contains(outer: Range | Choices, inner: Range | Choices) -> bool:
    """Whether the range `inner` lies within the range `outer`, or `outer` has all its choices."""
    if isinstance(outer, Range) and isinstance(inner, Range):
        same = (outer.scale, outer.whole) == (inner.scale, inner.whole)
        return same and outer.low <= inner.low and inner.high <= outer.high
    both = isinstance(outer, tuple) and isinstance(inner, tuple)
    return both and all(value in outer for value in inner)
