"""What is minimised: each objective turns a batch and a model's output into named losses.

`OBJECTIVES` lists them all. To add one: a module with a subclass of `Objective`, a row here, a
row in the README's table, a test file.
"""

from dataclasses import dataclass
from typing import Literal

from paretoib.registry import Entry, Param


@dataclass(frozen=True)
class ObjectiveEntry(Entry):
    """A row of `OBJECTIVES`.

    `losses` names what the objective returns, `prediction` first. `noise` says whether the
    encoder learns the noise of p(z|x) or has none (then the rate is infinite). `betas` are the
    ends of the grid of β that a linear sweep takes by default.
    """

    losses: tuple[str, ...] = ("prediction", "compression")
    noise: Literal["learned", "none"] = "learned"
    betas: tuple[float, float] = (1e-4, 1.0)


PRIOR_WIDTH = Param(
    "prior_width", float, 1.0, "σ of the prior N(0, σ²I)", gt=0, le=1e3, per_trial=True
)

OBJECTIVES: dict[str, ObjectiveEntry] = {
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
    "deterministic": ObjectiveEntry(
        "paretoib.objectives._deterministic:Deterministic",
        "plain cross-entropy, no noise, no compression (DET, RES18)",
        "the papers' baseline",
        losses=("prediction",),
        noise="none",
    ),
}
