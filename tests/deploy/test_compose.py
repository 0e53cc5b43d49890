"""docker-compose.yml, .env.example, Dockerfile and raycluster.yaml are consistent and secure."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[\w/.-]+:\d+(\.\d+)+[\w.-]*")
ReadCompose = Callable[[Mapping[str, str | None]], dict[str, Any]]


@pytest.fixture(scope="module")
def document(read_compose: ReadCompose, filled: dict[str, str]) -> dict[str, Any]:
    return read_compose(filled)


@pytest.fixture(scope="module")
def services(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = document["services"]
    return services


def test_the_file_matches_the_compose_schema(document: dict[str, Any]) -> None:
    """docker-compose.yml is valid by the schema of Compose 1.29.2 (Apache-2.0)."""
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    errors = jsonschema.Draft7Validator(schema).iter_errors(document)
    assert [f"{list(error.path)}: {error.message}" for error in errors] == []


def test_the_file_has_all_services(services: dict[str, Any]) -> None:
    """GPU workers start only with a profile; .env sets the number of CPU workers."""
    assert set(services) == {"postgres", "mlflow", "ray", "worker", "worker-gpu", "service"}
    assert {name for name, service in services.items() if "profiles" in service} == {"worker-gpu"}
    assert services["worker"]["deploy"]["replicas"] == 2


def test_every_service_has_a_health_check_and_restarts(services: dict[str, Any]) -> None:
    """A service restarts when it ends, and starts when the services that it needs are healthy."""
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        for needed, condition in service.get("depends_on", {}).items():
            assert needed in services
            assert condition == {"condition": "service_healthy"}


def test_only_the_service_is_reached_from_outside(document: dict[str, Any]) -> None:
    """Only `service` publishes a port; the other services are only on the internal network."""
    networks = document["networks"]
    assert {name for name, network in networks.items() if (network or {}).get("internal")} == {
        "inside"
    }
    for name, service in document["services"].items():
        if name == "service":
            assert service["ports"] == ["127.0.0.1:8080:8080"]
        else:
            assert "ports" not in service
            assert service["networks"] == ["inside"]
        assert service.get("network_mode") is None


def test_no_service_has_unneeded_privileges(services: dict[str, Any]) -> None:
    """No container is privileged or mounts a folder of the host.

    Containers of our image cannot gain privileges.
    """
    for name, service in services.items():
        assert not {"privileged", "cap_add", "pid", "ipc", "devices", "userns_mode"} & set(service)
        mounts = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert all(re.fullmatch(r"[a-z]+", mount) for mount in mounts), "a bind mount"
        if name != "postgres":
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_is_in_the_file(
    read_compose: ReadCompose, filled: dict[str, str], required: set[str]
) -> None:
    """Every value whose name looks like a secret comes from a variable without a default."""
    assert required == {"POSTGRES_PASSWORD", "RAY_AUTH_TOKEN", "PARETOIB_SERVICE_TOKENS"}
    secret = re.compile(r"PASSWORD|TOKEN|SECRET|KEY|CREDENTIAL")
    for service in read_compose(filled)["services"].values():
        for name, value in service["environment"].items():
            if secret.search(name):
                assert value in {filled[variable] for variable in required}, name
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), "a password in an address"
        assert not any(secret.search(word) for word in service["command"])


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "RAY_AUTH_TOKEN", "PARETOIB_SERVICE_TOKENS"])
def test_nothing_starts_without_its_secrets(
    read_compose: ReadCompose, filled: dict[str, str], name: str
) -> None:
    """Compose rejects an empty secret with a message that names .env.example."""
    with pytest.raises(KeyError, match=rf"{name}: .*\.env\.example"):
        read_compose({**filled, name: ""})


def test_every_variable_is_in_the_example(
    example: dict[str, str | None], variables: set[str], required: set[str]
) -> None:
    """.env.example has exactly the variables of docker-compose.yml, each with a comment.

    Secrets have no value.
    """
    assert set(example) == variables
    assert {name for name in required if example[name]} == set()
    lines = (ROOT / ".env.example").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+=", line):
            assert lines[number - 1].startswith(("#", "WORKERS="))


def test_the_values_in_the_example_are_the_defaults(
    read_compose: ReadCompose, filled: dict[str, str], required: set[str]
) -> None:
    """A .env with only the secrets gives the same configuration as .env.example."""
    secrets = {name: filled[name] for name in required}
    assert read_compose(secrets) == read_compose(filled)


def test_the_journal_survives_a_new_head(services: dict[str, Any]) -> None:
    """The folder of the journal is on a volume, so a new Ray head has the same journal."""
    journal = services["ray"]["environment"]["PARETOIB_JOURNAL"]
    targets = [str(volume).split(":")[1] for volume in services["ray"]["volumes"]]
    assert any(journal.startswith(f"{target}/") for target in targets)


def test_the_variables_of_the_service_are_settings(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The variables of `service` are settings that require tokens and set the published port."""
    monkeypatch.chdir(tmp_path)
    variables = services["service"]["environment"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"me:read+write:{'0' * 64}")
    settings = ServiceSettings()
    known = {f"PARETOIB_SERVICE_{name.upper()}" for name in ServiceSettings.model_fields}
    assert {name for name in variables if name.startswith("PARETOIB_SERVICE_")} <= known
    assert settings.auth
    assert str(settings.port) == services["service"]["ports"][0].rpartition(":")[2]
    assert settings.allowed_hosts == ("127.0.0.1", "localhost")
    assert settings.mlflow_pages == "", "browsers cannot reach MLflow on the internal network"


