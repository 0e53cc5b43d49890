"""The folder of an exported model: the model file, its record, an example, MLflow's description."""

import json
import shutil
import tempfile
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version
from typing import IO, Any

import yaml

from paretoib.errors import ParetoIBError, StoreError
from paretoib.records import Metrics, SweepInfo, TrialRecord
from paretoib.specs import short_name
from paretoib.trained._header import (
    CONFIG_FILE,
    FILES,
    MLMODEL_FILE,
    MODEL_FILE,
    README_FILE,
    ModelHeader,
    read_header,
)

# Stored files name this module, so it must keep its name.
_LOADER = "paretoib.trained.pyfunc"

_EXAMPLE = """\
# {name}, trial {trial}

{summary}

```python
import torch

import paretoib

model = paretoib.load_model("{folder}")
x = {inputs}  # five inputs
{encode}
z = model.sample(x)  # one sample of z for each input
p = model.predict(x)  # {prediction} at the mean latent
p = model.predict(x, samples=12)  # the mean of 12 sampled predictions
```

{notes}
"""
_WIDTH = 100  # characters of a line


def write_folder(
    folder: Path, content: IO[bytes], record: TrialRecord, sweep: SweepInfo, *, overwrite: bool
) -> None:
    """Write a model folder: the model file `content`, and files that describe it.

    A folder that has files is refused, unless `overwrite` is set; then the files of a model
    (`FILES`) are replaced, and others stay.

    Raises:
        ParetoIBError: the folder has files, or is a file.
        StoreError: the folder cannot be written.
        DataError: `content` is not a model file.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ParetoIBError(f"{folder} should be a folder; found a file")
        if not overwrite and folder.exists() and any(folder.iterdir()):
            raise ParetoIBError(
                f"{folder} should be a new or an empty folder; found files in it: --overwrite (in "
                "Python overwrite=True) replaces the model there"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The files are written beside the folder first, so that it is complete or unchanged.
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            with Path(scratch, MODEL_FILE).open("w+b") as file:
                shutil.copyfileobj(content, file)
                file.seek(0)
                header = read_header(file, f"the model of trial {record.trial}")
            texts = {
                CONFIG_FILE: _config(header, record, sweep),
                README_FILE: _readme(folder, header, record, sweep),
                MLMODEL_FILE: mlmodel(header),
            }
            for name, text in texts.items():
                Path(scratch, name).write_text(text, encoding="utf-8")
            folder.mkdir(exist_ok=True)
            for name in FILES:
                Path(scratch, name).replace(folder / name)
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror}") from error


def mlmodel(header: ModelHeader, run_id: str | None = None) -> str:
    """The text of the file `MLmodel`, by which MLflow loads the model file beside it.

    MLflow's own `save_model` would import the model in another process, to list its packages, which
    takes seconds. There is no schema of inputs, because MLflow would then refuse data frames.
    """
    outputs = [
        {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, size]}}
        | ({"name": name} if header.tasks else {})
        for name, size in header.outputs.items()
    ]
    samples = {"name": "samples", "type": "long", "default": 0, "shape": None}
    flavor = {"loader_module": _LOADER, "data": MODEL_FILE, "python_version": python_version()}
    document: dict[str, Any] = {
        "flavors": {"python_function": flavor},
        "signature": {"outputs": json.dumps(outputs), "params": json.dumps([samples])},
        "utc_time_created": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}",
        "metadata": {"trial": header.trial, "paretoib_version": header.version},
        **({"run_id": run_id} if run_id else {}),
    }
    return yaml.safe_dump(document, sort_keys=False)


def _config(header: ModelHeader, record: TrialRecord, sweep: SweepInfo) -> str:
    inputs = header.document
    del inputs["spec"], inputs["trial"], inputs["schema"]
    document = {
        "schema": 1,
        "model": inputs,
        "sweep": {name: getattr(sweep, name) for name in ("id", "name", "method", "dataset")},
        "trial": record.document,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _readme(folder: Path, header: ModelHeader, record: TrialRecord, sweep: SweepInfo) -> str:
    low, high = header.input_range
    sizes = ", ".join(map(str, header.shape))
    unit = (low, high) == (0.0, 1.0)
    inputs = f"torch.rand(5, {sizes})"
    if not unit:
        inputs = f"torch.empty(5, {sizes}).uniform_({low:.4g}, {high:.4g})"
    gaussian = header.noise not in ("bernoulli", "categorical")
    encode = "mean, scale = model.encode(x)  # p(z|x) = N(mean, diag scale²)"
    return _EXAMPLE.format(
        name=sweep.name,
        trial=record.trial,
        summary=_summary(header, record, sweep),
        folder=folder,
        inputs=inputs,
        encode=encode if gaussian else "mean, _ = model.encode(x)  # probabilities of z",
        prediction="class probabilities" if header.classes is not None else "the mean of q(y|z)",
        notes=textwrap.fill(
            f"Inputs are tensors (B, {sizes}) with values from {low:.4g} to {high:.4g}, as data "
            f"set `{sweep.dataset}` delivers them. `{CONFIG_FILE}` has the trial's spec and its "
            "metrics on the validation and test splits. `mlflow.pyfunc.load_model` loads this "
            "folder too.",
            _WIDTH,
        ),
    )


def _summary(header: ModelHeader, record: TrialRecord, sweep: SweepInfo) -> str:
    """The trial and its metrics on the test split."""
    weighting = header.spec["weighting"].items()
    fields = [f"{short_name(f'weighting.{k}')}={v}" for k, v in weighting if k != "name"]
    trial = " ".join([*fields, f"seed {header.spec['seed']}"])
    text = (
        f"A model of sweep `{sweep.name}` ({sweep.id}), trained by paretoib {header.version}: "
        f"method {sweep.method} on data set `{sweep.dataset}`, {trial}."
    )
    if record.test:
        text += f" On the test split: {', '.join(_measured(record.test))}."
    return textwrap.fill(text, _WIDTH, break_long_words=False)


def _measured(test: Metrics) -> Iterable[str]:
    if test.accuracy is not None:
        yield f"accuracy {100 * test.accuracy:.1f} %"
    if test.rate_bits is not None:
        yield f"rate {test.rate_bits:.4g} bits"
    yield f"relevance {test.relevance_bits:.4g} bits"
    yield f"lost {test.lost_bits:.4g} bits"
