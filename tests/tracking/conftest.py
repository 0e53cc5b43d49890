import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import Metrics, TrialRecord
from paretoib.specs import SweepSpec, TrialSpec

# As a trial of MIB leaves them.
SERIES, EPOCHS = 12, 50


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's tables and nothing in them."""
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    folder = tmp_path_factory.mktemp("empty")
    MLflowTracker(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    """The folder of a fresh store."""
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
    """MLflow's own client, which sees what a person sees."""
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
    place: int,
    status: str = "finished",
    weighting: Mapping[str, Any] | None = None,
    **training: Any,
) -> TrialRecord:
    """The trial number `place` of a sweep; its numbers tell it from all others."""
    trial = TrialSpec(
        data="digits",
        model="mlp",
        objective="vib",
        weighting=weighting or {"name": "linear", "beta": (place + 1) / 1000},
        training=training,
        seed=2,
    )
    metrics = Metrics(
        examples=360,
        rate_bits=place + 1 / 3,
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
        f"series {j}": tuple(place + e / EPOCHS for e in range(EPOCHS)) for j in range(SERIES)
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
