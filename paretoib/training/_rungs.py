"""Rungs: epochs after which pruning can stop trials of a pack."""

import math
from collections.abc import Callable, Collection, Mapping

# (rate, lost bits) by trial key; None if not finite or if the trial diverged.
RungResults = Mapping[str, tuple[float, float] | None]
# Gets the share of completed epochs and the results; returns the keys of the trials to stop.
OnRung = Callable[[float, RungResults], Collection[str]]


def rung_epochs(shares: Collection[float], epochs: int) -> dict[int, float]:
    """The epoch of each rung, with its share. The last epoch is never a rung."""
    by_epoch = {math.ceil(share * epochs): share for share in sorted(shares)}
    return {epoch: share for epoch, share in by_epoch.items() if 0 < epoch < epochs}
