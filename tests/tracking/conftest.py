import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import Metrics, TrialRecord
from paretoib.specs import SweepSpec, TrialSpec

# The numbers of series and of epochs in a record's history; a trial with MIB has as many.
SERIES, EPOCHS = 12, 50


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    """The folder of a new store, a copy of the empty one."""
    return shutil.copytree(empty_store, tmp_path / "store")


@pytest.fixture
def uri(store: Path) -> str:
    return f"sqlite:///{store}/mlflow.db"


@pytest.fixture
def tracker(uri: str) -> Any:
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    return MLflowTracker(uri)


@pytest.fixture
def client(uri: str) -> Any:
    """MLflow's own client, which reads the data that MLflow's UI shows."""
    from mlflow.tracking.client import MlflowClient

    return MlflowClient(uri)


@pytest.fixture(scope="session")
def spec() -> SweepSpec:
    return SweepSpec.from_document(
        {"method": "vib", "name": "a β grid", "grid": {"beta": "1e-4:1e-1:40"}}
    )


@pytest.fixture(scope="session")
def record() -> Callable[..., TrialRecord]:
    return make_record


def make_record(
    position: int,
    status: str = "finished",
    weighting: Mapping[str, Any] | None = None,
    **training: Any,
) -> TrialRecord:
    """The record of the trial at `position` in a sweep; its values depend on `position`."""
    trial = TrialSpec(
        data="digits",
        model="mlp",
        objective="vib",
        weighting=weighting or {"name": "linear", "beta": (position + 1) / 1000},
        training=training,
        seed=2,
    )
    metrics = Metrics(
        examples=360,
        rate_bits=position + 1 / 3,
        rate_lower_bits=None,
        rate_se_bits=0.1,
        relevance_bits=2.5,
        relevance_se_bits=0.1,
        ceiling_bits=3.3,
        lost_bits=0.8,
        cross_entropy_bits=0.7,
        accuracy=0.9,
    )
    measured = metrics if status == "finished" else None
    history = {
        f"series {j}": tuple(position + e / EPOCHS for e in range(EPOCHS)) for j in range(SERIES)
    }
    return TrialRecord(
        trial=trial.key,
        spec=trial.document,
        status=status,
        reason=None if measured else "the loss was not finite in epoch 7",
        validation=measured,
        test=measured,
        history=history,
        seconds=1.5,
    )
