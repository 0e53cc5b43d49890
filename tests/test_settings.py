"""Settings from environment variables and `.env` files, which other programs use too."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoib.errors import ParetoIBError
from paretoib.settings import Settings, settings
from service.settings import service_settings

TOKEN = f"a:read:{'0' * 64}"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working directory, and no settings in the environment."""
    for name in list(os.environ):
        if name.startswith("PARETOIB_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty value, in the environment or in `.env`, means the default, for every setting.

    An empty environment variable also overrides a value in `.env`.
    """
    defaults = settings()
    Path(".env").write_text("PARETOIB_DATA=\nPARETOIB_WORKERS=\nPARETOIB_SERVER=http://a.example\n")
    for name in Settings.model_fields:
        if name not in ("data", "workers"):
            monkeypatch.setenv(f"PARETOIB_{name.upper()}", "")
    settings.cache_clear()
    assert settings() == defaults


def test_an_empty_setting_of_the_service_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable of the service means the default, with one exception.

    An empty `PARETOIB_SERVICE_MLFLOW_PAGES` means no links to MLflow's pages.
    """
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", TOKEN)
    monkeypatch.setenv("PARETOIB_SERVICE_PORT", "")
    monkeypatch.setenv("PARETOIB_SERVICE_MLFLOW_PAGES", "")
    assert (service_settings().port, service_settings().mlflow_pages) == (8080, "")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in `.env` is the home directory, although no shell expands it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folders = ("STORE", "DATA", "JOURNAL", "CHECKPOINTS")
    Path(".env").write_text("".join(f"PARETOIB_{name}=~/{name}\n" for name in folders))
    found = settings()
    assert [found.store, found.data, found.journal, found.checkpoints] == [
        tmp_path / "home" / name for name in folders
    ]


def test_the_dotenv_file_of_another_program_may_have_any_encoding() -> None:
    """A `.env` file that is not UTF-8 is ignored if it has no setting of paretoib.

    If it has one, the error names the file.
    """
    Path(".env").write_bytes(b"NAME=caf\xe9\n")
    assert settings().server == ""
    Path(".env").write_bytes(b"PARETOIB_SERVER=http://a.example\nNAME=caf\xe9\n")
    settings.cache_clear()
    with pytest.raises(ParetoIBError, match=r"\.env should be UTF-8 text: .* position 41"):
        settings()


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user, which needs root")
def test_an_unreadable_dotenv_file_is_named(tmp_path: Path) -> None:
    """If `.env` cannot be read, the error has its path and the reason."""
    Path(".env").write_text("A=1\n")
    Path(".env").chmod(0)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(ParetoIBError, match=r"cannot read \.env: Permission denied"):
            settings()
    finally:
        os.seteuid(0)


def test_variables_of_kubernetes_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that Kubernetes sets for a Service `paretoib-service` or `paretoib` are ignored.

    A port whose value begins with `tcp://` shows that Kubernetes set the variables. Without such a
    port, the same names are settings.
    """
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", TOKEN)
    monkeypatch.setenv("PARETOIB_SERVICE_PORT", "tcp://10.96.12.34:80")
    found = service_settings()
    assert (found.host, found.port) == ("127.0.0.1", 8080)

    monkeypatch.setenv("PARETOIB_SERVICE_HOST", "10.96.12.34")
    monkeypatch.setenv("PARETOIB_SERVICE_PORT", "80")
    assert (service_settings().host, service_settings().port) == ("10.96.12.34", 80)
    monkeypatch.setenv("PARETOIB_PORT", "tcp://10.96.12.34:80")
    found = service_settings()
    assert (found.host, found.port) == ("127.0.0.1", 8080)


def test_the_default_store_is_not_mlruns() -> None:
    """The default store is not `mlruns`: MLflow takes every folder in `mlruns` for an experiment.

    A store of an earlier version in `mlruns` is still used.
    """
    Path("mlruns/0").mkdir(parents=True)
    Path("mlruns/0/meta.yaml").touch()
    assert settings().store == Path("paretoib-store")
    Path("mlruns/mlflow.db").touch()
    settings.cache_clear()
    assert settings().store == Path("mlruns")