def dockerfile_stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, `FROM` first."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("FROM "):
            stages[line.split()[-1]] = []
        stages[list(stages)[-1]].append(line)
    return stages


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Pulled images and the base images in the Dockerfile have an exact version."""
    for service in services.values():
        assert PINNED.fullmatch(service["image"])
    built = dockerfile_stages()
    bases = {lines[0].split()[1] for lines in built.values()} - set(built)
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    built_images = {service["image"] for service in services.values() if "build" in service}
    assert built_images == {f"paretoib:{version}-cpu", f"paretoib:{version}-cuda"}


def test_images_are_built_with_pinned_dependencies(services: dict[str, Any]) -> None:
    """Each build target exists, installs with constraints.txt and does not run as root."""
    built = dockerfile_stages()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for target in {
        service["build"]["target"] for service in services.values() if "build" in service
    }:
        installs = [line for line in built[target] if "pip install" in line]
        assert installs
        assert all("--constraint /constraints.txt" in line for line in installs)
        (wanted,) = re.findall(r"\[([\w,]+)\]", "".join(installs))
        assert set(wanted.split(",")) <= set(extras)
        assert "USER paretoib" in built[target][1:]


def test_the_image_has_the_database_driver_of_mlflow(services: dict[str, Any]) -> None:
    """The extra `postgres` installs the driver that the URI of MLflow's database names."""
    address = services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    driver = address.partition("://")[0].partition("+")[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"{driver}-binary" in project["optional-dependencies"]["postgres"]
    assert f"\n{driver}-binary==" in (ROOT / "constraints.txt").read_text()


def test_volumes_are_writable_for_the_user_of_the_image(document: dict[str, Any]) -> None:
    """Each volume is mounted on a folder that the image creates for its user."""
    (install,) = [line for line in dockerfile_stages()["base"] if "install --directory" in line]
    for service in document["services"].values():
        for volume in service.get("volumes", []):
            name, _, folder = volume.partition(":")
            assert name in document["volumes"]
            if "build" in service:
                assert f" {folder}" in install


def test_only_the_package_is_copied_into_the_image() -> None:
    """The image has no .env, store or data, because .dockerignore lists the allowed files."""
    first, *others = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    allowed = {line.removeprefix("!") for line in others if line.startswith("!")}
    assert allowed == {
        *("constraints.txt", "LICENSE", "README.md", "pyproject.toml"),
        *("jobs", "paretoib", "service"),
    }


def test_the_package_contains_the_files_of_the_pages() -> None:
    """package-data lists the style sheet, the script and the templates of the pages.

    Without this list, setuptools would leave the files out of the package.
    """
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = tools["package-data"].get("service", [])
    files = {path for path in (ROOT / "service").rglob("*.*") if path.suffix not in (".py", ".pyc")}
    packed = {path for pattern in patterns for path in (ROOT / "service").glob(pattern)}
    assert files
    assert files <= packed


def test_kuberay_uses_the_same_image_and_options(services: dict[str, Any]) -> None:
    """deploy/raycluster.yaml has the images, Ray options and mounts of docker-compose.yml.

    The cluster requires a token.
    """
    documents = yaml.safe_load_all((ROOT / "deploy/raycluster.yaml").read_text())
    cluster, policy = documents
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    assert f"ray=={cluster['spec']['rayVersion']}\n" in (ROOT / "constraints.txt").read_text()
    assert policy["spec"]["podSelector"]["matchLabels"]["ray.io/cluster"] == "paretoib"
    (worker,) = cluster["spec"]["workerGroupSpecs"]
    for group, name in ((cluster["spec"]["headGroupSpec"], "ray"), (worker, "worker")):
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"] == services[name]["image"]
        options = {f"--{option}={value}" for option, value in group["rayStartParams"].items()}
        assert options <= set(services[name]["command"])
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {volume.partition(":")[2] for volume in services[name]["volumes"]}
