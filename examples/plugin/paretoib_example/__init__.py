"""The registry entries that pyproject.toml declares. This module imports no torch."""

from paretoib.data import DETERMINISTIC, DatasetEntry
from paretoib.models import ModelEntry, bottleneck
from paretoib.objectives import ObjectiveEntry
from paretoib.registry import Param

LP = ObjectiveEntry(
    "paretoib_example._lp:LP",
    "E Σ |Z_i|^p under zero-entropy noise",
    noise="zero_entropy",
    betas=(1e-3, 1.0),
    # `per_trial`: trials with different p train in one pack.
    params=(Param("power", float, 1.5, "the power p", ge=1, le=8, per_trial=True),),
)

FOURIER = ModelEntry(
    "paretoib_example._fourier:FourierEncoder",
    "random Fourier features and a linear layer",
    "Rahimi and Recht 2007",
    inputs=("vector",),
    params=(
        Param("features", int, 256, "number of features", ge=1, le=65_536),
        Param("bandwidth", float, 1.0, "width of the approximated Gaussian kernel", gt=0, le=1e3),
        *bottleneck(latent=8),
    ),
)

RINGS = DatasetEntry(
    "paretoib_example._rings:load",
    "points on concentric rings in the plane; Y is the ring",
    kind="vector",
    model="mlp",
    # The rings do not touch, so Y is a function of X and the exact IB curve is known.
    exact=DETERMINISTIC,
    params=(
        Param("rings", int, 4, "number of rings", ge=2, le=100),
        Param("samples", int, 4000, "total number of samples", ge=100, le=1_000_000),
        Param("split_seed", int, 0, "seed of the points", ge=0),
    ),
)
