"""A categorical bottleneck: Z is one of C categories, by a softmax of the encoder's output.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 5.4 and 7.1. Nothing is sampled:
expectations over Z are sums over its categories.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paretoib.discrete import CategoricalEncoding, CodebookPrediction, one_hot
from paretoib.distributions import Output
from paretoib.errors import SpecError
from paretoib.models._head import Head


class CategoricalHead(Head):
    """From the logits of C = `latent` categories to q(y|z) of each of them.

    The decoder maps each category's one-hot vector to logits of Y: one pass of C rows a batch,
    whatever its size. With `optimal` set it is `table` instead, log p(y|z) as it was last given by
    `optimal_table`, and nothing of the decoder learns.

    Raises:
        SpecError: Y has no classes, or is several tasks.
    """

    table: Tensor

    def __init__(self, latent: int, **head: Any) -> None:
        super().__init__(latent, initial_noise=1.0, **head)
        if not isinstance(self.classes, int):
            found = "a continuous Y" if self.classes is None else "several tasks"
            raise SpecError(f"objective: categorical needs classes; found {found}")
        self.noise = self.training_noise = 0
        self.countable = True
        self.register_buffer("table", torch.zeros(latent, self.classes))

    def forward(self, raw: Float[Tensor, "B C"], noise: Tensor | None) -> Output:  # noqa: ARG002
        """p(z|x) and q(y|z); its z are the probabilities of the categories."""
        encoding = CategoricalEncoding(raw)
        z = encoding.mean
        codebook = self.table
        if not self.optimal:
            codebook = self.decoder(torch.eye(self.latent).to(raw)).log_softmax(-1)
        return Output(encoding, z, CodebookPrediction(z, codebook), dict(self.own.items()))


def optimal_table(
    p: Float[Tensor, "N C"], y: Int[Tensor, " N"], classes: int
) -> Float[Tensor, "C Y"]:
    """log p(y|z) of N equally likely inputs (uib footnote 13), from p(z|x_i) and their labels.

    A class that a category never stands for has a tiny probability, so that all logarithms are
    finite on other inputs too.
    """
    joint = p.double().mT @ one_hot(y, classes)
    given = joint.clamp_min(1e-12)
    return (given / given.sum(-1, keepdim=True)).log().to(p)
