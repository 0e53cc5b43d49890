"""The response models of the API that are not records of `paretoib.records`."""

from typing import Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.records import ModelFile, SweepState, TrialRecord


class Sweeps(Document):
    """A page of sweeps, newest first; `total` counts all sweeps that match the filters."""

    schema_version: Literal[1] = Field(1, alias="schema")
    sweeps: tuple[SweepState, ...]
    total: int
    offset: int
    limit: int


class Trials(Document):
    """A page of a sweep's trials in the order in which they ended, without their histories."""

    schema_version: Literal[1] = Field(1, alias="schema")
    trials: tuple[TrialRecord, ...]
    total: int
    offset: int
    limit: int


class Trial(TrialRecord):
    """A trial with its history.

    `address` is its page in MLflow's UI; null if there is no link. `model` says whether its model
    file is kept; null for a trial without a model file.
    """

    address: str | None
    model: ModelFile | None = None


class Note(Document):
    """The note of a sweep."""

    note: str = Field(description="at most 4000 characters; an empty text removes the note")
