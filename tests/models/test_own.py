"""A user's own torch module as an encoder."""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paretoib.errors import SpecError
from paretoib.models import (
    Definition,
    Dropout,
    build_model,
    check_encoder,
    check_same_encoder,
    encoder_of,
    register_encoder,
)
from paretoib.specs import SweepSpec, TrialSpec, with_own_parts
from paretoib.training._plan import capacity

SHAPE = (1, 8, 8)


class Small(nn.Module):
    """Makes the outputs itself."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
        self.last = nn.Linear(16, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x))


class Backbone(nn.Module):
    """Has features (B, 4, 3, 3), a lazy layer, batch norm and dropout."""

    def __init__(self, share: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LazyConv2d(4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), Dropout(share)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class TooMany(Small):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super().forward(x)] * 2, dim=1)


class Random(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.randn_like(x))


class Recurrent(nn.Module):
    """An LSTM, which vmap cannot run."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x[:, 0])[0][:, -1]


class Hidden(Small):
    """Draws a tensor that is neither a parameter nor a buffer."""

    def __init__(self, outputs: int) -> None:
        super().__init__(outputs)
        self.shift = torch.randn(64)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1) + self.shift)


class Branching(Small):
    """Branches on the value of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > -1e9 else x


def params(encoder: Any, **fields: Any) -> dict[str, Any]:
    """The hyperparameters of an encoder's model section."""
    document = with_own_parts({"data": "digits", "model": {"latent": 3, **fields}}, None, encoder)
    return SweepSpec.from_document(document).model.params


def model(encoder: Any, noise: Any = "learned", **fields: Any) -> Any:
    section = params(encoder, **fields)
    return build_model("module", section, shape=SHAPE, classes=10, target_dim=None, noise=noise)


@pytest.mark.parametrize(
    "encoder", [Small, Backbone, lambda: Backbone(0.5), functools.partial(Small)]
)
@pytest.mark.parametrize(("noise", "outputs"), [("learned", 6), ("none", 3)])
def test_an_encoder_has_the_outputs_of_the_head(encoder: Any, noise: Any, outputs: int) -> None:
    """2K outputs with learned noise, K without; a backbone gets a linear layer."""
    built = model(encoder, noise)
    assert built.encoder(torch.zeros(5, *SHAPE)).shape == (5, outputs)
    assert built.encoder.training
    check_encoder(params(encoder), SHAPE, noise=noise)


def test_a_dry_run_changes_no_statistics() -> None:
    """Building a model with batch norm counts no batch and keeps the running mean."""
    built = model(Backbone)
    norm = built.encoder.module.layers[1]
    assert int(norm.num_batches_tracked) == 0
    assert norm.running_mean.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("encoder", "fields", "text"),
    [
        (TooMany, {}, r"`TooMany\(6\)` should have 6 outputs, a mean and a width for .*; found 12"),
        (
            lambda: nn.Linear(5, 2),
            {},
            r"maps \(B, 1, 8, 8\) to \(B, any number\); found RuntimeErr",
        ),
        (lambda outputs: nn.Linear(64, outputs, bad=1), {}, "found TypeError"),
        (Random, {}, "should draw no random numbers"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.5)),
            {},
            "replace nn.Dropout by paretoib",
        ),
        (Recurrent, {}, "model.stack: torch's vmap should run .*set its field `stack` to false"),
        (Branching, {}, "model.stack: torch's vmap should run"),
        (Hidden, {}, r"tensors of `Hidden` should be parameters or buffers"),
        (Random, {"stack": False}, "should draw no random numbers"),
    ],
)
def test_an_encoder_that_cannot_be_trained_is_refused(encoder: Any, fields: Any, text: str) -> None:
    """The check finds wrong outputs, own random numbers, and modules that vmap cannot run."""
    with pytest.raises(SpecError, match=text):
        check_encoder(params(encoder, **fields), SHAPE, noise="learned")


@pytest.mark.parametrize("encoder", [Recurrent, Branching, Hidden])
def test_an_encoder_that_is_not_stacked_need_not_run_under_vmap(encoder: Any) -> None:
    """With `stack` off, the check passes."""
    check_encoder(params(encoder, stack=False), SHAPE, noise="learned")


def test_trials_that_are_not_stacked_train_in_packs_of_one() -> None:
    """`stack` decides how many trials a pack has, on CPUs and GPUs."""
    document = with_own_parts({"method": "vib", "model": {"stack": False}}, None, Small)
    alone = SweepSpec.from_document(document).template
    stacked = alone.with_fields({"stack": True})
    assert [capacity(alone, SHAPE, device) for device in ("cpu", "cuda")] == [1, 1]
    assert min(capacity(stacked, SHAPE, device) for device in ("cpu", "cuda")) > 1


@pytest.mark.parametrize(
    ("encoder", "text"),
    [
        (3, "should be a class or function that makes a new torch module, .*found 3"),
        (Small(6), "found a module: pass its class `Small`"),
        (lambda a, b: (a, b), "found 2 required arguments of `<lambda>`"),
    ],
)
def test_other_encoders_are_refused(encoder: Any, text: str) -> None:
    """An encoder is a class or function with at most one required argument."""
    with pytest.raises(SpecError, match=text):
        register_encoder(encoder)


