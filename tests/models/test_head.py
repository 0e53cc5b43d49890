"""The head: the noise of the latent, and the decoders."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from paretoib.distributions import (
    ZERO_ENTROPY_STD,
    CategoricalPrediction,
    GaussianEncoding,
    GaussianPrediction,
    PointEncoding,
)
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.models._model import Head, Model, Noise, build_model
from paretoib.specs import section_model


def head(
    initial_noise: float = 1.0, classes: int | None = 3, decoder: tuple[int, ...] = ()
) -> Head:
    torch.manual_seed(0)
    target_dim = None if classes else 4
    return Head(2, decoder, classes=classes, target_dim=target_dim, initial_noise=initial_noise)


@pytest.mark.parametrize("name", ["mlp", "resnet18"])
def test_the_default_width_is_that_of_alemi_2017(name: str) -> None:
    """The default width is s = softplus(r − 5), as in the demo of Alemi et al. 2017."""
    raw = torch.tensor([[0.0, 0.0, -30.0, 0.0], [1.0, 2.0, 5.0, 20.0]])
    default = section_model("model", name).model_validate({})["initial_noise"]
    encoding = head(default).encoding(raw)
    assert isinstance(encoding, GaussianEncoding)
    assert torch.equal(encoding.mean, raw[:, :2])
    torch.testing.assert_close(encoding.std, torch.nn.functional.softplus(raw[:, 2:] - 5))


@pytest.mark.parametrize("noise", [1e-6, 0.0067, 1.0, 30.0, 1000.0])
def test_initial_noise_is_the_width_at_r_0(noise: float) -> None:
    """The width s equals `initial_noise` at r = 0, for small and large values."""
    encoding = head(noise).encoding(torch.zeros(1, 4))
    assert isinstance(encoding, GaussianEncoding)
    torch.testing.assert_close(encoding.std, torch.full((1, 2), noise))


def test_every_model_starts_near_its_initial_noise() -> None:
    """Every new model with `initial_noise` has a mean width within a factor 1.5 of this value.

    The inputs are standard normal.
    """
    for name, entry in MODELS.items():
        if entry.sigmoid or entry.local:  # no field `initial_noise`; no encoder
            continue
        shape = (1, 20, 20) if "image" in entry.inputs else (64,)
        torch.manual_seed(0)
        small = {"channels": (4, 6, 8, 10)} if name == "cnn" else {}
        params = section_model("model", name).model_validate({"initial_noise": 0.3} | small).params
        model = build_model(
            name, params, shape=shape, classes=10, target_dim=None, noise="learned"
        ).eval()
        with torch.no_grad():
            encoding = model.head.encoding(model.encoder(torch.randn(16, *shape)))
        assert isinstance(encoding, GaussianEncoding)
        assert 0.2 < float(encoding.std.mean()) < 0.45, name


def test_the_latent_is_reparameterised() -> None:
    """z = m + s · noise, and gradients reach the means m and the widths s."""
    model = head()
    raw, noise = torch.randn(5, 4).requires_grad_(), torch.randn(5, 2)
    output = model(raw, noise)
    torch.testing.assert_close(output.z, output.gaussian.mean + output.gaussian.std * noise)
    assert isinstance(output.prediction, CategoricalPrediction)
    torch.testing.assert_close(output.prediction.logits, model.decoder(output.z))
    output.prediction.nll(torch.zeros(5, dtype=torch.long)).sum().backward()
    assert raw.grad is not None
    assert raw.grad.abs().min() > 0


def test_an_encoder_with_k_outputs_has_no_noise() -> None:
    """If the encoder has K outputs instead of 2K, z is this output for any noise."""
    raw = torch.randn(5, 2)
    output = head()(raw, torch.randn(5, 2))
    assert isinstance(output.encoding, PointEncoding)
    assert torch.equal(output.z, raw)


def build(
    noise: Noise, parameters: dict[str, torch.Tensor] | None = None, **params: object
) -> Model:
    torch.manual_seed(0)
    section = section_model("model", "mlp").model_validate({"latent": 3, **params})
    return build_model(
        "mlp",
        section.params,
        shape=(6,),
        classes=10,
        target_dim=None,
        noise=noise,
        objective_parameters=parameters,
    )


def test_zero_entropy_noise_is_the_same_for_every_code() -> None:
    """The width of zero-entropy noise is always 1/√(2πe): it is not trained.

    `initial_noise` does not change this width.
    """
    model = build("zero_entropy", initial_noise=0.3)
    output = model.head(model.encoder(torch.randn(5, 6)), torch.randn(5, 3))
    torch.testing.assert_close(output.gaussian.std, torch.full((5, 3), ZERO_ENTROPY_STD))
    assert not output.gaussian.std.requires_grad
    assert (output.z != output.gaussian.mean).all()


def test_noise_scale_has_one_learned_width_for_all_codes() -> None:
    """With noise `scale`, all inputs share one width, a parameter of the encoder.

    The width starts at `initial_noise`.
    """
    model = build("scale", initial_noise=0.3)
    width = dict(model.encoder.named_parameters())["width"]
    encoding = model.head.encoding(model.encoder(torch.randn(5, 6)))
    assert isinstance(encoding, GaussianEncoding)
    torch.testing.assert_close(encoding.std, torch.full((5, 3), 0.3))
    assert encoding.mean.std() > 0.01
    (gradient,) = torch.autograd.grad(encoding.std.sum(), width)
    assert gradient.shape == (1,)
    assert gradient.item() > 0.1


def test_the_head_holds_the_parameters_of_the_objective() -> None:
    """The parameters of the objective are in the output and are trained with the head.

    By default there are none.
    """
    start = torch.randn(4, 3)
    model = build("learned", {"mean": start})
    output = model.head(model.encoder(torch.randn(5, 6)), torch.randn(5, 3))
    assert output.objective_parameters.keys() == {"mean"}
    assert torch.equal(output.objective_parameters["mean"], start)
    parameters = dict(model.head.named_parameters()).values()
    assert any(parameter is output.objective_parameters["mean"] for parameter in parameters)
    assert build("learned").head(torch.zeros(2, 6), torch.zeros(2, 3)).objective_parameters == {}


def test_a_continuous_target_has_one_full_covariance() -> None:
    """For any whitening matrix W, q(y|z) is normal with covariance (WᵀW)⁻¹ for all z."""
    model = head(classes=None)
    with torch.no_grad():
        model.whitening.copy_(torch.randn(4, 4))
    z, y = torch.randn(6, 2), torch.randn(6, 4)
    prediction = model.predict(z)
    assert isinstance(prediction, GaussianPrediction)
    whitening = model.whitening.tril(-1) + model.whitening.diagonal().exp().diag()
    exact = MultivariateNormal(model.decoder(z), precision_matrix=whitening.T @ whitening)
    torch.testing.assert_close(prediction.nll(y), -exact.log_prob(y), rtol=1e-4, atol=1e-4)


def test_decoder_has_the_requested_hidden_layers() -> None:
    """The decoder has the requested hidden layers; without hidden layers it is linear."""
    linear, deep = head().decoder, head(decoder=(7, 5)).decoder
    assert [p.shape for p in linear.parameters() if p.ndim > 1] == [(3, 2)]
    assert [p.shape for p in deep.parameters() if p.ndim > 1] == [(7, 2), (5, 7), (3, 5)]


def test_an_unknown_model_is_refused() -> None:
    """The error for an unknown model suggests a similar name."""
    params = section_model("model", "mlp").model_validate({}).params
    with pytest.raises(SpecError, match=r"unknown model: .*found `mpl`; did you mean `mlp`\?"):
        build_model("mpl", params, shape=(3,), classes=2, target_dim=None, noise="learned")
