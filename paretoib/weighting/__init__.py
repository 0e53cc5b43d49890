"""Weightings: rules that turn several losses into one gradient. `WEIGHTINGS` lists them.

Papers have the short names of `paretoib.objectives`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from paretoib.lazy import lazy_names
from paretoib.registry import Entry, Param

if TYPE_CHECKING:
    from paretoib.weighting._weighting import Weighting, Weights

__all__ = ["WEIGHTINGS", "Weighting", "WeightingEntry", "Weights"]

__getattr__ = lazy_names(__name__, {"Weighting": "_weighting", "Weights": "_weighting"})


@dataclass(frozen=True)
class WeightingEntry(Entry):
    """An entry of `WEIGHTINGS`.

    `losses` holds the smallest and the largest number of losses that the weighting accepts. If
    `each_task`, the predictions of several tasks count as one loss each, otherwise as one loss in
    total.
    """

    losses: tuple[int, int] = (2, 8)
    each_task: bool = False

    @property
    def moves_along_front(self) -> bool:
        """Whether a field moves the trained model along the front.

        Otherwise each start gives one point. Comparisons measure the distance of such points to the
        other side's front, because the hypervolume of one point says little.
        """
        return any(param.moves_along_front for param in self.params)


_BETA = Param(
    "beta",
    float,
    1e-3,
    "β, weight of the compression loss",
    ge=0,
    per_trial=True,
    moves_along_front=True,
)
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
    Param(
        "solver",
        Literal["closed_form", "frank_wolfe"],
        "closed_form",
        "method for the min-norm weights: exact (`closed_form`), or mib eqs 9–11 (`frank_wolfe`)",
    ),
    Param("iterations", int, 100, "number of iterations of `frank_wolfe`", ge=1, le=10_000),
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
        losses=(1, 8),
        params=(_BETA,),
    ),
    "task_weights": WeightingEntry(
        "paretoib.weighting._linear:TaskWeights",
        "a fixed weight on each task's prediction, + β · compression",
        "mtvib section 5",
        losses=(1, 8),
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
        params=_GRADIENT,
    ),
    "mib": WeightingEntry(
        "paretoib.weighting._mib:MIB",
        "MIB: min-norm weights, raised to a power, with Smooth-IB",
        "mib eqs 7–14",
        each_task=True,
        params=(
            Param(
                "mu",
                float,
                0.2,
                "μ, temperature of Smooth-IB",
                gt=0,
                le=1e6,
                per_trial=True,
                moves_along_front=True,
            ),
            Param(
                "sqrted",
                int,
                1,
                "1 squares the weights, 0 does not (mib eq. 12, the paper's name)",
                ge=0,
                le=1,
                per_trial=True,
            ),
            Param("adaptive", bool, True, "ablation: off gives all losses the same weight"),
            Param("smooth", bool, True, "ablation: off leaves Smooth-IB out"),
            *_GRADIENT,
        ),
    ),
    "smooth_chebyshev": WeightingEntry(
        "paretoib.weighting._chebyshev:SmoothChebyshev",
        "smooth maximum of the weighted losses; also reaches concave and flat parts of a front",
        "Lin et al. 2024",
        params=(
            Param(
                "preference",
                float,
                0.5,
                "λ, the preference for prediction; the other losses share 1 − λ",
                gt=0,
                lt=1,
                per_trial=True,
                moves_along_front=True,
            ),
            Param(
                "mu",
                float,
                0.1,
                "μ, smoothness; near 0 only the largest weighted loss counts",
                gt=0,
                le=1e3,
            ),
            Param(
                "scale",
                float,
                10.0,
                "number of nats of another loss that count as one nat of prediction",
                gt=0,
                le=1e6,
            ),
        ),
    ),
    "none": WeightingEntry(
        "paretoib.weighting._linear:Unweighted",
        "the only loss, without a weight",
        losses=(1, 1),
    ),
}
