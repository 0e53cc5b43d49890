"""Settings of the service: environment variables `PARETOIB_SERVICE_*`, or a `.env` file."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from paretoib.settings import EmptyIsDefault, is_loopback, read_settings

_ADDRESS = ("PARETOIB_SERVICE_HOST", "PARETOIB_SERVICE_PORT")

Scope = Literal["read", "write"]
_TOKEN = re.compile(r"(?P<name>[\w.-]{1,64}):(?P<scopes>read|write|read\+write):(?P<sha256>\S+)")


class Token(BaseModel):
    """A client's access token: a name for logs and messages, scopes, SHA-256 of the secret."""

    model_config = ConfigDict(frozen=True)

    name: str
    scopes: tuple[Scope, ...]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ServiceSettings(EmptyIsDefault):
    """Address, tokens and limits of the service."""

    model_config = SettingsConfigDict(
        env_prefix="PARETOIB_SERVICE_", env_file=".env", extra="ignore", frozen=True
    )

    may_be_empty = frozenset({"mlflow_pages"})

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: any free port")
    tokens: Annotated[tuple[Token, ...], NoDecode] = Field(
        (), description="NAME:SCOPES:SHA256, comma-separated; SCOPES: read, write or read+write"
    )
    auth: bool = Field(True, description="off: no token is required; allowed only on loopback")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="accepted names in the Host header, comma-separated",
    )
    ray_jobs: str = Field("http://127.0.0.1:8265", description="address of Ray's Jobs API")
    mlflow_pages: str | None = Field(
        None,
        description="address of MLflow's pages in a browser, for links; unset: MLflow's address in "
        "PARETOIB_TRACKING_URI; empty: no links",
    )
    requests_per_minute: int = Field(
        1200, ge=1, description="largest number of requests a minute for each token"
    )
    max_body_bytes: int = Field(
        262_144, ge=1024, description="largest size of the body of a request, in bytes"
    )
    max_trials: int = Field(2_000, ge=1, description="largest number of trials of a sweep")
    max_epochs: int = Field(2_000, ge=1, description="largest number of epochs of a trial")
    max_axis: int = Field(
        1_000, ge=1, description="largest number of values of one field in a grid or a space"
    )
    max_running: int = Field(
        8, ge=1, description="largest number of sweeps that run at the same time"
    )
    max_streams: int = Field(
        200, ge=1, description="largest number of event streams that are open at the same time"
    )
    reconcile_seconds: float = Field(
        20, gt=0, description="seconds between two comparisons of MLflow's sweeps with Ray's jobs"
    )

    @field_validator("tokens", mode="before")
    @classmethod
    def _parse_tokens(cls, value: object) -> object:
        return [parse_token(text) for text in _split(value)] if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _parse_hosts(cls, value: object) -> object:
        return _split(value.lower()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _require_tokens(self) -> Self:
        if not self.auth and not is_loopback(self.host):
            raise ValueError(
                f"auth: should be on unless host is a loopback address; found host {self.host}"
            )
        if self.auth and not self.tokens:
            raise ValueError(
                "tokens: should have at least one token; `python -m service token NAME` creates one"
            )
        return self


def service_settings() -> ServiceSettings:
    """The settings from the environment; raises `ParetoIBError` for an invalid value."""
    for name in _set_by_kubernetes(os.environ):
        del os.environ[name]
    return read_settings(ServiceSettings)


def _set_by_kubernetes(environment: Mapping[str, str]) -> list[str]:
    """Names of variables that Kubernetes has set for a Service, and that are also our settings.

    For a Service `paretoib-service`, `PARETOIB_SERVICE_PORT` is `tcp://ADDRESS:PORT`. For a Service
    `paretoib`, `PARETOIB_SERVICE_HOST` and `PARETOIB_SERVICE_PORT` are its address and port, and
    `PARETOIB_PORT` is `tcp://ADDRESS:PORT`.
    """
    host, port = (environment.get(name, "") for name in _ADDRESS)
    if environment.get("PARETOIB_PORT") == f"tcp://{host}:{port}":
        return list(_ADDRESS)
    return [_ADDRESS[1]] if port.startswith(("tcp://", "udp://")) else []


def parse_token(text: str) -> dict[str, object]:
    """The fields of a `Token` from `NAME:SCOPES:SHA256`; raises `ValueError`."""
    if not (match := _TOKEN.fullmatch(text)):
        raise ValueError(
            "a token should be NAME:SCOPES:SHA256, with SCOPES read, write or read+write"
        )
    return {**match.groupdict(), "scopes": match["scopes"].split("+")}


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]
