"""Every error is a problem document that states the rule and the value found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", "/sweeps/", 404, "Not Found"),
        ("GET", "/sweeps/nosuch", 404, "no sweep `nosuch`"),
        ("GET", f"/sweeps/{'0' * 32}", 404, "no sweep `0000"),
        ("GET", "/sweeps/not begun/front", 404, "has no ended trial yet"),
        ("GET", f"/sweeps/a grid of β/trials/{'0' * 16}", 404, "no trial `0000"),
        ("GET", "/sweeps/a grid of β/trials/x", 422, "trial: String should match pattern"),
        (
            "GET",
            "/sweeps/a grid of β/front?format=gif",
            422,
            "format: Input should be 'json'",
        ),
        ("GET", "/sweeps?status=lost", 422, "status: Input should be 'running'"),
        ("GET", "/sweeps?limit=0", 422, "limit: Input should be greater than or equal to 1"),
        ("GET", "/sweeps?offset=-1", 422, "found '-1'"),
        ("GET", "/compare?left=a grid of β", 422, "right: Field required"),
        ("GET", "/compare?left=a grid of β&right=gaussian", 422, "on the same data"),
        ("GET", "/compare?left=a grid of β&right=a grid of β", 422, "named once"),
        ("GET", "/compare?left=not begun&right=gaussian", 404, "has no ended trial yet"),
        ("DELETE", "/sweeps/a grid of β", 422, "sweep: String should match pattern"),
        ("PUT", "/sweeps", 405, "Method Not Allowed"),
        ("POST", "/methods", 405, "Method Not Allowed"),
        ("DELETE", "/sweeps", 405, "Method Not Allowed"),
    ],
)
def test_an_error_is_a_problem_document(
    client: httpx.Client, method: str, path: str, status: int, message: str
) -> None:
    """Errors of routes, parameters and the library are problem documents (RFC 9457)."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:paretoib:problem:")
    assert message in problem["detail"]
    assert "\n" not in problem["detail"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"method": "vip"}, "unknown method: should be one of"),
        ({"method": "vib", "data": "../etc"}, "unknown dataset"),
        ({"method": "vib", "data": {"name": "digits", "path": "/etc"}}, "path: unknown field"),
        ({"data": "npz:/etc/hostname"}, "data: a service runs registered names only; found `npz`"),
        (
            {"data": {"name": "npz", "path": "/etc/hostname", "sha256": "0"}},
            "registered names only",
        ),
        ({"model": {"name": "module", "encoder": "os", "code": "0"}}, "only; found `module`"),
        ({"method": "vib", "model": "os:system"}, "unknown model"),
        ({"method": "vib", "objective": "file:///tmp/o.py"}, "unknown objective"),
        ({"method": "vib", "entrypoint": "sh"}, "entrypoint: unknown field"),
        ({"method": "vib", "env": {"A": "b"}}, "env: unknown field"),
        ({"method": "vib", "training": {"epochs": 0}}, "epochs"),
        ({"method": "imb_greedy", "training": {"epochs": 1}}, "at least 2, the number of layers"),
        ({"method": "vib", "grid": {"nosuch": [1, 2]}}, "unknown field `nosuch`"),
        ({"method": "vib", "grid": {"beta": "high:low"}}, "a range should be"),
        ({"method": "vib", "name": "a\nb"}, "name: should have only printable characters"),
        ({"method": None}, "unknown method"),
        ({"method": ["vib"]}, "unknown method"),
        ({"seeds": "all"}, "seeds"),
        ({"training": 7}, "training"),
    ],
)
def test_an_invalid_sweep_is_rejected_before_it_is_stored(
    client: httpx.Client, document: dict[str, Any], message: str
) -> None:
    """A sweep with an unknown name, an unknown field or an invalid value gets 422.

    Therefore no path, URL, code or environment variable is accepted.
    """
    before = client.get("/sweeps").json()["total"]
    answer = client.post("/sweeps", json=document)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert message in answer.json()["detail"]
    assert client.get("/sweeps").json()["total"] == before


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"vib"', 422),
        (b"\xff\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, 400),
        (b'{"method": NaN}', 422),
        (b'{"reference": [1e999, 1]}', 422),
        (b'{"trials": 1e400}', 422),
        (b'{"trials": 1' + b"0" * 400 + b"}", 422),
        (b'{"training": {"epochs": 1' + b"0" * 400 + b"}}", 422),
        (b'{"grid": {"epochs": [1' + b"0" * 400 + b"]}}", 422),
        (b'{"method": "\\ud800"}', 422),
        (b'{"name": "\\ud800"}', 422),
        (b'{"\\ud800": 1}', 422),
    ],
)
def test_a_malformed_body_is_a_client_error(
    client: httpx.Client, content: bytes, status: int
) -> None:
    """A body that is cut, is no object, is deeply nested or has invalid values gets 400 or 422."""
    answer = client.post("/sweeps", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


def test_a_body_with_another_content_type_is_not_read_as_json(client: httpx.Client) -> None:
    """A body with another content type than JSON gets 422.

    Without a CORS preflight, a page of another origin can send text, but not JSON.
    """
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post(
            "/sweeps", content=b'{"method": "vib"}', headers={"Content-Type": kind}
        )
        assert answer.status_code == 422


def test_a_long_value_is_truncated_in_the_message(client: httpx.Client) -> None:
    """The message of a problem quotes only the beginning of a long value."""
    answer = client.post("/sweeps", json={"method": "x" * 100_000})
    assert answer.status_code == 422
    assert len(answer.text) < 2000


def test_a_request_gets_503_if_mlflow_does_not_answer(
    tmp_path: Path, serve: Callable[..., Any]
) -> None:
    """If MLflow does not answer, the response has Retry-After, and does not have MLflow's address.

    `/readyz` says which component is down.
    """
    with serve(tmp_path, tracking_uri="http://127.0.0.1:9") as served, served.client() as client:
        answer = client.get("/sweeps")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] == "urn:paretoib:problem:store-unavailable"
        assert "127.0.0.1" not in answer.text
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"mlflow": "down", "ray": "down"})
        assert client.get("/methods").status_code == 200
        assert "paretoib_requests_total" in client.get("/metrics").text


def test_a_submission_without_ray_stores_no_sweep(client: httpx.Client) -> None:
    """If Ray does not answer, a submission gets 503, and no sweep is stored.

    Existing sweeps can still be read.
    """
    before = client.get("/sweeps").json()["total"]
    answer = client.post("/sweeps", json={"method": "vib"})
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:paretoib:problem:cluster-unavailable"
    assert client.get("/sweeps").json()["total"] == before
    assert client.get("/readyz").json() == {"mlflow": "ok", "ray": "down"}
