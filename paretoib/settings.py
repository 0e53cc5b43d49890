"""Settings of this machine: environment variables `PARETOIB_*`, or a `.env` file."""

from functools import cache
from ipaddress import ip_address
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from paretoib.errors import ParetoIBError


class Settings(BaseSettings):
    """Settings that depend on the machine. No setting is part of a spec or of a trial key."""

    model_config = SettingsConfigDict(env_prefix="PARETOIB_", env_file=".env", extra="ignore")

    tracking_uri: str = Field(
        default="", description="MLflow's address; empty: SQLite and artifacts in `store`"
    )
    store: Path = Field(default=Path("mlruns"), description="folder of the embedded MLflow store")
    data: Path = Field(default=Path("data"), description="folder of the data sets")
    checkpoints: Path | None = Field(
        default=None,
        description="folder of checkpoints, shared by the workers of all machines; empty: "
        "`checkpoints` in `store`",
    )
    journal: Path | None = Field(
        default=None,
        description="folder of journals; empty: `journal` beside an SQLite store, and "
        "~/.local/state/paretoib for any other store",
    )
    ray_address: str = Field(
        default="", description="a Ray cluster to join; empty: start one on loopback"
    )
    # 0 means one worker for each CPU or GPU. It is only a default; users cannot set 0.
    workers: int = Field(
        default=0,
        ge=1,
        validate_default=False,
        description="worker processes; by default one for each CPU (or GPU)",
    )
    device: str = Field(
        default="", description="torch device of the workers; empty: CUDA if available"
    )
    server: str = Field(
        default="", description="a service to send commands to; empty: the store on this machine"
    )
    token: SecretStr = Field(default=SecretStr(""), description="access token for that service")
    server_patience: float = Field(
        default=60, ge=0, description="seconds to retry while that service is unavailable or full"
    )

    @field_validator("store", "data", "checkpoints", "journal")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is not None and path.is_file():
            raise ValueError("should be a folder, not a file")
        return path


@cache
def settings() -> Settings:
    """The settings of this process, read once; raises `ParetoIBError` for an invalid value."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "PARETOIB_" + ".".join(str(part) for part in first["loc"]).upper()
        rule = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
        raise ParetoIBError(f"setting {name}: {rule}; found {str(first['input'])!r}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
