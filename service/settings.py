"""How the service is run: environment variables `PARETOIB_SERVICE_*`, or a `.env` file."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from paretoib.errors import ParetoIBError
from paretoib.settings import is_loopback

Scope = Literal["read", "write"]
_TOKEN = re.compile(r"(?P<name>[\w.-]{1,64}):(?P<scopes>read|write|read\+write):(?P<sha256>\S+)")


class Token(BaseModel):
    """Who may come in: a name for the logs, what they may do, the SHA-256 of what they show."""

    model_config = ConfigDict(frozen=True)

    name: str
    scopes: tuple[Scope, ...]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ServiceSettings(BaseSettings):
    """Address, tokens and limits of the service."""

    model_config = SettingsConfigDict(
        env_prefix="PARETOIB_SERVICE_", env_file=".env", extra="ignore", frozen=True
    )

    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8080, ge=0, le=65535, description="port; 0: a free one")
    tokens: Annotated[tuple[Token, ...], NoDecode] = Field(
        (), description="NAME:SCOPES:SHA256, comma-separated; SCOPES: read, write, read+write"
    )
    auth: bool = Field(True, description="off: no token is asked for; on loopback alone")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="names that requests may call the service by, comma-separated",
    )
    ray_jobs: str = Field("http://127.0.0.1:8265", description="address of Ray's Jobs API")
    mlflow_pages: str | None = Field(
        None,
        description="where people reach MLflow's pages, for links; left out: MLflow's own address; "
        "empty: nowhere, so there are no links",
    )
    requests_per_minute: int = Field(1200, ge=1, description="of one token")
    max_body_bytes: int = Field(262_144, ge=1024, description="of a request")
    max_trials: int = Field(2_000, ge=1, description="of a sweep, so also of its grid")
    max_epochs: int = Field(2_000, ge=1, description="of a trial")
    max_axis: int = Field(1_000, ge=1, description="values on one axis of a grid")
    max_running: int = Field(8, ge=1, description="sweeps at a time")
    max_streams: int = Field(200, ge=1, description="open event streams at a time")
    reconcile_seconds: float = Field(20, gt=0, description="between two comparisons with Ray")

    @field_validator("tokens", mode="before")
    @classmethod
    def _tokens(cls, value: object) -> object:
        return [parsed_token(text) for text in _words(value)] if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return _words(value.lower()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if not self.auth and not is_loopback(self.host):
            raise ValueError(
                f"auth: may be off where host is on loopback alone; found host {self.host}"
            )
        if self.auth and not self.tokens:
            raise ValueError("tokens: should be one or more; `python -m service token` makes one")
        return self


def service_settings() -> ServiceSettings:
    """The settings of the environment; `ParetoIBError` in one line for one that cannot be."""
    try:
        return ServiceSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        where = f"setting PARETOIB_SERVICE_{name}: " if name else "service settings: "
        raise ParetoIBError(where + first["msg"].removeprefix("Value error, ")) from error


def parsed_token(text: str) -> dict[str, object]:
    """The parts of `NAME:SCOPES:SHA256`; `ValueError` for what is not that."""
    if not (found := _TOKEN.fullmatch(text)):
        raise ValueError("a token should be NAME:SCOPES:SHA256, SCOPES read, write or read+write")
    return {**found.groupdict(), "scopes": found["scopes"].split("+")}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]
