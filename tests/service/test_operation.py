"""What is there for those who keep the service running."""

from typing import Any

import httpx
import pytest


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
