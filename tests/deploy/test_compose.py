"""docker-compose.yml, .env.example and the Dockerfile hold together, and keep what they should."""

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
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def test_the_file_is_one_of_compose(document: dict[str, Any]) -> None:
    """By the specification's own schema, as Compose 1.29.2 has it (Apache-2.0)."""
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    errors = jsonschema.Draft7Validator(schema).iter_errors(document)
    assert [f"{list(error.path)}: {error.message}" for error in errors] == []


def test_it_has_the_parts_of_a_cluster(services: dict[str, Any]) -> None:
    """Workers on GPUs only when asked for, and the number of the others as .env says."""
    assert set(services) == {"postgres", "mlflow", "ray", "worker", "worker-gpu", "service"}
    assert {name for name, part in services.items() if "profiles" in part} == {"worker-gpu"}
    assert services["worker"]["deploy"]["replicas"] == 2


def test_what_fails_is_noticed_and_started_again(services: dict[str, Any]) -> None:
    """Each part says how it is, and comes back; one that needs another waits until it is well."""
    for part in services.values():
        assert part["restart"] == "unless-stopped"
        assert part["healthcheck"]["test"][0] == "CMD"
        for needed, condition in part.get("depends_on", {}).items():
            assert needed in services
            assert condition == {"condition": "service_healthy"}


def test_only_the_service_is_reached_from_outside(document: dict[str, Any]) -> None:
    """All others are on a network that has no way in or out, and publish no port."""
    networks = document["networks"]
    assert {name for name, network in networks.items() if (network or {}).get("internal")} == {
        "inside"
    }
    for name, part in document["services"].items():
        if name == "service":
            assert part["ports"] == ["127.0.0.1:8080:8080"]
        else:
            assert "ports" not in part
            assert part["networks"] == ["inside"]
        assert part.get("network_mode") is None


def test_no_part_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    """None is privileged; those of our image are no root, and cannot become it."""
    for name, part in services.items():
        assert not {"privileged", "cap_add", "pid", "ipc", "devices", "userns_mode"} & set(part)
        mounts = [volume.partition(":")[0] for volume in part.get("volumes", [])]
        assert all(re.fullmatch(r"[a-z]+", mount) for mount in mounts), "a folder of the host"
        if name != "postgres":
            assert part["cap_drop"] == ["ALL"]
            assert part["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_is_in_the_file(
    read_compose: ReadCompose, filled: dict[str, str], required: set[str]
) -> None:
    """Whatever sounds like a secret comes whole from a variable without a default."""
    assert required == {"POSTGRES_PASSWORD", "RAY_AUTH_TOKEN", "PARETOIB_SERVICE_TOKENS"}
    secret = re.compile(r"PASSWORD|TOKEN|SECRET|KEY|CREDENTIAL")
    for part in read_compose(filled)["services"].values():
        for name, value in part["environment"].items():
            if secret.search(name):
                assert value in {filled[variable] for variable in required}, name
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), "a password in an address"
        assert not any(secret.search(word) for word in part["command"])


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "RAY_AUTH_TOKEN", "PARETOIB_SERVICE_TOKENS"])
def test_nothing_starts_without_its_secrets(
    read_compose: ReadCompose, filled: dict[str, str], name: str
) -> None:
    """An empty one is refused by Compose, which says where to look."""
    with pytest.raises(KeyError, match=rf"{name}: .*\.env\.example"):
        read_compose({**filled, name: ""})


def test_every_variable_is_explained(
    example: dict[str, str | None], variables: set[str], required: set[str]
) -> None:
    """.env.example has what the file speaks of, no more and no less, and no secret's value."""
    assert set(example) == variables
    assert {name for name in required if example[name]} == set()
    lines = (ROOT / ".env.example").read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"\w+=", line):
            assert lines[place - 1].startswith(("#", "WORKERS="))


def test_the_examples_values_are_the_defaults(
    read_compose: ReadCompose, filled: dict[str, str], required: set[str]
) -> None:
    """Someone who fills in the secrets alone gets what the example shows."""
    secrets = {name: filled[name] for name in required}
    assert read_compose(secrets) == read_compose(filled)


