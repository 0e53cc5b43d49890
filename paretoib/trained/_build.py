"""The model of a trial, built from its spec."""

from collections.abc import Mapping

from torch import Tensor

from paretoib.distributions import Classes
from paretoib.models import Model, build_model
from paretoib.objectives import OBJECTIVES, Objective
from paretoib.specs import TrialSpec


def trial_model(
    spec: TrialSpec,
    *,
    shape: tuple[int, ...],
    classes: Classes,
    target_dim: int | None,
    weighting: Mapping[str, Tensor] | None = None,
    weighting_state: Mapping[str, Tensor] | None = None,
) -> Model:
    """The model of a trial with random initial weights.

    The weights are drawn from torch's global random generator. `shape` is the shape of an input;
    `classes` and `target_dim` are those of `Dataset`. `weighting` and `weighting_state` are the
    trainable parameters and the state of the weighting.
    """
    entry = OBJECTIVES[spec.objective.name]
    objective: Objective = entry.build(spec.objective.params)
    model = build_model(
        spec.model.name,
        spec.model.params,
        shape=shape,
        classes=classes,
        target_dim=target_dim,
        noise=entry.noise_of(spec.objective.params),
        draws=spec.objective.params.get("draws", 1),
        objective_parameters=objective.parameters(spec.model["latent"], classes, target_dim),
        weighting=weighting,
        weighting_state=weighting_state,
    )
    model.head.optimal = objective.optimal_decoder
    return model
