"""Fixtures that build trials and fronts from made-up numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from paretoib.fronts import build_front
from paretoib.records import ExactCurve, Front, Metrics, ReferencePoint, SweepInfo, TrialRecord

ENTROPY = 3.0


def _metrics(rate: float | None, lost: float, accuracy: float | None) -> Metrics:
    return Metrics(
        examples=100,
        rate_bits=rate,
        rate_lower_bits=None if rate is None else 0.9 * rate,
        rate_se_bits=None if rate is None else 0.01,
        relevance_bits=ENTROPY - lost,
        relevance_se_bits=0.01,
        ceiling_bits=ENTROPY,
        lost_bits=lost,
        cross_entropy_bits=lost,
        accuracy=accuracy,
        accuracy_sampled=0.51,
        accuracy_one_sample=0.49,
    )


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., TrialRecord]:
    """A function that makes a trial at (rate, lost) in bits; only finished trials have metrics.

    Both splits have the same metrics, unless `validation` is the (rate, lost, accuracy) there.
    """

    def make(
        rate: float | None = None,
        lost: float = 1.0,
        *,
        beta: float = 0.1,
        seed: int = 0,
        seconds: float = 1.0,
        name: str = "",
        status: str = "finished",
        accuracy: float | None = 0.5,
        validation: tuple[float, float, float] | None = None,
        **spec: Any,
    ) -> TrialRecord:
        test = _metrics(rate, lost, accuracy)
        finished = status == "finished"
        return TrialRecord(
            trial=name or f"{rate}-{lost}-{beta}-{seed}",
            spec={
                "schema": 1,
                "data": {"name": "digits", "subset": 1.0},
                "model": {"name": "mlp", "hidden": [256, 256]},
                "weighting": {"name": "linear", "beta": beta},
                "training": {"epochs": 50},
                "seed": seed,
            }
            | spec,
            status=status,
            reason=None if finished else "loss was not finite in epoch 3",
            validation=(_metrics(*validation) if validation else test) if finished else None,
            test=test if finished else None,
            seconds=seconds,
        )

    return make


@pytest.fixture(scope="session")
def make_front() -> Callable[..., Front]:
    """A function that builds the front of a sweep with the given trials."""

    def make(
        trials: Sequence[TrialRecord],
        *,
        name: str = "sweep",
        method: str = "vib",
        dataset: str = "digits",
        data: dict[str, Any] | None = None,
        reference: tuple[float, float] = (10.0, ENTROPY),
        exact: ExactCurve | None = None,
    ) -> Front:
        info = SweepInfo(
            id=name,
            name=name,
            method=method,
            dataset=dataset,
            status="finished",
            spec={"data": data or {"name": dataset, "subset": 1.0}},
        )
        corner = ReferencePoint(rate_bits=reference[0], lost_bits=reference[1])
        return build_front(info, trials, reference=corner, label_entropy_bits=ENTROPY, exact=exact)

    return make
