"""A sweep in MLflow's UI: URLs, the description of its run, and a saved view of its trials."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.layout import ACCURACIES, NAMED_FIELDS, fields
from paretoib.tracking._mlflow.runs import StoredRun
from paretoib.tracking._tracker import Tags

_DESCRIPTION = "mlflow.note.content"
# The line that `description` writes last.
_LINKS = re.compile(r"\d+ trials of \S+ on \S+: \[front\]\(#/.*\) · \[chart\]\(#/[^()]*\)\s*$")
_ADAPTIVE_FIELDS = ("model.initial_scale", "training.epochs")
_METRICS = ("rate_bits", "relevance_bits", "lost_bits", *ACCURACIES)


def page(experiment_id: str, run: str = "", **query: str) -> str:
    """The path of an experiment's runs, or of one run's page, below MLflow's address."""
    # Without this parameter, MLflow shows its pages for work on language models.
    parameters = urlencode({"workflowType": "machine_learning", **query})
    return f"#/experiments/{experiment_id}/runs{'/' if run else ''}{run}?{parameters}"


def note_of(tags: Tags) -> str:
    """The note of a sweep: the description of its run without the line of links."""
    return _LINKS.sub("", tags.get(_DESCRIPTION, "")).strip()


def description(run: StoredRun, spec: Mapping[str, Any], note: str | None = None) -> dict[str, str]:
    """The tag with the description of a sweep's run, in Markdown: a note, and a line of links.

    `spec` is the sweep's spec as JSON values. By default the run keeps its note.
    """
    note = note_of(run.tags) if note is None else note
    experiment_id = run.experiment_id
    table = page(experiment_id, viewStateShareKey=run.id)
    chart = page(experiment_id, viewStateShareKey=run.id, compareRunsMode="CHART")
    front = page(experiment_id, f"{run.id}/artifacts/front.html")
    links = (
        f"{spec['trials']} trials of {spec['method']} on {spec['data']['name']}: "
        f"[front]({front}) · [trials]({table}) · [chart]({chart})"
    )
    return {_DESCRIPTION: f"{note}\n\n{links}" if note else links}


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
