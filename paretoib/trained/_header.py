"""The header of a model file, which is read without torch."""

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import IO, Any, Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.errors import DataError, SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Noise
from paretoib.specs import TrialSpec

MODEL_FILE = "model.safetensors"
MLMODEL_FILE = "MLmodel"  # the name that MLflow requires
CONFIG_FILE, README_FILE = "config.json", "README.md"
FILES = (MODEL_FILE, CONFIG_FILE, README_FILE, MLMODEL_FILE)  # of a model folder
_KEY = "paretoib"  # the name of the header in safetensors' metadata
_MAX_BYTES = 2**24  # limit on the header's size; a header has about 2 kB


class ModelHeader(Document):
    """The trial of a model file, and the data that its model takes.

    `shape` is the shape of one input, and `input_range` holds the smallest and the largest value of
    the training inputs, as the data set delivers them. `classes` is the number of classes, a tuple
    with one number for each of `tasks`, or None for a continuous Y of dimension `target_dim`.
    `version` is the version of paretoib that trained the model.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    trial: str
    spec: Mapping[str, Any]
    shape: tuple[int, ...]
    input_range: tuple[float, float]
    classes: int | tuple[int, ...] | None = None
    tasks: tuple[str, ...] = ()
    target_dim: int | None = None
    version: str = Field(default_factory=lambda: version("paretoib"))

    @cached_property
    def trial_spec(self) -> TrialSpec:
        """The trial's spec."""
        return TrialSpec.from_document(self.spec)

    @property
    def noise(self) -> Noise:
        """The noise of p(z|x), as in `paretoib.objectives.ObjectiveEntry`."""
        objective = self.trial_spec.objective
        return OBJECTIVES[objective.name].noise_of(objective.params)

    @property
    def outputs(self) -> dict[str, int]:
        """The number of classes of each task, or the dimension of a continuous Y, by name."""
        if isinstance(self.classes, tuple):
            return dict(zip(self.tasks, self.classes, strict=True))
        return {"y": self.classes or self.target_dim or 0}

    @property
    def metadata(self) -> dict[str, str]:
        """The header as safetensors' metadata.

        It has one entry, because safetensors writes several in random order.
        """
        return {_KEY: self.to_json()}


def read_header(file: IO[bytes], name: object) -> ModelHeader:
    """The header of a model file, read from its beginning; `name` is its name in messages.

    Raises:
        DataError: the file is not a model file, or has an unknown version.
    """
    size = int.from_bytes(file.read(8), "little")
    if size > _MAX_BYTES:
        raise not_a_model(name, "no header of safetensors")
    try:
        metadata = json.loads(file.read(size)).get("__metadata__") or {}
        text = metadata[_KEY]
    except (ValueError, AttributeError, KeyError) as error:
        raise not_a_model(name, "no header of paretoib") from error
    try:
        return ModelHeader.from_json(text)
    except SpecError as error:
        raise not_a_model(name, f"a header of another version: {error}") from error


def not_a_model(name: object, found: object) -> DataError:
    """The error for a file that is not a model file of this version."""
    return DataError(f"{name} should be a model file of `paretoib export`; found {found}")
