"""Small packs train with one thread, for any thread setting of torch."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from paretoib.models._model import build_model
from paretoib.specs import SweepSpec
from paretoib.training._stack import stack_models
from paretoib.training._threads import limit_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Set two threads, as in a worker with two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("model", "fields", "trials", "threads"),
    [
        ("mlp", {"hidden": (64, 64)}, 1, 1),
        ("mlp", {"hidden": (64, 64)}, 16, 1),
        ("mlp", {"hidden": (1024, 1024)}, 1, 2),
        ("cnn", {}, 1, 2),
    ],
)
def test_the_number_of_threads_depends_on_the_pack(
    model: str, fields: dict[str, Any], trials: int, threads: int
) -> None:
    """Small models use one thread; others use all. Afterwards the setting is restored."""
    shape = (3, 32, 32) if model == "cnn" else (1, 8, 8)
    options: dict[str, Any] = {
        "shape": shape,
        "classes": 10,
        "target_dim": None,
        "noise": "learned",
    }
    document = {"method": "vib", "data": "cifar10", "model": {"name": model, **fields}}
    spec = SweepSpec.from_document(document).template
    models = [build_model(model, spec.model.params, **options) for _ in range(trials)]
    with limit_threads(spec, stack_models(models)):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2
