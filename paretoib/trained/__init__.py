"""Trained models as files: `load_model` loads one, `TrainedModel` is a torch module.

A model file has the weights of one trial in the format safetensors. Its header has all that is
needed to build the model, so loading needs neither the store nor the data set, and runs no code
from the file. This package imports none of Ray, MLflow and the service.
"""

from typing import TYPE_CHECKING

from paretoib.lazy import lazy_names
from paretoib.trained._header import FILES, MLMODEL_FILE, MODEL_FILE, ModelHeader, read_header

if TYPE_CHECKING:
    from paretoib.trained._build import trial_model
    from paretoib.trained._file import encode_model, load_model, read_model
    from paretoib.trained._folder import mlmodel, write_folder
    from paretoib.trained._model import TrainedModel

__all__ = [
    "FILES",
    "MLMODEL_FILE",
    "MODEL_FILE",
    "ModelHeader",
    "TrainedModel",
    "encode_model",
    "load_model",
    "mlmodel",
    "read_header",
    "read_model",
    "trial_model",
    "write_folder",
]

__getattr__ = lazy_names(
    __name__,
    {
        "trial_model": "_build",
        "encode_model": "_file",
        "load_model": "_file",
        "read_model": "_file",
        "mlmodel": "_folder",
        "write_folder": "_folder",
        "TrainedModel": "_model",
    },
)