def test_an_own_encoder_needs_the_program_that_has_it() -> None:
    """A spec of another process names the encoder, and says how to resume the sweep."""
    with pytest.raises(
        SpecError, match=r"code of `Other` is only in .*paretoib.resume\(SWEEP, enc"
    ):
        encoder_of({"encoder": "Other", "code": "0" * 16})
    with pytest.raises(SpecError, match=r"`paretoib.sweep\(…, encoder=MyModule\)`; found no enc"):
        encoder_of({"encoder": "", "code": ""})
    section = register_encoder(Small)
    check_same_encoder(section, Small)
    with pytest.raises(SpecError, match="found other code of `Backbone`"):
        check_same_encoder(section, Backbone)
    with pytest.raises(SpecError, match="for a sweep of model `module`; found `mlp`"):
        check_same_encoder({"name": "mlp"}, Small)


def test_a_named_model_contradicts_an_encoder() -> None:
    """The model section may have fields such as `latent`, but no other name."""
    with pytest.raises(SpecError, match=r"model: should have no name, .*found `mlp`"):
        with_own_parts({"model": "mlp"}, None, Small)
    with pytest.raises(SpecError, match=r"data: should be a pair of arrays \(x, y\), .*found int"):
        with_own_parts({}, 3, None)


SOURCE = """
from torch import nn
{before}
WIDTH = 16
def layer(inputs, outputs):
    return nn.Linear(inputs, {inner})
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = layer(64, WIDTH)
class Encoder(Base):
    "{doc}"
    def forward(self, x):
        return self.first(x.flatten(1)).{activation}()
"""
PLAIN = {"before": "", "inner": "outputs", "doc": "", "activation": "relu"}


def definition(folder: Path, name: str, **changes: str) -> Definition:
    """The definition of class `Encoder` in a module of its own."""
    (folder / f"{name}.py").write_text(SOURCE.format(**PLAIN | changes))
    sys.path.insert(0, str(folder))
    try:
        return Definition.of(__import__(name).Encoder)
    finally:
        sys.path.remove(str(folder))


def test_the_digest_of_code_changes_with_what_it_does(tmp_path: Path) -> None:
    """A changed method, base class, helper function or constant changes the digest.

    Comments, docstrings and the name of the module do not.
    """
    plain = definition(tmp_path, "plain")
    assert plain.modules == ("plain",)
    same = definition(tmp_path, "same", before="# a comment\n\n", doc="a docstring")
    assert same.digest == plain.digest
    others = [
        definition(tmp_path, "activation", activation="tanh"),
        definition(tmp_path, "helper", inner="outputs * 1"),
    ]
    (tmp_path / "constant.py").write_text(SOURCE.format(**PLAIN).replace("= 16", "= 17"))
    others.append(definition_of_file(tmp_path, "constant"))
    assert len({plain.digest, *(other.digest for other in others)}) == 4


def definition_of_file(folder: Path, name: str) -> Definition:
    sys.path.insert(0, str(folder))
    try:
        return Definition.of(__import__(name).Encoder)
    finally:
        sys.path.remove(str(folder))


def test_the_digest_covers_captured_values() -> None:
    """Functions that capture other values or other weights are other encoders."""

    def make(width: Any) -> Callable[[], Any]:
        return lambda: (width, nn.Linear(2, 2))

    weights = [torch.zeros(2), torch.ones(2)]
    layers = [nn.Linear(1, 1), nn.Linear(1, 1)]
    captured = [1, 2, "1", (1, 2), [1, 2], {1: 2}, *weights, *layers, weights[0].numpy(), Small]
    digests = [Definition.of(make(value)).digest for value in captured]
    assert len(set(digests)) == len(captured)
    assert digests == [Definition.of(make(value)).digest for value in captured]
    assert Definition.of(functools.partial(Small, 2)) != Definition.of(functools.partial(Small, 3))


def test_the_digest_is_the_same_in_another_process(tmp_path: Path) -> None:
    """A program that is started twice has the same digest, whatever its hash seed."""
    code = SOURCE.format(**PLAIN) + (
        "\nfrom paretoib.models import Definition\nprint(Definition.of(Encoder).digest)"
    )
    program = tmp_path / "program.py"
    program.write_text(code)
    digests = {
        subprocess.run(
            [sys.executable, str(program)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {definition(tmp_path, "imported").digest + "\n"}


def test_trials_of_different_code_have_different_keys() -> None:
    """The digest is part of the spec, so the keys of trials differ."""
    keys = {TrialSpec.from_document(_trial(encoder)).key for encoder in (Small, TooMany, Small)}
    assert len(keys) == 2


def _trial(encoder: Any) -> dict[str, Any]:
    return SweepSpec.from_document(with_own_parts({}, None, encoder)).template.document
