"""Objectives, which compute named losses from a batch and a model's output.

`OBJECTIVES` lists them; CONTRIBUTING.md says how to add one. Short names of papers in the code:

- mib: Exploring Complex Trade-offs in Information Bottleneck through Multi-Objective Optimization;
- uib: Kirsch, Lyle, Gal: Unpacking Information Bottlenecks;
- imb: Information Multi-Bottlenecks;
- mtvib: Qian, Chen, Gechter: Multi-Task Variational Information Bottleneck;
- vim: Crescimanna, Graham: The Variational InfoMax Learning Objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from paretoib.lazy import lazy_names
from paretoib.registry import Entry, Noise, Param, Registry

if TYPE_CHECKING:
    from paretoib.objectives._categorical import decoder_uncertainty, joint_probabilities
    from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_losses

__all__ = [
    "OBJECTIVES",
    "Hyper",
    "Noise",
    "Objective",
    "ObjectiveEntry",
    "Scalar",
    "decoder_uncertainty",
    "joint_probabilities",
    "prediction_losses",
]

__getattr__ = lazy_names(
    __name__,
    {
        "decoder_uncertainty": "_categorical",
        "joint_probabilities": "_categorical",
        "Hyper": "_objective",
        "Objective": "_objective",
        "Scalar": "_objective",
        "prediction_losses": "_objective",
    },
)


@dataclass(frozen=True)
class ObjectiveEntry(Entry):
    """An entry of `OBJECTIVES`.

    `losses` names the losses that the objective returns, `prediction` first. `noise` is the noise
    of p(z|x): `learned`, a standard deviation for each input and dimension; `scale`, one learned
    standard deviation for all inputs and dimensions; `zero_entropy`, a fixed standard deviation;
    `bernoulli` bits; `categorical` codes; or `none`, which makes the rate infinite. `betas` are the
    ends of the default β grid of a linear sweep. `field_defaults` holds defaults for fields of
    other sections, by full name. If `classes`, Y must have classes; if `several_tasks`, Y may have
    several labels. `model` is the default model; if `model` is empty, the data set names the
    default. If `greedy`, the binary layers of a network are trained one after another.
    """

    losses: tuple[str, ...] = ("prediction", "compression")
    noise: Noise = "learned"
    betas: tuple[float, float] = (1e-4, 1.0)
    field_defaults: Mapping[str, Any] = field(default_factory=dict)
    classes: bool = False
    several_tasks: bool = True
    model: str = ""
    greedy: bool = False

    def losses_of(
        self, tasks: Sequence[str], params: Mapping[str, Any] | None = None, layers: int = 1
    ) -> tuple[str, ...]:
        """The names of the losses for these hyperparameters, predictions first.

        There is one prediction loss for each of `tasks`, which is empty if Y is a single task. If
        the hyperparameter `losses` is "per_layer", each prediction loss is replaced by those of
        layers 0 to L, and each other loss by those of layers 1 to L; L is the number of binary
        `layers`.
        """
        predictions = [f"prediction/{task}" for task in tasks] or ["prediction"]
        others = self.losses[1:]
        if params and params.get("losses") == "per_layer":
            predictions = [f"{name}/layer_{i}" for name in predictions for i in range(layers + 1)]
            others = tuple(f"{name}/layer_{i}" for name in others for i in range(1, layers + 1))
        return (*predictions, *others)

    def noise_of(self, params: Mapping[str, Any]) -> Noise:
        """The noise for these hyperparameters; `zero_entropy_noise` can switch it off."""
        return self.noise if params.get("zero_entropy_noise", True) else "none"


# The compression losses of nib and vim hardly increase the noise of codes. With almost no noise at
# the start, nib's bound stays at log N for a batch of N, because its slope there is zero, and vim's
# codes keep tens of bits.
_NOISY_START = {"model.initial_noise": 1.0}

PRIOR_WIDTH = Param(
    "prior_width", float, 1.0, "σ of the prior N(0, σ²I)", gt=0, le=1e3, per_trial=True
)
# The grid of γ, the β of these objectives, in uib section 7.3.
_UIB_BETAS = (1e-4, 10.0)
ZERO_ENTROPY_NOISE = Param(
    "zero_entropy_noise",
    bool,
    True,
    "add noise ε ~ N(0, 1/(2πe)) to the latent, as in uib section 6.1; false: without noise, "
    "the compression loss has no lower bound",
    sets_noise=True,
)

_DRAWS = Param(
    "draws",
    int,
    8,
    "M, samples of each binary layer per sample of the layer below; 32 in imb",
    ge=1,
    le=4096,
)


_LayerWeights = tuple[Annotated[float, Field(ge=0, le=1e6)], ...]
_RELATIVE_BETAS = Param(
    "relative_betas",
    _LayerWeights,
    (),
    "β_l/β of each binary layer l, from the first layer to Z: the compression of layer l has the "
    "weight β_l; empty: 1 for each",
    per_trial=True,
)
_PER_LAYER = (
    Param(
        "gammas",
        _LayerWeights,
        (),
        "γ_l for l = 0, …, L: weight of both losses of layer l; empty: 1 for each",
        per_trial=True,
    ),
    Param(
        "losses",
        Literal["summed", "per_layer"],
        "summed",
        "one prediction and one compression loss for all layers (`summed`), or the losses of each "
        "layer (`per_layer`), which an adaptive weighting then weights separately",
    ),
)


def _imb(target: str, summary: str, paper: str, *params: Param, **fields: Any) -> ObjectiveEntry:
    defaults = {"noise": "bernoulli", "model": "sigmoid", "betas": (1e-4, 1.0)}
    return ObjectiveEntry(
        f"paretoib.objectives._imb:{target}",
        summary,
        paper,
        params=(_DRAWS, *params),
        **defaults | fields,
    )


_OWN: dict[str, ObjectiveEntry] = {
    "vib": ObjectiveEntry(
        "paretoib.objectives._vib:VIB",
        "KL(p(z|x) ‖ N(0, σ²I)), in closed form",
        "Alemi et al. 2017; mib eq. 36, vim eq. 10",
        params=(PRIOR_WIDTH,),
    ),
    "vib_squared": ObjectiveEntry(
        "paretoib.objectives._vib:VIBSquared",
        "the square of vib's KL in bits",
        "Rodríguez Gálvez et al. 2020; mib eq. 38, corrected",
        params=(PRIOR_WIDTH,),
    ),
    "nib": ObjectiveEntry(
        "paretoib.objectives._nib:NIB",
        "Kolchinsky's bound on I(X;Z), at most log N in batches of N; one learned σ",
        "Kolchinsky et al. 2019; mib eq. 37, corrected",
        betas=(1e-2, 1.0),
        field_defaults=_NOISY_START,
        noise="scale",
    ),
    "nib_squared": ObjectiveEntry(
        "paretoib.objectives._nib:NIBSquared",
        "the square of nib's bound in bits",
        "Rodríguez Gálvez et al. 2020; mib eq. 39, corrected",
        betas=(1e-3, 1.0),
        field_defaults=_NOISY_START,
        noise="scale",
    ),
    "vim": ObjectiveEntry(
        "paretoib.objectives._vim:VIM",
        "MMD²(z, N(0, σ²I)): fits the distribution of all codes to the prior",
        "Crescimanna and Graham, eq. 18",
        betas=(0.1, 1e3),
        field_defaults=_NOISY_START,
        params=(
            PRIOR_WIDTH,
            Param(
                "statistic",
                Literal["v", "u"],
                "v",
                "estimate of MMD²: the V-statistic (`v`), or the unbiased U-statistic (`u`)",
            ),
        ),
    ),
    "l2": ObjectiveEntry(
        "paretoib.objectives._l2:L2",
        "E‖Z‖² under zero-entropy noise",
        "uib section 6.3",
        betas=_UIB_BETAS,
        noise="zero_entropy",
        params=(ZERO_ENTROPY_NOISE,),
    ),
    "log_var": ObjectiveEntry(
        "paretoib.objectives._log_var:LogVar",
        "Σ ½ ln(2πe Var[Z_i]) under zero-entropy noise: bounds H[Z]",
        "uib section 6.3",
        betas=_UIB_BETAS,
        noise="zero_entropy",
        params=(ZERO_ENTROPY_NOISE,),
    ),
    "log_var_given_y": ObjectiveEntry(
        "paretoib.objectives._log_var:LogVarGivenY",
        "E Σ ½ ln(2πe Var[Z_i|y]) under zero-entropy noise: bounds H[Z|Y]",
        "uib section 6.3",
        betas=_UIB_BETAS,
        noise="zero_entropy",
        classes=True,
        several_tasks=False,
        params=(ZERO_ENTROPY_NOISE,),
    ),
    "dib": ObjectiveEntry(
        "paretoib.objectives._dib:DIB",
        "Gaussian bound on H[Z], which replaces I(X;Z), under zero-entropy noise",
        "Strouse and Schwab 2017; uib section 4.2",
        noise="zero_entropy",
        params=(
            Param(
                "covariance",
                Literal["diagonal", "full"],
                "diagonal",
                "`diagonal` treats dimensions as independent, as `log_var` does; `full` uses their "
                "correlations, which gives a tighter bound",
            ),
        ),
    ),
    "ceb": ObjectiveEntry(
        "paretoib.objectives._ceb:CEB",
        "KL(p(z|x) ‖ b(z|y)) with b learned: bounds I(X;Z|Y)",
        "Fischer 2020; uib section 4.2",
    ),
    "categorical": ObjectiveEntry(
        "paretoib.objectives._categorical:Categorical",
        "H[Z|Y], H[Z] or I(X;Z) of a softmax code, as sums over its categories",
        "uib sections 5.4, 7.1",
        noise="categorical",
        betas=(1e-5, 0.02),
        # A hundred categories and a decoder with a hidden layer, as in uib section 7.1. With Adam's
        # default learning rate the softmax hardly changes during most of a short training.
        field_defaults={
            "model.latent": 100,
            "model.decoder": (256,),
            "training.learning_rate": 0.01,
        },
        classes=True,
        several_tasks=False,
        params=(
            Param(
                "loss",
                Literal["decoder", "prediction", "uncertainty"],
                "decoder",
                "the prediction loss: the mean over z of −log q(y|z) (`decoder`), −log of the mean "
                "over z of q(y|z) (`prediction`), or H[Y|Z] under the optimal decoder "
                "(`uncertainty`)",
            ),
            Param(
                "compressed",
                Literal["given_y", "entropy", "rate"],
                "given_y",
                "the compression loss: H[Z|Y] (`given_y`), H[Z] (`entropy`) or I(X;Z) (`rate`)",
            ),
            Param(
                "optimal_decoder",
                bool,
                False,
                "use p(y|z) of the training data, computed after each epoch, instead of a learned "
                "decoder q(y|z)",
            ),
        ),
    ),
    "imb_joint": _imb(
        "IMBJoint",
        "relevance and compression of all binary layers at once",
        "imb eqs 6, 7, 10, algorithm 1",
        _RELATIVE_BETAS,
        *_PER_LAYER,
    ),
    "imb_greedy": _imb(
        "IMBGreedy",
        "relevance and compression of one binary layer after another, in equal shares of epochs",
        "imb eqs 6, 7, 10, section 3.4",
        _RELATIVE_BETAS,
        greedy=True,
    ),
    "sfnn": _imb(
        "SFNN",
        "the likelihood of a network of binary layers, no compression (SFNN)",
        "Raiko et al. 2015; imb eq. 8",
        losses=("prediction",),
    ),
    "deterministic": ObjectiveEntry(
        "paretoib.objectives._deterministic:Deterministic",
        "plain cross-entropy, no noise, no compression (DET, RES18)",
        "the papers' baseline; vim table 1",
        losses=("prediction",),
        noise="none",
        params=(
            Param(
                "label_smoothing",
                float,
                0.0,
                "ε, share of each target's probability given to all classes equally",
                ge=0,
                lt=1,
            ),
            Param(
                "confidence_penalty",
                float,
                0.0,
                "λ, weight of the prediction's negative entropy",
                ge=0,
                le=1e3,
            ),
        ),
    ),
}
OBJECTIVES = Registry("paretoib.objectives", ObjectiveEntry, _OWN)
