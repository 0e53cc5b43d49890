"""`paretoib.measure` agrees with what a sweep records of the same trial."""

from collections.abc import Callable, Sequence

import pytest
import torch

import paretoib
from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack


@pytest.mark.parametrize("beta", [0.003, 0.3])
def test_the_arrays_of_a_trained_trial_give_its_record(
    trial: Callable[..., TrialSpec], pack_of: Callable[[Sequence[TrialSpec]], Pack], beta: float
) -> None:
    """Means, widths and predictions of a trial on the test split give the metrics of its record.

    The noise of z differs, and the record's Gaussian is fitted to training latents, so the rates
    agree within four standard errors.
    """
    pack = pack_of([trial("vib", beta=beta, epochs=12)])
    pack.train()
    record = pack.measure()[0]["test"]
    split = pack.dataset.test
    model = pack.stack.model.eval()  # type: ignore[attr-defined]
    with torch.no_grad():
        encoding = model.head.encoding(model.encoder(split.x))
        z = [encoding.sample(torch.randn(encoding.mean.shape)) for _ in range(12)]
        logits = torch.stack([model.head.predict(sample).logits for sample in z])
    predictions = logits.log_softmax(-1)
    found = paretoib.measure(encoding.mean, encoding.std, split.y, predictions=predictions)
    assert found.examples == record.examples
    assert found.ceiling_bits == pytest.approx(record.ceiling_bits)
    assert found.rate_bits == pytest.approx(record.rate_bits, abs=4 * record.rate_se_bits)
    assert found.rate_se_bits == pytest.approx(record.rate_se_bits, rel=0.2)
    assert found.rate_lower_bits == pytest.approx(
        record.rate_lower_bits, abs=4 * found.rate_lower_se_bits + 0.01
    )
    error = record.relevance_se_bits / 3  # twelve samples of each input
    assert found.relevance_bits == pytest.approx(record.relevance_bits, abs=error)
    assert found.relevance_se_bits == pytest.approx(record.relevance_se_bits, rel=0.1)
    assert found.accuracy_sampled == pytest.approx(record.accuracy_sampled, abs=0.02)
    fitted = paretoib.measure(encoding.mean, encoding.std, split.y)
    assert fitted.accuracy is not None
    assert fitted.accuracy > record.accuracy - 0.05
