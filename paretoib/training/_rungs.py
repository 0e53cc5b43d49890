"""Rungs: epochs after which trials that do too badly leave a pack."""

import math
from collections.abc import Callable, Collection, Mapping

# (rate, lost) of each trial in bits by its key; None where there is no such number.
Reached = Mapping[str, tuple[float, float] | None]
# Of a rung's share of the epochs and what the trials have reached there: the keys of those to stop.
OnRung = Callable[[float, Reached], Collection[str]]


def rung_epochs(shares: Collection[float], epochs: int) -> dict[int, float]:
    """The share of each epoch that ends at a rung. There is nothing to stop after the last one."""
    at = {math.ceil(share * epochs): share for share in sorted(shares)}
    return {epoch: share for epoch, share in at.items() if 0 < epoch < epochs}
