"""Model files: weights and a header in the format safetensors, which runs no code when loaded."""

from collections.abc import Mapping
from io import BytesIO
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from paretoib.errors import DataError
from paretoib.trained._build import trial_model
from paretoib.trained._header import MODEL_FILE, ModelHeader, not_a_model, read_header
from paretoib.trained._model import TrainedModel


def encode_model(header: ModelHeader, state: Mapping[str, Tensor]) -> bytes:
    """The content of a model file; `state` has the parameters and buffers of encoder and head."""
    return save({name: t.detach().cpu().contiguous() for name, t in state.items()}, header.metadata)


def load_model(
    path: str | PathLike[str], *, map_location: torch.device | str = "cpu"
) -> TrainedModel:
    """The model in a folder that `paretoib export` wrote, or in a model file.

    `map_location` is the device of the model.

    Raises:
        DataError: there is no such file, or it is not a model file of this version.
        SpecError: the model, objective or data set is that of a plugin which is not installed.
    """
    file = Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the model file {file}: {error.strerror}") from error
    return read_model(content, map_location=map_location, name=file)


def read_model(
    content: bytes, *, map_location: torch.device | str = "cpu", name: object = "the content"
) -> TrainedModel:
    """The model of a model file with this content; see `load_model`."""
    header = read_header(BytesIO(content), name)
    with torch.random.fork_rng(devices=[]):  # the initial weights, which are replaced
        model = trial_model(
            header.trial_spec,
            shape=header.shape,
            classes=header.classes,
            target_dim=header.target_dim,
        )
    trained = TrainedModel(header, model.encoder, model.head)
    try:
        trained.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise not_a_model(name, " ".join(str(error).split())) from error
    return trained.to(map_location)
