"""Whatever the OpenAPI contract lets one send, the service answers as the contract says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCUMENTED = "status_code_conformance,content_type_conformance,response_schema_conformance"


def requests_of(served: Any, folder: Path, checks: str, *options: str) -> int:
    """How many requests were made; none failed a check.

    The event stream is left out, as it has no end while a sweep runs.
    """
    program = Path(sys.executable).with_name("st")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    with served.client() as client:
        token = client.headers["authorization"]
    fuzzed = subprocess.run(
        [
            *(program, "run", f"{served.address}/openapi.json", *options),
            *("--header", f"Authorization: {token}", "--checks", checks, "--seed", "1"),
            *("--exclude-path-regex", "/events", "--continue-on-failure", "--workers", "2"),
            *("--request-timeout", "60"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-5000:] + fuzzed.stderr[-1000:]
    found = re.search(r"(\d+) generated", fuzzed.stdout)
    assert found is not None
    print(fuzzed.stdout[-2000:])
    return int(found[1])


def test_a_few_requests_of_every_kind(
    serve: Callable[..., Any], make_sweep: Any, fresh_store: Path, tmp_path: Path
) -> None:
    """No fault, no status, type or body that is not in the contract.

    Ray is away: a submission is answered 503, as documented.
    """
    make_sweep(fresh_store, 8, name="to be read")
    with serve(fresh_store, requests_per_minute="1000000") as served:
        few = ("--phases", "fuzzing", "--max-examples", "6")
        made = requests_of(served, tmp_path, DOCUMENTED, *few)
        with served.client() as client:
            assert 'status="500"' not in client.get("/metrics").text
    assert made >= 50


@pytest.mark.slow
def test_no_request_is_a_fault_or_answered_otherwise_than_documented(
    serve_cluster: Callable[..., Any], make_sweep: Any, cluster: Any, tmp_path: Path
) -> None:
    """2 000 and more, valid and not: no 5xx, no status, type or body that is not in the contract.

    Ray is there, with one sweep that may run at a time and does.
    """
    make_sweep(cluster.store, 8, name="to be read")
    settings = {"requests_per_minute": "1000000", "max_running": "1"}
    with serve_cluster(**settings) as served, served.client() as client:
        long = {"method": "vib", "grid": {"beta": [0.1], "epochs": [2000]}}
        assert client.post("/sweeps", json=long).status_code in (202, 429)
        phases = ("--phases", "examples,coverage,fuzzing")
        checks = f"not_a_server_error,{DOCUMENTED}"
        made = requests_of(served, tmp_path, checks, *phases, "--max-examples", "60")
        for sweep in client.get("/sweeps?status=running").json()["sweeps"]:
            client.delete(f"/sweeps/{sweep['id']}")
    assert made >= 2000
