"""Loads a model file for `mlflow.pyfunc.load_model`. Files in MLflow name this module."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from paretoib.trained._model import TrainedModel

_BATCH = 1024  # inputs per forward pass


class Predictor:
    """Predicts from arrays and data frames, as MLflow's generic model does."""

    def __init__(self, model: "TrainedModel") -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """What `TrainedModel.predict` returns, as an array, or a dict of arrays by task.

        `model_input` is an array (N, *shape), or an array or a data frame with the values of one
        input in each row. `params` may have `samples`.
        """
        import torch

        x = np.asarray(model_input, dtype=np.float32).reshape(-1, *self.model.shape)
        samples = int((params or {}).get("samples", 0))
        with torch.no_grad():
            parts = [
                self.model.predict(part, samples=samples)
                for part in torch.from_numpy(x).split(_BATCH)
            ]
        by_task = zip(*(part if self.model.tasks else (part,) for part in parts), strict=True)
        outputs = [torch.cat(task).numpy() for task in by_task]
        return dict(zip(self.model.tasks, outputs, strict=True)) if self.model.tasks else outputs[0]


def _load_pyfunc(path: str) -> Predictor:
    from paretoib.trained._file import load_model

    return Predictor(load_model(path))
