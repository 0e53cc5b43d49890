"""Rungs: epochs after which pruning can stop trials of a pack."""

import math
from collections.abc import Callable, Collection, Mapping

# (rate, lost bits) by trial key; None if not finite or if the trial diverged.
RungResults = Mapping[str, tuple[float, float] | None]
# Gets the rung, as its configured share of the epochs, and the results at this rung; returns the
# keys of the trials to stop.
OnRung = Callable[[float, RungResults], Collection[str]]


def rung_epochs(shares: Collection[float], epochs: int) -> dict[int, float]:
    """The rungs' shares by epoch: the first epoch at whose end the share is completed.

    The last epoch is never a rung. If two shares have the same epoch, the larger one counts.
    """
    by_epoch = {math.ceil(share * epochs): share for share in sorted(shares)}
    return {epoch: share for epoch, share in by_epoch.items() if 0 < epoch < epochs}
