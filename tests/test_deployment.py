"""What ships beside the code: container image, services, lock files, CI script and the README's promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE_VALUES = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "FIELD_ENCRYPTION_KEYS": "2026:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "ALLOWED_HOSTS": "vault.example.org",
    "VAULT_BASE_URL": "https://vault.example.org",
    "POSTGRES_PASSWORD": "abc123",
}
LOCK_FILES = ["requirements.txt", ".ci/requirements-dev.txt"]
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def read(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def load_compose(*, values: dict[str, str]) -> dict[str, Any]:
    """The services of docker-compose.yml with its variables replaced as Compose does."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match["name"], match["rest"] if match["kind"] == "-" else "")
        if not value:
            raise LookupError(match["name"])
        return value

    services: dict[str, Any] = yaml.safe_load(VARIABLE.sub(replace, read("docker-compose.yml")))["services"]
    return services


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return load_compose(values=SAMPLE_VALUES)


# -- docker-compose.yml ---------------------------------------------------------------------------
def test_the_sandbox_alone_waits_for_its_profile(services: dict[str, Any]) -> None:
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "postgres": None,
        "redis": None,
        "migrate": None,
        "web": None,
        "worker": None,
        "beat": None,
        "sandbox": ["sandbox"],
    }


def test_every_service_but_the_migration_has_a_healthcheck(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["migrate"]


def test_services_wait_for_what_can_fulfil_their_condition(services: dict[str, Any]) -> None:
    conditions = {
        (needed, condition["condition"])
        for service in services.values()
        for needed, condition in service.get("depends_on", {}).items()
    }
    assert conditions == {
        ("postgres", "service_healthy"),
        ("redis", "service_healthy"),
        ("migrate", "service_completed_successfully"),
    }


def test_services_of_the_vault_run_without_privileges(services: dict[str, Any]) -> None:
    for name in ("migrate", "web", "worker", "beat", "sandbox"):
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_ports_are_published_to_this_host_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:8101:8101", "127.0.0.1:8102:8102"]


@pytest.mark.parametrize("name", list(SAMPLE_VALUES))
def test_compose_refuses_to_start_without_each_secret(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        load_compose(values={key: value for key, value in SAMPLE_VALUES.items() if key != name})


def test_commands_of_manage_py_exist(services: dict[str, Any]) -> None:
    commands = [service["command"] for service in services.values() if "manage.py" in service.get("command", [])]
    assert [command[2] for command in commands] == ["migrate", "crm_sandbox"]
    assert {command[2] for command in commands} <= get_commands().keys()


@pytest.mark.parametrize("name", ["migrate", "web", "worker", "beat"])
def test_the_environment_of_each_service_passes_the_deployment_check(services: dict[str, Any], name: str) -> None:
    environment = services[name]["environment"] | {"DJANGO_SETTINGS_MODULE": "ctms.settings.production"}
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


# -- Dockerfile -----------------------------------------------------------------------------------
def list_instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", read("Dockerfile"), flags=re.MULTILINE))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_runs_as_an_unprivileged_user() -> None:
    users = [value for name, value in list_instructions() if name == "USER"]
    assert users == ["vault"]
    assert "useradd --system --uid 10001" in read("Dockerfile")


def test_the_image_holds_no_secret_and_no_file_that_is_not_named() -> None:
    names = [value for name, value in list_instructions() if name in ("ENV", "ARG")]
    assert re.findall(r"(\w+)=", " ".join(names)) == [
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "DJANGO_SETTINGS_MODULE",
    ]
    sources = [
        source for name, value in list_instructions() if name in ("COPY", "ADD") for source in value.split()[:-1]
    ]
    assert sources == [
        "requirements.txt",
        "manage.py",
        "ctms",
        "connections",
        "exceptions_log",
        "activities",
        "crm_sync",
        "templates",
    ]


def test_the_image_installs_nothing_but_what_the_lock_file_pins() -> None:
    installs = [value for name, value in list_instructions() if name == "RUN" and "install" in value]
    assert len(installs) == 1
    assert "--require-hashes --no-deps -r requirements.txt" in installs[0]


# -- Lock files -----------------------------------------------------------------------------------
def read_pins(path: str) -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", read(path), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


@pytest.mark.parametrize("path", LOCK_FILES)
def test_lock_files_hold_pins_and_hashes_and_no_address(path: str) -> None:
    assert "://" not in read(path)
    for requirement in re.split(r"\n(?=\S)", read(path).strip()):
        first, *rest = requirement.splitlines()
        assert re.fullmatch(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ; .+)? \\", first), first
        assert rest[0].startswith("    --hash=sha256:"), first
        assert all(re.fullmatch(r"    (--hash=sha256:[0-9a-f]{64}( \\)?|#( .*)?)", line) for line in rest), first


def test_development_installs_the_versions_of_production() -> None:
    runtime, development = (read_pins(path) for path in LOCK_FILES)
    assert {name: development.get(name) for name in runtime} == runtime


def test_make_installs_what_is_locked_and_asks_nobody_what_else_there_is() -> None:
    """A newer release of what a package asks for, of which no hash is known, would end the installation."""
    assert re.search(r"^INSTALL := .* --require-hashes --no-deps$", read("Makefile"), flags=re.MULTILINE)


def test_what_is_locked_is_all_that_is_needed() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "No broken requirements found."), done.stdout


def test_lock_files_fulfil_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    runtime, development = (read_pins(path) for path in LOCK_FILES)
    asked = [(runtime, text) for text in project["project"]["dependencies"]]
    asked += [(development, text) for text in project["dependency-groups"]["dev"]]
    unfulfilled = [
        text
        for pins, text in asked
        if not (requirement := Requirement(text)).specifier.contains(pins.get(canonicalize_name(requirement.name), ""))
    ]
    assert unfulfilled == []


# -- CI and README --------------------------------------------------------------------------------
def test_continuous_integration_lints_and_tests_and_hides_nothing() -> None:
    assert os.access(REPOSITORY / ".ci/run", os.X_OK)
    lines = [line for line in read(".ci/run").splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make lint", "make test"]


def test_the_readme_begins_with_the_two_commands() -> None:
    assert read("README.md").splitlines()[:4] == [
        "```sh",
        "make demo    # see it run",
        "make test    # see it proven",
        "```",
    ]


def test_the_readme_explains_every_variable_that_production_reads() -> None:
    settings = read("ctms/settings/base.py") + read("ctms/settings/production.py")
    variables = set(re.findall(r'env(?:\.\w+)?\(\s*"(\w+)"', settings))
    explained = set(re.findall(r"^\| `(\w+)` \|", read("README.md"), flags=re.MULTILINE))
    assert explained == variables


def test_the_table_of_requirements_names_tests_that_there_are() -> None:
    rows = [line for line in read("docs/requirements.md").splitlines() if re.match(r"\| [A-Z]\d", line)]
    without_test, missing = [], []
    for row in rows:
        requirement = row.split("|")[2].strip()
        files = re.split(r"`(tests/[\w/]+\.py)`", row)[1:]
        named = [
            (path, name)
            for path, names in zip(files[::2], files[1::2], strict=True)
            for name in re.findall(r"`(test_\w+)`", names)
        ]
        if not named:
            without_test.append(requirement)
        missing += [(path, name) for path, name in named if f"def {name}(" not in read(path)]
    assert (without_test, missing) == ([], [])
    assert {row.split("|")[1].strip() for row in rows} >= {
        *(f"B{number}" for number in range(3, 9)),
        *(f"C{number}" for number in range(1, 7)),
        *("R4", "R7", "R9"),
    }
