"""JSON bodies with a key twice."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"method": "vib", "method": "mib"}', "method"),
        ('{"method": "vib", "grid": {"beta": [1], "beta": [2]}}', "beta"),
    ],
)
def test_a_repeated_key_is_refused(client: httpx.Client, body: str, key: str) -> None:
    """A parser that takes the last value would run another sweep than the first value says."""
    headers = {"Content-Type": "application/json"}
    response = client.post("/sweeps", content=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["detail"] == (
        f"a body should not repeat a key; found the key `{key}` 2 times"
    )
