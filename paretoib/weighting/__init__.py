"""Weightings: rules that turn several losses into one gradient. `WEIGHTINGS` lists them.

Papers have the short names of `paretoib.objectives`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from paretoib.lazy import lazy_names
from paretoib.registry import Entry, Param

if TYPE_CHECKING:
    from paretoib.weighting._weighting import Weighting, Weights

__all__ = ["WEIGHTINGS", "Weighting", "WeightingEntry", "Weights"]

__getattr__ = lazy_names(__name__, {"Weighting": "_weighting", "Weights": "_weighting"})

# The losses of each of four binary layers (imb figure 1). Exact solutions for m losses compare the
# 2^m − 1 faces of the simplex, so their time doubles with each further loss.
MAX_LOSSES = 9


@dataclass(frozen=True)
class WeightingEntry(Entry):
    """An entry of `WEIGHTINGS`.

    `losses` holds the smallest and the largest number of losses that the weighting accepts. If
    `each_task`, the predictions of several tasks count as one loss each, otherwise as one loss in
    total.
    """

    losses: tuple[int, int] = (2, MAX_LOSSES)
    each_task: bool = False

    def fields_along_front(self, section: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields of a section that move the trained model along the front.

        A field that the section lacks has its default. If the result is empty, each initialisation
        gives one point. Comparisons measure the distance of such points to the other side's front,
        because the hypervolume of one point says little.
        """
        filled = {param.name: param.default for param in self.params} | dict(section)
        along = (p for p in self.params if p.along_front and p.has_effect(filled))
        return tuple(param.name for param in along)


_BETA = Param(
    "beta", float, 1e-3, "β, weight of the compression loss", ge=0, per_trial=True, along_front=True
)
_MU = Param("mu", float, 0.2, "μ, temperature of Smooth-IB", gt=0, le=1e6, per_trial=True)
_GRADIENT = (
    Param(
        "gradient",
        Literal["parameters", "latent"],
        "parameters",
        "where gradients are compared: over the `parameters`, or at the encoder's output, `latent` "
        "(Sener and Koltun's upper bound; costs about one backward pass)",
    ),
    Param(
        "over",
        Literal["shared", "all"],
        "shared",
        "the parameters whose gradients are compared: `shared`, those of the encoder (mib eq. 7), "
        "or `all` (mib algorithm 1)",
    ),
    Param(
        "normalise",
        Literal["none", "l2", "loss"],
        "none",
        "before the weights are computed, divide each gradient by its norm (`l2`) or its `loss`",
    ),
)
_COMPARED = tuple(param for param in _GRADIENT if param.name in ("gradient", "over"))
_PREFERENCE = Param(
    "preference",
    float,
    0.5,
    "λ, the preference for prediction; the other losses share 1 − λ",
    gt=0,
    lt=1,
    per_trial=True,
    along_front=True,
)
_SCALE = Param(
    "scale",
    float,
    10.0,
    "number of nats of another loss that count as one nat of prediction",
    gt=0,
    le=1e6,
)


def _min_norm(solver: str) -> tuple[Param, ...]:
    """The parameters of min-norm weights; `solver` is the default solver."""
    return (
        *_GRADIENT,
        Param(
            "solver",
            Literal["closed_form", "frank_wolfe"],
            solver,
            "method for the min-norm weights: exact (`closed_form`), or `iterations` of mib "
            "eqs 9–11 (`frank_wolfe`)",
        ),
        Param(
            "iterations",
            int,
            10,
            "T, iterations of `frank_wolfe`; more of them lead to a higher rate",
            ge=1,
            le=500,
            per_trial=True,
            along_front=True,
            only_with=("solver", "frank_wolfe"),
        ),
    )


