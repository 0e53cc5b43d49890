"""Data order and noise of each trial, both drawn from the seed of the trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data import Split


@dataclass(frozen=True)
class Batch:
    """Inputs (M, B, *shape), targets (M, B, …) and standard normal noise (M, B, K).

    M is the number of trials, B the number of examples, K the number of noise values per example.
    `weighting_noise` holds n standard normal numbers for the weighting.
    """

    x: Tensor
    y: Tensor
    noise: Float[Tensor, "M B K"]
    weighting_noise: Float[Tensor, "M n"]


class Batches:
    """The batches of a pack of trials, with `noise_size` standard normal numbers per example.

    Each batch has `weighting_noise` numbers for the weighting too. Trials with the same seed get
    the same data and noise, drawn once for all of them. The data order and the numbers for the
    weighting are drawn on the CPU for every device; noise is drawn on the device.
    """

    def __init__(
        self,
        split: Split,
        seeds: Sequence[int],
        *,
        batch_size: int,
        noise_size: int,
        weighting_noise: int = 0,
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.noise_size = noise_size
        self.weighting_noise = weighting_noise
        device = split.x.device
        distinct = sorted(set(seeds))
        self._order = [torch.Generator().manual_seed(stream_seed(s, 1)) for s in distinct]
        self._noise = [torch.Generator(device).manual_seed(stream_seed(s, 2)) for s in distinct]
        self._generators = {"order": self._order, "noise": self._noise}
        self._weighting = [torch.Generator().manual_seed(stream_seed(s, 3)) for s in distinct]
        if weighting_noise:
            self._generators["weighting"] = self._weighting
        seed_index = [distinct.index(s) for s in seeds]
        self._seed_index = torch.tensor(seed_index, device=device)
        self._size = len(seeds)

    def epoch(self) -> Iterator[Batch]:
        """Yield the batches of one epoch in a new random order. The last batch may be smaller.

        A last batch of one example is skipped, because batch norm needs at least two examples. It
        is not skipped if it is the only batch or if the batch size is 1.
        """
        count, device = len(self.split), self.split.x.device
        order = torch.stack([torch.randperm(count, generator=g) for g in self._order]).to(device)
        numbers = (-(-count // self.batch_size), self.weighting_noise)
        for_weighting = _stacked([torch.randn(numbers, generator=g) for g in self._weighting])
        for_weighting = self._for_trials(for_weighting.to(device))
        for start in range(0, count, self.batch_size):
            index = order[:, start : start + self.batch_size]
            if start and index.shape[1] == 1 < self.batch_size:
                return
            shape = (index.shape[1], self.noise_size)
            noise = [torch.randn(shape, generator=g, device=device) for g in self._noise]
            x, y = self.split.x[index], self.split.y[index]
            expand = self._for_trials
            number = start // self.batch_size
            yield Batch(expand(x), expand(y), expand(_stacked(noise)), for_weighting[:, number])

    def state(self) -> dict[str, Tensor]:
        """The states of the generators in use, one row of bytes for each trial."""
        seed_index = self._seed_index.cpu()
        return {
            name: torch.stack([g.get_state() for g in generators])[seed_index]
            for name, generators in self._generators.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()` of trials with the same seeds."""
        for name, generators in self._generators.items():
            for row, index in zip(state[name], self._seed_index.tolist(), strict=True):
                # A copy, because torch reads a generator state from the start of the storage.
                generators[index].set_state(row.clone())

    def _for_trials(self, tensor: Tensor) -> Tensor:
        """Expand a tensor with one row for each distinct seed to one row for each trial."""
        if len(tensor) == 1:
            return tensor.expand(self._size, *tensor.shape[1:])
        return tensor[self._seed_index]


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    """Stack the rows; a single row is not copied."""
    return torch.stack(tuple(rows)) if len(rows) > 1 else rows[0].unsqueeze(0)


def stream_seed(seed: int, stream: int) -> int:
    """An independent seed for each random stream of a trial."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0]) >> 1
