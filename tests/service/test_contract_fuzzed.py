"""Schemathesis: responses to generated requests match the OpenAPI schema."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCUMENTED = "status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzz(served: Any, folder: Path, checks: str, *options: str) -> int:
    """Send generated requests and check the responses; returns the number of requests.

    The event stream is excluded, because it stays open while a sweep runs.
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
    count = re.search(r"(\d+) generated", fuzzed.stdout)
    assert count is not None
    print(fuzzed.stdout[-2000:])
    return int(count[1])


def test_a_few_requests_to_every_route_get_documented_responses(
    serve: Callable[..., Any], make_sweep: Any, fresh_store: Path, tmp_path: Path
) -> None:
    """No response is a 500, or has a status, content type or body that is not in the schema.

    Ray does not answer here, so a submission gets the documented 503.
    """
    make_sweep(fresh_store, 8, name="to be read")
    with serve(fresh_store, requests_per_minute="1000000") as served:
        options = ("--phases", "fuzzing", "--max-examples", "6")
        requests = fuzz(served, tmp_path, DOCUMENTED, *options)
        with served.client() as client:
            assert 'status="500"' not in client.get("/metrics").text
    assert requests >= 50


@pytest.mark.slow
def test_thousands_of_requests_get_documented_responses(
    serve_cluster: Callable[..., Any], make_sweep: Any, cluster: Any, tmp_path: Path
) -> None:
    """At least 2 000 valid and invalid requests get no 5xx, and only responses in the schema.

    Ray runs. The service allows one running sweep, and one runs during the test.
    """
    make_sweep(cluster.store, 8, name="to be read")
    settings = {"requests_per_minute": "1000000", "max_running": "1"}
    with serve_cluster(**settings) as served, served.client() as client:
        long = {"method": "vib", "grid": {"beta": [0.1], "epochs": [2000]}}
        assert client.post("/sweeps", json=long).status_code in (202, 429)
        phases = ("--phases", "examples,coverage,fuzzing")
        checks = f"not_a_server_error,{DOCUMENTED}"
        requests = fuzz(served, tmp_path, checks, *phases, "--max-examples", "60")
        for sweep in client.get("/sweeps?status=running").json()["sweeps"]:
            client.delete(f"/sweeps/{sweep['id']}")
    assert requests >= 2000