WEIGHTINGS: dict[str, WeightingEntry] = {
    "linear": WeightingEntry(
        "paretoib.weighting._linear:Linear",
        "prediction + β · compression: one backward pass",
        "Tishby et al. 1999",
        params=(_BETA,),
    ),
    "uncertainty": WeightingEntry(
        "paretoib.weighting._uncertainty:Uncertainty",
        "Σ prediction/σ² + log σ over the tasks, σ learned, + β · compression",
        "Kendall et al. 2018; mtvib eqs 9, 14",
        losses=(1, MAX_LOSSES),
        params=(_BETA,),
    ),
    "task_weights": WeightingEntry(
        "paretoib.weighting._linear:TaskWeights",
        "a fixed weight on each task's prediction, + β · compression",
        "mtvib section 5",
        losses=(1, MAX_LOSSES),
        params=(
            _BETA,
            Param(
                "task_weights",
                tuple[Annotated[float, Field(ge=0, le=1e6)], ...],
                (),
                "a weight for each task's prediction; empty: 1 for each",
                per_trial=True,
            ),
        ),
    ),
    "mgda": WeightingEntry(
        "paretoib.weighting._mgda:MGDA",
        "the weights whose combined gradient has the smallest norm",
        "Désidéri 2012; Sener and Koltun 2018; mib eqs 7–11",
        each_task=True,
        params=_min_norm("closed_form"),
    ),
    "mib": WeightingEntry(
        "paretoib.weighting._mib:MIB",
        "MIB: min-norm weights, raised to a power, with Smooth-IB",
        "mib eqs 7–14",
        each_task=True,
        params=(
            _MU,
            Param(
                "sqrted",
                int,
                1,
                "1: the weights are squared; 0: they are not (mib eq. 12; the name `sqrted` is the "
                "paper's)",
                ge=0,
                le=1,
                per_trial=True,
            ),
            Param("smooth", bool, True, "use Smooth-IB; false: the ablation of mib figure 5"),
            *_min_norm("frank_wolfe"),
        ),
    ),
    "smooth_linear": WeightingEntry(
        "paretoib.weighting._mib:SmoothLinear",
        "prediction + β · compression with Smooth-IB: MIB without adaptive weights",
        "mib eqs 13–14, figure 5",
        params=(_BETA, _MU),
    ),
    "smooth_chebyshev": WeightingEntry(
        "paretoib.weighting._chebyshev:SmoothChebyshev",
        "smooth maximum of the weighted losses; also reaches concave and flat parts of a front",
        "Lin et al. 2024",
        params=(
            _PREFERENCE,
            Param(
                "mu",
                float,
                0.1,
                "μ, smoothness; near 0 only the largest weighted loss counts",
                gt=0,
                le=1e3,
            ),
            _SCALE,
        ),
    ),
    "epo": WeightingEntry(
        "paretoib.weighting._epo:EPO",
        "EPO search: descent to the Pareto point where preference × loss is equal for both losses",
        "Mahapatra and Rajan 2020",
        losses=(2, 2),
        each_task=True,
        params=(_PREFERENCE, _SCALE, *_COMPARED),
    ),
    "unit_sum": WeightingEntry(
        "paretoib.weighting._unit_sum:UnitSum",
        "the sum of the gradients, each scaled to length 1; for two losses its direction is that "
        "of Nash-MTL and IMTL-G",
        "Navon et al. 2022; Liu et al. 2021 (IMTL)",
        each_task=True,
        params=_COMPARED,
    ),
    "upgrad": WeightingEntry(
        "paretoib.weighting._upgrad:UPGrad",
        "UPGrad: the mean of the gradients, each projected so that it conflicts with no other; "
        "for two losses its direction is that of PCGrad",
        "Quinton and Rey 2024; Yu et al. 2020",
        each_task=True,
        params=_COMPARED,
    ),
    "cagrad": WeightingEntry(
        "paretoib.weighting._cagrad:CAGrad",
        "CAGrad: the direction near the mean gradient that helps the worst loss most",
        "Liu et al. 2021 (CAGrad)",
        each_task=True,
        params=(
            Param(
                "c",
                float,
                0.5,
                "largest distance of the step from the mean gradient, as a share of the mean "
                "gradient's norm; with 0 the step is the mean gradient",
                ge=0,
                lt=1,
                per_trial=True,
            ),
            *_COMPARED,
        ),
    ),
    "aligned_mtl": WeightingEntry(
        "paretoib.weighting._aligned_mtl:AlignedMTL",
        "Aligned-MTL: the gradients made orthogonal and equally long, then added up",
        "Senushkin et al. 2023",
        each_task=True,
        params=_COMPARED,
    ),
    "famo": WeightingEntry(
        "paretoib.weighting._famo:FAMO",
        "FAMO: weights with which the logarithms of all losses fall equally fast",
        "Liu et al. 2023",
        each_task=True,
        params=(
            Param("logit_step", float, 0.025, "step size of the logits of the weights", gt=0, le=1),
            Param("logit_decay", float, 1e-3, "γ, weight decay of the logits", ge=0, le=1),
        ),
    ),
    "dwa": WeightingEntry(
        "paretoib.weighting._dwa:DWA",
        "dynamic weight average: the loss that falls more slowly gets the larger weight",
        "Liu et al. 2019",
        each_task=True,
        params=(
            Param(
                "temperature",
                float,
                2.0,
                "T of the softmax; large values give equal weights",
                gt=0,
                le=1e6,
                per_trial=True,
            ),
        ),
    ),
    "random": WeightingEntry(
        "paretoib.weighting._random:RandomWeights",
        "new random weights in every step (RLW)",
        "Lin et al. 2022",
        each_task=True,
    ),
    "none": WeightingEntry(
        "paretoib.weighting._linear:Unweighted",
        "the only loss, without a weight",
        losses=(1, 1),
    ),
}
