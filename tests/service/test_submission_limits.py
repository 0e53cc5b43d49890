"""The settings that limit the size of a sweep, checked before any expensive work."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoib.errors import SpecError
from paretoib.records import SweepState, TrialCounts
from paretoib.specs import SweepSpec
from service import ServiceSettings
from service.limits import check_limits, limited_additions, limited_extension, limited_spec
from service.problems import ProblemError

LIMITS = ServiceSettings(auth=False, max_trials=100, max_epochs=200, max_axis=50)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"trials": 101}, "trials: this service allows at most 100; found 101"),
        ({"trials": "90000"}, "trials: this service allows at most 100; found 90000"),
        ({"trials": 1e5}, "found 100000"),
        ({"seeds": list(range(7))}, "trials: this service allows at most 100; found 112"),
        ({"seeds": list(range(50_000))}, "seeds: this service allows at most 100; found 50000"),
        ({"grid": {"beta": "1e-5:1:51"}}, "grid.beta: this service allows at most 50; found 51"),
        ({"grid": {"beta": [i / 99 for i in range(1, 99)]}}, "grid.beta"),
        ({"grid": {"beta": "1e-5:1:20", "prior_width": "0.1:1:6"}}, "trials: this service allows"),
        (
            {"training": {"epochs": 201}},
            "training.epochs: this service allows at most 200",
        ),
        (
            {"grid": {"epochs": [10, 300]}},
            "at most 200; found 300",
        ),
        ({"search": "random", "space": {"epochs": "10:300"}}, "training.epochs"),
        ({"search": "random", "space": {"beta": list(range(1, 60))}}, "space.beta"),
        ({"grid": {"beta": "&a [1], *a"}}, "should be a range, or values separated by commas"),
        ({"grid": {"beta": "1," * 20_000}}, "should be a range, or values separated by commas"),
    ],
)
def test_a_sweep_above_a_limit_is_rejected(document: dict[str, Any], message: str) -> None:
    """A sweep above a limit gets 422 within a second, because no values are expanded to trials."""
    began = time.perf_counter()
    with pytest.raises(ProblemError) as refused:
        limited_spec({"method": "vib", **document}, LIMITS)
    assert refused.value.status == 422
    assert message in refused.value.detail
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"trials": 100, "training": {"epochs": 200}},
        {"grid": {"beta": "1e-5:1:50"}},
        {"grid": {"epochs": [10, 200]}},
    ],
)
def test_a_sweep_at_a_limit_is_accepted(document: dict[str, Any]) -> None:
    """The default sweep and sweeps at a limit are accepted."""
    assert limited_spec({"method": "vib", **document}, LIMITS).trials <= 100


@pytest.mark.parametrize(
    "document",
    [
        {"grid": {"beta": "[" * 5000}},
        {"grid": {"beta": "1:2"}},
        {"grid": 7},
        {"grid": {"beta": None}},
        {"trials": "many"},
        {"trials": []},
        {"seeds": {"a": 1}},
    ],
)
def test_an_invalid_value_is_rejected_by_validation(document: dict[str, Any]) -> None:
    """A value that the check of limits cannot count is rejected later, with a better message."""
    with pytest.raises((SpecError, ProblemError)) as refused:
        limited_spec({"method": "vib", **document}, LIMITS)
    assert "at most" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "found"),
    [("npz:PATH", "npz"), ({"name": "npz", "path": "PATH"}, "npz"), ({"name": "npz"}, "npz")],
)
def test_a_file_is_refused_before_it_is_read(data: Any, found: str, tmp_path: Path) -> None:
    """The response is the same for a missing and for a present file, which is never opened."""
    details = set()
    for path in (tmp_path / "missing.npz", tmp_path):
        document = json.loads(json.dumps({"data": data}).replace("PATH", str(path)))
        with pytest.raises(ProblemError) as refused:
            limited_spec(document, LIMITS)
        assert (refused.value.status, refused.value.kind) == (422, "not-registered")
        details.add(refused.value.detail)
    assert len(details) == 1
    assert f"registered names only; found `{found}`" in details.pop()


def test_a_stored_sweep_on_a_file_is_not_resumed(tmp_path: Path) -> None:
    """A sweep that a command has begun on this store cannot be resumed by the service."""
    np.savez(tmp_path / "own.npz", x=np.zeros((30, 2)), y=np.arange(30) % 2)
    spec = SweepSpec.from_document({"data": f"npz:{tmp_path}/own.npz"})
    with pytest.raises(ProblemError, match="registered names only; found `npz`"):
        check_limits(spec, LIMITS)


def test_the_spec_of_a_stored_sweep_is_checked_too() -> None:
    """The limits apply to a resume, because another process may have created the sweep."""
    spec = limited_spec({"method": "vib", "trials": 80}, LIMITS)
    check_limits(spec, LIMITS)
    with pytest.raises(ProblemError, match="at most 50"):
        check_limits(spec, LIMITS.model_copy(update={"max_trials": 50}))


def history(before: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"at": "2026-01-01T00:00:00Z", "ended": 1, "before": {"trials": 2, **before}}]


@pytest.mark.parametrize(
    ("additions", "message"),
    [
        ({"seeds": "+999999"}, "seeds: this service allows at most 100; found 999999"),
        ({"seeds": list(range(101))}, "seeds: this service allows at most 100; found 101"),
        ({"trials": "+101"}, "trials: this service allows at most 100; found 101"),
        ({"grid": {"beta": "1e-5:1:51"}}, "grid.beta: this service allows at most 50; found 51"),
        ({"seeds": "+6"}, "trials: this service allows at most 100; found 112"),
        ({"grid": {"epochs": [300]}}, "training.epochs: this service allows at most 200"),
    ],
)
def test_an_extension_above_a_limit_is_rejected(additions: dict[str, Any], message: str) -> None:
    """The limits of a sweep apply to what the body adds, and to the sweep with it."""
    spec = limited_spec({"method": "vib"}, LIMITS)
    state = SweepState(
        id="a" * 32,
        name=spec.name,
        method=spec.method,
        dataset=spec.data.name,
        status="finished",
        spec=spec.document,
        trials=TrialCounts(total=16, finished=16),
        started=datetime.now(UTC),
    )
    with pytest.raises(ProblemError) as refused:
        limited_extension(state, limited_additions(additions, LIMITS), LIMITS)
    assert message in refused.value.detail


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ({"trials": 101}, "trials: this service allows at most 100; found 101"),
        ({"grid": {"beta": "1e-5:1:51"}}, "grid.beta: this service allows at most 50; found 51"),
    ],
)
def test_the_history_in_a_body_is_limited_too(before: dict[str, Any], message: str) -> None:
    """A body may have the spec of an extended sweep, whose earlier stages are validated."""
    with pytest.raises(ProblemError) as refused:
        limited_spec({"method": "vib", "extensions": history(before)}, LIMITS)
    assert message in refused.value.detail
