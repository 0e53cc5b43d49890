"""Health checks, metrics, and the work done at startup."""

from typing import Any

import anyio
import httpx
import pytest

from service import ServiceSettings, create_app


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_health_check_answers_head_requests(sample: Any, path: str) -> None:
    """HEAD of a health check has the same status and length as GET, and needs no token."""
    with sample.served.client(None) as client:
        get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def test_unknown_paths_and_methods_add_no_label_values_to_the_metrics(client: httpx.Client) -> None:
    """The metrics count unknown methods as `any`, and unknown paths as `unmatched`."""
    client.request("BREW", "/sweeps")
    client.request("BREW", "/a/tea")
    metrics = client.get("/metrics").text
    assert 'method="any",route="/sweeps",status="405"' in metrics
    assert 'method="any",route="unmatched",status="404"' in metrics
    assert "BREW" not in metrics
    assert "tea" not in metrics


def test_the_openapi_schema_is_built_at_startup() -> None:
    """The OpenAPI schema exists after the startup, so that no request waits for it."""
    app = create_app(ServiceSettings(auth=False))

    async def is_built() -> bool:
        # While this test holds the limiter, the reconcile loop cannot open a store.
        async with app.state.controller.limiter, app.router.lifespan_context(app):
            return app.openapi_schema is not None

    assert anyio.run(is_built)
