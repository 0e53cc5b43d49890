"""Where things are on this machine: environment variables `PARETOIB_*`, or a `.env` file."""

from functools import cache
from ipaddress import ip_address
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from paretoib.errors import ParetoIBError


class Settings(BaseSettings):
    """Addresses and folders. Nothing in here changes a result, so nothing of it is in a spec."""

    model_config = SettingsConfigDict(env_prefix="PARETOIB_", env_file=".env", extra="ignore")

    tracking_uri: str = Field(
        default="", description="MLflow's address; empty: SQLite and artefacts in `store`"
    )
    store: Path = Field(default=Path("mlruns"), description="folder of the embedded MLflow store")
    data: Path = Field(default=Path("data"), description="folder of the data sets")
    checkpoints: Path | None = Field(
        default=None,
        description="folder for the states of trials that take long, shared by all workers where "
        "there are several machines; empty: `checkpoints` in `store`",
    )
    journal: Path | None = Field(
        default=None,
        description="folder where trials wait to be written to MLflow; empty: `journal` beside an "
        "SQLite store, for any other in ~/.local/state/paretoib",
    )
    ray_address: str = Field(
        default="", description="a Ray cluster to join; empty: start one on loopback"
    )
    # What stands for the default is not to be given.
    workers: int = Field(
        default=0,
        ge=1,
        validate_default=False,
        description="worker processes; by default one a CPU (or a GPU)",
    )
    device: str = Field(
        default="", description="torch device of the workers; empty: CUDA where there is"
    )
    server: str = Field(
        default="", description="a service that commands go to; empty: the store on this machine"
    )
    token: SecretStr = Field(default=SecretStr(""), description="what that service asks for")
    server_patience: float = Field(
        default=60, ge=0, description="seconds to wait for a service that is away or has no room"
    )

    @field_validator("store", "data", "checkpoints", "journal")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is not None and path.is_file():
            raise ValueError("should be a folder, not a file")
        return path


@cache
def settings() -> Settings:
    """The settings of this process, read once; `ParetoIBError` for a value that cannot be."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "PARETOIB_" + ".".join(str(part) for part in first["loc"]).upper()
        rule = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
        raise ParetoIBError(f"setting {name}: {rule}; found {str(first['input'])!r}") from error


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
