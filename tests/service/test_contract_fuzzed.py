"""Whatever the OpenAPI contract lets one send, the service answers as the contract says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# The event stream is left out, as it has no end while a sweep runs.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,"
CHECKS += "response_schema_conformance"


@pytest.mark.slow
def test_no_request_is_a_fault_or_answered_otherwise_than_documented(
    serve_cluster: Callable[..., Any], make_sweep: Any, cluster: Any, tmp_path: Path
) -> None:
    """2 000 and more, valid and not: no 5xx, no status, type or body that is not in the contract.

    Ray is there, with one sweep that may run at a time and does.
    """
    program = Path(sys.executable).with_name("st")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    make_sweep(cluster.store, 8, name="to be read")
    settings = {"requests_per_minute": "1000000", "max_running": "1"}
    with serve_cluster(**settings) as served, served.client() as client:
        long = {"method": "vib", "grid": {"beta": [0.1], "epochs": [2000]}}
        assert client.post("/sweeps", json=long).status_code in (202, 429)
        fuzzed = subprocess.run(
            [
                *(program, "run", f"{served.address}/openapi.json"),
                *("--header", f"Authorization: {client.headers['authorization']}"),
                *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing"),
                *("--max-examples", "60", "--request-timeout", "60", "--seed", "1"),
                *("--exclude-path-regex", "/events", "--continue-on-failure", "--workers", "2"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for sweep in client.get("/sweeps?status=running").json()["sweeps"]:
            client.delete(f"/sweeps/{sweep['id']}")
    assert fuzzed.returncode == 0, fuzzed.stdout[-5000:] + fuzzed.stderr[-1000:]
    found = re.search(r"(\d+) generated", fuzzed.stdout)
    assert found is not None
    print(f"{found[1]} requests")
    assert int(found[1]) >= 2000
