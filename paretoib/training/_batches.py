"""The order of the data and the noise: each trial's own, from its own seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data import Split


@dataclass(frozen=True)
class Batch:
    """Inputs (M, B, *shape), targets (M, B, …) and standard normal noise (M, B, R)."""

    x: Tensor
    y: Tensor
    noise: Float[Tensor, "M B R"]


class Batches:
    """The batches of a pack of trials.

    Trials with the same seed see the same data and noise, which is drawn once for all of them:
    `noise` numbers for each example.
    The order comes from the CPU, whatever the device; noise is drawn where it is used.
    """

    def __init__(self, split: Split, seeds: Sequence[int], *, batch_size: int, noise: int) -> None:
        self.split = split
        self.batch_size = batch_size
        self.noise = noise
        device = split.x.device
        distinct = sorted(set(seeds))
        self._order = [torch.Generator().manual_seed(stream_seed(s, 1)) for s in distinct]
        self._noise = [torch.Generator(device).manual_seed(stream_seed(s, 2)) for s in distinct]
        self._generators = {"order": self._order, "noise": self._noise}
        members = [distinct.index(s) for s in seeds]
        self._members = torch.tensor(members, device=device)
        self._size = len(seeds)

    def epoch(self) -> Iterator[Batch]:
        """One pass over the data, shuffled anew. The last batch may be smaller.

        A single left-over example is left out: batch norm has no variance over one.
        """
        count, device = len(self.split), self.split.x.device
        order = torch.stack([torch.randperm(count, generator=g) for g in self._order]).to(device)
        for start in range(0, count, self.batch_size):
            index = order[:, start : start + self.batch_size]
            if start and index.shape[1] == 1 < self.batch_size:
                return
            shape = (index.shape[1], self.noise)
            noise = [torch.randn(shape, generator=g, device=device) for g in self._noise]
            x, y = self.split.x[index], self.split.y[index]
            yield Batch(self._spread(x), self._spread(y), self._spread(_stacked(noise)))

    def state(self) -> dict[str, Tensor]:
        """The generators of each trial's order and noise, one row of bytes a trial."""
        members = self._members.cpu()
        return {
            name: torch.stack([g.get_state() for g in generators])[members]
            for name, generators in self._generators.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave, for trials with the same seeds."""
        for name, generators in self._generators.items():
            for row, member in zip(state[name], self._members.tolist(), strict=True):
                # A copy: torch reads a generator's state from the beginning of the storage.
                generators[member].set_state(row.clone())

    def _spread(self, tensor: Tensor) -> Tensor:
        """From one row a distinct seed to one a trial."""
        if len(tensor) == 1:
            return tensor.expand(self._size, *tensor.shape[1:])
        return tensor[self._members]


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    """The rows as one tensor; a single one is not copied."""
    return torch.stack(tuple(rows)) if len(rows) > 1 else rows[0].unsqueeze(0)


def stream_seed(seed: int, stream: int) -> int:
    """An independent seed for each use of a trial's seed."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0]) >> 1
