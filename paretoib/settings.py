"""Settings of this machine: environment variables `PARETOIB_*`, or a `.env` file."""

from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from paretoib.errors import ParetoIBError

_DOTENV = Path(".env")

S = TypeVar("S", bound=BaseSettings)


def _default_store() -> Path:
    # Earlier versions used `mlruns`. Without `mlflow.db`, that folder is MLflow's own store.
    earlier = Path("mlruns")
    return earlier if (earlier / "mlflow.db").is_file() else Path("paretoib-store")


class EmptyIsDefault(BaseSettings):
    """Settings of which an empty value stands for the default, except those in `may_be_empty`."""

    may_be_empty: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Mapping[str, object]) -> dict[str, object]:
        return {n: value for n, value in values.items() if value != "" or n in cls.may_be_empty}


class Settings(EmptyIsDefault):
    """Settings that depend on the machine. No setting is part of a spec or of a trial key."""

    model_config = SettingsConfigDict(env_prefix="PARETOIB_", env_file=_DOTENV, extra="ignore")

    tracking_uri: str = Field(
        default="", description="MLflow's address; empty: SQLite and artifacts in `store`"
    )
    store: Path = Field(
        default_factory=_default_store, description="folder of the embedded MLflow store"
    )
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
    models_mb: float = Field(
        default=500,
        ge=0,
        allow_inf_nan=False,
        description="largest size of the models of one sweep, in MB; a sweep with larger models "
        "keeps those of the front, the best of each seed and those without a rate; 0: none",
    )
    ray_address: str = Field(
        default="", description="a Ray cluster to join; empty: start one on loopback"
    )
    # 0 means one worker for each CPU or GPU. It is only the default; users cannot set 0.
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

    def checkpoint_folder(self, sweep_id: str) -> Path:
        """The folder of the checkpoints of one sweep."""
        return (self.checkpoints or self.store / "checkpoints") / sweep_id

    @field_validator("store", "data", "checkpoints", "journal")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            path = path.expanduser()
        except RuntimeError as error:
            raise ValueError("should not begin with ~ where there is no home directory") from error
        if path.is_file():
            raise ValueError("should be a folder, not a file")
        return path


@cache
def settings() -> Settings:
    """The settings of this process, read once; raises `ParetoIBError` for an invalid value."""
    return read_settings(Settings)


def read_settings(kind: type[S]) -> S:
    """Read settings from the environment and `.env`; `ParetoIBError` for an invalid value.

    A `.env` that is not UTF-8 text is ignored, unless it contains `PARETOIB_`.
    """
    try:
        return kind()
    except UnicodeDecodeError as error:
        if b"PARETOIB_" in _DOTENV.read_bytes():
            raise ParetoIBError(f"{_DOTENV.absolute()} should be UTF-8 text: {error}") from error
        return kind(_env_file=None)
    except OSError as error:
        raise ParetoIBError(f"cannot read {error.filename}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        prefix = kind.model_config["env_prefix"]
        name = ".".join(str(part) for part in first["loc"]).upper()
        rule = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
        if not name:  # a rule about several settings
            raise ParetoIBError(f"settings {prefix}*: {rule}") from error
        raise ParetoIBError(
            f"setting {prefix}{name}: {rule}; found {str(first['input'])!r}"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