def test_what_is_not_yet_in_mlflow_outlives_the_head(services: dict[str, Any]) -> None:
    """The journal lies on a volume."""
    journal = services["ray"]["environment"]["PARETOIB_JOURNAL"]
    targets = [str(volume).split(":")[1] for volume in services["ray"]["volumes"]]
    assert any(journal.startswith(f"{target}/") for target in targets)


def test_the_service_knows_what_it_is_told(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of its variables is a setting, it listens to the network, and it asks for tokens."""
    monkeypatch.chdir(tmp_path)
    given = services["service"]["environment"]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARETOIB_SERVICE_TOKENS", f"me:read+write:{'0' * 64}")
    settings = ServiceSettings()
    known = {f"PARETOIB_SERVICE_{name.upper()}" for name in ServiceSettings.model_fields}
    assert {name for name in given if name.startswith("PARETOIB_SERVICE_")} <= known
    assert settings.auth
    assert str(settings.port) == services["service"]["ports"][0].rpartition(":")[2]
    assert settings.allowed_hosts == ("127.0.0.1", "localhost")
    assert settings.mlflow_pages == "", "MLflow's own address is for the inner network"


def stages() -> dict[str, list[str]]:
    """The Dockerfile: by stage, its instructions, `FROM` first."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("FROM "):
            found[line.split()[-1]] = []
        found[list(found)[-1]].append(line)
    return found


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """By a version, both those that are pulled and the one that ours is made from."""
    for part in services.values():
        assert PINNED.fullmatch(part["image"])
    built = stages()
    bases = {lines[0].split()[1] for lines in built.values()} - set(built)
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = {part["image"] for part in services.values() if "build" in part}
    assert ours == {f"paretoib:{version}-cpu", f"paretoib:{version}-cuda"}


def test_images_are_built_from_the_lock(services: dict[str, Any]) -> None:
    """Each target that is asked for is there, installs by constraints.txt, and runs as no root."""
    built = stages()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for target in {part["build"]["target"] for part in services.values() if "build" in part}:
        installs = [line for line in built[target] if "pip install" in line]
        assert installs
        assert all("--constraint /constraints.txt" in line for line in installs)
        (wanted,) = re.findall(r"\[([\w,]+)\]", "".join(installs))
        assert set(wanted.split(",")) <= set(extras)
        assert "USER paretoib" in built[target][1:]


def test_the_image_has_the_driver_of_mlflows_database(services: dict[str, Any]) -> None:
    """The one that its address names is what the extra installs."""
    address = services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    driver = address.partition("://")[0].partition("+")[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"{driver}-binary" in project["optional-dependencies"]["postgres"]
    assert f"\n{driver}-binary==" in (ROOT / "constraints.txt").read_text()


def test_volumes_belong_to_who_writes_them(document: dict[str, Any]) -> None:
    """Every volume of our image is mounted on a folder that the image has made for its user."""
    (made,) = [line for line in stages()["base"] if "install --directory" in line]
    for part in document["services"].values():
        for volume in part.get("volumes", []):
            name, _, folder = volume.partition(":")
            assert name in document["volumes"]
            if "build" in part:
                assert f" {folder}" in made


def test_nothing_but_the_package_goes_into_the_image() -> None:
    """No .env, no store and no data: what the build sees is named one by one."""
    first, *others = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    allowed = {line.removeprefix("!") for line in others if line.startswith("!")}
    assert allowed == {
        *("constraints.txt", "LICENSE", "README.md", "pyproject.toml"),
        *("jobs", "paretoib", "service"),
    }


def test_the_package_brings_the_services_pages() -> None:
    """Styles, scripts and templates too, which setuptools leaves out unless they are named."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = tools["package-data"].get("service", [])
    found = {path for path in (ROOT / "service").rglob("*.*") if path.suffix not in (".py", ".pyc")}
    packed = {path for pattern in patterns for path in (ROOT / "service").glob(pattern)}
    assert found
    assert found <= packed


def test_kuberay_runs_the_same_image_and_commands(services: dict[str, Any]) -> None:
    """deploy/raycluster.yaml: Ray's options and folders as in docker-compose.yml, with a token."""
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
        ours = {f"--{option}={value}" for option, value in group["rayStartParams"].items()}
        assert ours <= set(services[name]["command"])
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {volume.partition(":")[2] for volume in services[name]["volumes"]}
