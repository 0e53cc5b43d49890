"""The importance of fields for measures."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from paretoib.documents import Document


class Importance(Document):
    """How much each varied field, and the seed, matters for each measure of a sweep's trials.

    `shares["lost"]["weighting.beta"]` is the share of the variance of the lost bits, among the
    trials, that β explains. The measures are `rate`, `lost`, `error` and `seconds`; the shares of a
    measure sum to 1. `reason` says why there are no shares. `trials` is the number of trials with a
    finite rate.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    trials: int
    shares: Mapping[str, Mapping[str, float]] = {}
    reason: str | None = None

    @property
    def rows(self) -> list[tuple[str, list[float]]]:
        """Each field with its share of each measure; the most important field comes first."""
        names = dict.fromkeys(name for shares in self.shares.values() for name in shares)
        rows = [(name, [shares[name] for shares in self.shares.values()]) for name in names]
        return sorted(rows, key=lambda row: -max(row[1]))
