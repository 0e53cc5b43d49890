"""What is there for those who keep the service running."""

from typing import Any

import anyio
import httpx
import pytest

from service import ServiceSettings, create_app


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_may_ask_for_the_head_alone(filled: Any, path: str) -> None:
    """It is told as much as by GET, without a token."""
    with filled.served.client(None) as stranger:
        whole, head = stranger.get(path), stranger.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_no_client_makes_rows_of_the_metrics(client: httpx.Client) -> None:
    """A path or a method of its own invention is in none of them."""
    client.request("BREW", "/sweeps")
    client.request("BREW", "/a/tea")
    counted = client.get("/metrics").text
    assert 'method="any",route="/sweeps",status="405"' in counted
    assert 'method="any",route="unmatched",status="404"' in counted
    assert "BREW" not in counted
    assert "tea" not in counted


def test_the_contract_is_made_before_the_first_request() -> None:
    """Whoever asks for it first keeps nobody waiting."""
    app = create_app(ServiceSettings(auth=False))

    async def is_made() -> bool:
        # While the turn is taken no store is opened.
        async with app.state.controller.turn, app.router.lifespan_context(app):
            return app.openapi_schema is not None

    assert anyio.run(is_made)
