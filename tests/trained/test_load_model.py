"""`load_model` and `TrainedModel`: files that are refused, inputs that are refused, randomness."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import paretoib
from paretoib.errors import DataError, SpecError
from paretoib.specs import TrialSpec
from paretoib.trained import MODEL_FILE, ModelHeader, encode_model, trial_model

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(objective, **header)` writes a folder with a small untrained model."""

    def write_model(objective: str = "vib", **header: Any) -> Path:
        sigmoid = objective == "imb_joint"
        model = {"name": "sigmoid" if sigmoid else "mlp", "hidden": [8], "latent": 3}
        spec = TrialSpec.from_document(
            {"data": "digits", "model": model, "objective": objective, "weighting": "linear"}
        )
        untrained = trial_model(spec, shape=(1, 8, 8), classes=10, target_dim=None)
        fields = {
            "spec": spec.document,
            "shape": (1, 8, 8),
            "input_range": (0.0, 1.0),
            "classes": 10,
        }
        content = encode_model(
            ModelHeader(trial=spec.key, **fields | header), untrained.state_dict()
        )
        (tmp_path / MODEL_FILE).write_bytes(content)
        return tmp_path

    return write_model


def test_loading_does_not_change_the_random_numbers_of_the_program(write: Write) -> None:
    """The initial weights, which the file replaces, are not drawn from the program's generator."""
    folder = write()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    model = paretoib.load_model(folder)
    assert torch.equal(torch.rand(4), expected)
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_samples_are_drawn_from_the_generator(write: Write) -> None:
    """Equal generators give equal samples and predictions; without one, samples differ."""
    for objective in ("vib", "imb_joint", "categorical"):
        model = paretoib.load_model(write(objective))
        x = torch.rand(20, 1, 8, 8)
        for call in (model.sample, partial(model.predict, samples=3)):
            first, again, other = (
                call(x, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
            )
            assert torch.equal(first, again)
            exact = objective == "categorical" and call != model.sample
            assert torch.equal(first, other) == exact
        assert not torch.equal(model.sample(x), model.sample(x))


def test_the_mean_of_samples_is_the_mean(write: Write) -> None:
    """For Gaussian noise, samples have the mean and the scale of `encode`."""
    model = paretoib.load_model(write())
    x = torch.rand(2, 1, 8, 8)
    mean, scale = model.encode(x)
    with torch.no_grad():
        samples = torch.stack([model.sample(x) for _ in range(1000)])
    assert scale is not None
    assert ((samples.mean(0) - mean) / scale).abs().max() < 0.2
    assert (samples.std(0) / scale - 1).abs().max() < 0.2


def test_a_copy_has_the_same_weights(write: Write) -> None:
    """A model can be copied, saved by `state_dict` and loaded again, and changed to double."""
    model = paretoib.load_model(write())
    x = torch.rand(2, 1, 8, 8)
    clone = copy.deepcopy(model)
    with torch.no_grad():
        next(clone.parameters()).add_(1)
    assert not torch.allclose(clone.predict(x), model.predict(x))
    clone.load_state_dict(model.state_dict())
    assert torch.equal(clone.predict(x), model.predict(x))
    assert clone.double().predict(x).dtype == torch.float64
    assert torch.allclose(clone.predict(x).float(), model.predict(x), atol=1e-6)


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (torch.zeros(5, 8, 8), r"torch.float32 of shape \(5, 8, 8\)"),
        (torch.zeros(1, 8, 8), r"torch.float32 of shape \(1, 8, 8\)"),
        (torch.zeros(5, 1, 8, 8, dtype=torch.uint8), r"torch.uint8 of shape \(5, 1, 8, 8\)"),
    ],
)
def test_other_inputs_are_refused(write: Write, x: torch.Tensor, found: str) -> None:
    """The error has the shape and the range of the inputs, the data set and what was found."""
    model = paretoib.load_model(write())
    rule = r"shape \(B, 1, 8, 8\), as data set `digits` delivers them, with values from 0 to 1"
    for call in (model.encode, model.sample, model.predict, model):
        with pytest.raises(DataError, match=f"{rule}; found {found}"):
            call(x)


def test_a_model_is_loaded_to_a_device(write: Write) -> None:
    """`map_location` is the device of all parameters and buffers."""
    model = paretoib.load_model(write(), map_location="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
    assert model.predict(torch.zeros(2, 1, 8, 8, device="meta")).device.type == "meta"


def test_other_files_are_refused(write: Write, tmp_path: Path) -> None:
    """The error names the file and says what was found."""
    with pytest.raises(DataError, match=r"cannot read the model file .*: No such file"):
        paretoib.load_model(tmp_path / "nowhere")
    folder = write()
    file = folder / MODEL_FILE
    content = file.read_bytes()
    for damaged, found in (
        (b"", "no header of paretoib"),
        (b"not safetensors at all", "no header of safetensors"),
        (content[:100], "no header of paretoib"),
        (content[:-10], "should be a model file"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match=found) as caught:
            paretoib.load_model(folder)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    save_file({"weights": torch.zeros(2)}, file)
    with pytest.raises(DataError, match="found no header of paretoib"):
        paretoib.load_model(file)
    header = ModelHeader(trial="a", spec={}, shape=(1,), input_range=(0.0, 1.0))
    text = header.to_json().replace('"schema": 1', '"schema": 2')
    save_file({"weights": torch.zeros(2)}, file, {"paretoib": text})
    with pytest.raises(DataError, match="a header of another version: schema"):
        paretoib.load_model(file)


def test_weights_of_another_model_are_refused(write: Write) -> None:
    """The error names the tensors that do not fit."""
    folder = write(classes=9)
    with pytest.raises(DataError, match=r"head\.decoder\.0\.weight"):
        paretoib.load_model(folder)


def test_a_model_of_a_missing_plugin_is_refused(write: Write) -> None:
    """The error names the entry that is not installed."""
    document = TrialSpec.from_document(
        {"data": "digits", "model": "mlp", "objective": "vib", "weighting": "linear"}
    ).document
    document["model"] = {"name": "fourier"}
    with pytest.raises(SpecError, match=r"unknown model: .*found `fourier`"):
        paretoib.load_model(write(spec=document))
