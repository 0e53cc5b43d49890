"""A sweep in MLflow's UI: URLs, the description of its run, and a saved view of its trials."""

import json
from urllib.parse import urlencode

from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.layout import ACCURACIES, NAMED_FIELDS, fields

_ADAPTIVE_FIELDS = ("model.initial_scale", "training.epochs")
_METRICS = ("rate_bits", "relevance_bits", "lost_bits", *ACCURACIES)


def page(experiment_id: str, run: str = "", **query: str) -> str:
    """The path of an experiment's runs, or of one run's page, below MLflow's address."""
    # Without this parameter, MLflow shows its pages for work on language models.
    parameters = urlencode({"workflowType": "machine_learning", **query})
    return f"#/experiments/{experiment_id}/runs{'/' if run else ''}{run}?{parameters}"


def note(spec: SweepSpec, experiment_id: str, sweep_id: str) -> str:
    """The description of a sweep's run, in Markdown."""
    table = page(experiment_id, viewStateShareKey=sweep_id)
    chart = page(experiment_id, viewStateShareKey=sweep_id, compareRunsMode="CHART")
    front = page(experiment_id, f"{sweep_id}/artifacts/front.html")
    return (
        f"{spec.trials} trials of {spec.method} on {spec.data.name}: "
        f"[front]({front}) · [trials]({table}) · [chart]({chart})"
    )


def view(spec: SweepSpec, sweep_id: str, created_ms: int) -> dict[str, str]:
    """The experiment tag that saves a view: a table of trials, a chart of relevance over rate."""
    present = [f for f in NAMED_FIELDS if f in fields(spec.document)]
    adaptive = _ADAPTIVE_FIELDS if spec.search == "adaptive" else ()
    params = dict.fromkeys([*present, *spec.grid, *adaptive, "seed"])
    section = {
        "uuid": "front",
        "name": "Front",
        "columns": 1,
        "cardHeight": 480,
        "display": True,
        "deleted": False,
        "isGenerated": False,
        "isReordered": False,
    }
    chart = {
        "type": "SCATTER",
        "uuid": "front",
        "metricSectionId": "front",
        "runsCountToCompare": 1000,
        "deleted": False,
        "isGenerated": False,
        "xaxis": {"key": "rate_bits", "type": "METRIC"},
        "yaxis": {"key": "relevance_bits", "type": "METRIC"},
    }
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{sweep_id}'",
        # If runs are ordered by creation, MLflow folds trials into the row of their sweep.
        "orderByKey": "metrics.`rate_bits`",
        "orderByAsc": True,
        "selectedColumns": [
            *(f"params.`{name}`" for name in params),
            *(f"metrics.`{name}`" for name in _METRICS),
        ],
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [chart],
        "compareRunSections": [section],
    }
    saved = {
        "name": f"{spec.name} {sweep_id[:8]}",
        "createdAt": created_ms,
        "updatedAt": created_ms,
        "state": json.dumps(state),
    }
    return {f"mlflow.sharedViewState.{sweep_id}": json.dumps(saved)}
