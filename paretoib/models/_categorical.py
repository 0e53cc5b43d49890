"""A categorical bottleneck: p(z|x) over C categories is the softmax of the encoder's output.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 5.4 and 7.1. Expectations over Z are
sums over its categories, without sampling.
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
    """Map the logits of C = `latent` categories to p(z|x) and q(y|z).

    The decoder maps the one-hot vectors of the C categories to logits of Y, once for the whole
    batch. If `optimal`, the decoder is not trained: log q(y|z) is `table`, which the training loop
    computes by `optimal_table`.

    Raises:
        SpecError: Y has no classes, or several tasks.
    """

    table: Tensor

    def __init__(self, latent: int, **head: Any) -> None:
        super().__init__(latent, initial_noise=1.0, **head)
        if not isinstance(self.classes, int):
            target = "a continuous Y" if self.classes is None else "several tasks"
            raise SpecError(f"objective: categorical needs classes; found {target}")
        self.noise = self.training_noise = 0
        self.enumerable = True
        self.register_buffer("table", torch.zeros(latent, self.classes))

    def forward(self, raw: Float[Tensor, "B C"], noise: Tensor | None) -> Output:  # noqa: ARG002
        """p(z|x) and q(y|z); z of the output holds the category probabilities (B, C)."""
        encoding = CategoricalEncoding(raw)
        z = encoding.mean
        codebook = self.table
        if not self.optimal:
            codebook = self.decoder(torch.eye(self.latent).to(raw)).log_softmax(-1)
        return Output(
            encoding, z, CodebookPrediction(z, codebook), dict(self.objective_parameters.items())
        )


def optimal_table(
    p: Float[Tensor, "N C"], y: Int[Tensor, " N"], classes: int
) -> Float[Tensor, "C Y"]:
    """log p(y|z) of N equally likely inputs (uib footnote 13), from p(z|x_i) and the labels y_i.

    A class that never occurs with a category gets a tiny probability, which keeps the logarithm
    finite on other inputs.
    """
    joint = (p.double().mT @ one_hot(y, classes)).clamp_min(1e-12)
    return (joint / joint.sum(-1, keepdim=True)).log().to(p)
