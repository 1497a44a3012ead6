"""What ships beside the code: container image, services, lock files, CI script and the README's promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml
from django.conf import settings
from django.core.management import get_commands
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

import ctms
from ctms.machine import first_admin
from tests import servers

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE_VALUES = {"ALLOWED_HOSTS": "vault.example.org", "VAULT_BASE_URL": "https://vault.example.org"}
MANAGE = re.compile(r"manage\.py (\w+)")
LOCK_FILES = ["requirements.txt", ".ci/requirements-demo.txt", ".ci/requirements-dev.txt"]
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::?(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def read(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def load_compose(*, values: dict[str, str]) -> dict[str, Any]:
    """The services of docker-compose.yml with its variables replaced as Compose does."""

    def replace(match: re.Match[str]) -> str:
        if match["kind"] == "-":
            return values.get(match["name"], match["rest"])
        if not values.get(match["name"]):
            raise LookupError(match["name"])
        return values[match["name"]]

    services: dict[str, Any] = yaml.safe_load(VARIABLE.sub(replace, read("docker-compose.yml")))["services"]
    return services


def make_secrets(folder: Path) -> Path:
    """Make the secrets of docker-compose.yml by the commands of the documents; return their folder."""
    (commands,) = re.findall(r"```sh\n(mkdir -m 0700 secrets.*?)```", read("docs/operations.md"), re.DOTALL)
    subprocess.run(["/bin/sh", "-e", "-c", commands], cwd=folder, check=True)
    return folder / "secrets"


def build_environment(service: dict[str, Any], *, secrets: Path) -> dict[str, str]:
    """The environment of a service; its secrets are in another folder than in the container."""
    return {name: value.replace("/run/secrets", str(secrets)) for name, value in service["environment"].items()}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_secrets(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return load_compose(values=SAMPLE_VALUES)


# -- docker-compose.yml ---------------------------------------------------------------------------
def test_sandbox_and_backup_alone_wait_for_their_profiles(services: dict[str, Any]) -> None:
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "postgres": None,
        "redis": None,
        "migrate": None,
        "web": None,
        "ticks": None,
        "worker": None,
        "transfers": None,
        "live": None,
        "beat": None,
        "backup": ["backup"],
        "sandbox": ["sandbox"],
    }


def test_a_vault_of_ones_own_asks_for_no_value_beforehand() -> None:
    text = read("docker-compose.local.yml")
    kinds = {match["kind"] for match in VARIABLE.finditer(text)}
    service = yaml.safe_load(VARIABLE.sub("given", text))["services"]["vault"]
    assert kinds == {"-"}
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["ports"] == ["127.0.0.1:8010:8010"]
    assert service["command"][:3] == ["python", "manage.py", "vault"]
    assert service["environment"]["VAULT_VAR_DIR"] in str(service["volumes"])


def test_every_service_that_stays_has_a_healthcheck(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["migrate", "backup"]


def test_images_of_others_are_named_by_their_digest(services: dict[str, Any]) -> None:
    of_others = {name: each["image"] for name, each in services.items() if "build" not in each}
    assert set(of_others) == {"postgres", "redis"}
    assert [image for image in of_others.values() if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image)] == []


def test_every_service_has_limits_of_its_own(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert "build" not in service or (service["init"], service["mem_limit"]) == (True, "2g"), name


def test_services_are_given_the_time_that_they_take_to_end(services: dict[str, Any]) -> None:
    graces = {
        name: service["stop_grace_period"] for name, service in services.items() if "stop_grace_period" in service
    }
    workers = dict.fromkeys(("ticks", "worker", "transfers", "live"), "60s")
    assert graces == workers | {"postgres": "60s", "web": "40s", "beat": "30s"}


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
    for name in ("migrate", "web", "ticks", "worker", "transfers", "live", "beat", "backup", "sandbox"):
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_ports_are_published_to_this_host_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:8101:8101", "127.0.0.1:8102:8102"]


def test_every_secret_is_a_file_that_the_documents_make_and_no_value_of_the_environment(
    services: dict[str, Any], secrets: Path
) -> None:
    text = VARIABLE.sub("secrets", read("docker-compose.yml"))
    files = {name: Path(each["file"]).name for name, each in yaml.safe_load(text)["secrets"].items()}
    assert {path.name for path in secrets.iterdir()} == set(files) == set(files.values())
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o444}  # containers have other users
    assert secrets.stat().st_mode & 0o777 == 0o700
    for name, service in services.items():
        named = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        assert named == set(service.get("secrets", [])), name
        assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"}.isdisjoint(service.get("environment", {})), name
    assert "/secrets/" in read(".gitignore").splitlines()


def test_redis_answers_nobody_without_the_password(services: dict[str, Any], secrets: Path, tmp_path: Path) -> None:
    """With the command of the service, on another port and in another folder."""
    (tmp_path / "redis-server").symlink_to(servers.find_redis_program())
    port = servers.find_free_port()
    shell, option, command = services["redis"]["command"]
    command = command.replace("$$", "$").replace("/tmp/", f"{tmp_path}/")  # noqa: S108  that of the container
    command = command.replace("/run/secrets", str(secrets))
    command += f" --bind 127.0.0.1 --port {port}"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen([shell, option, command], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            url = (secrets / "redis_url").read_text().strip().replace("redis:6379", f"127.0.0.1:{port}")
            with redis.Redis.from_url(url, retry=Retry(ConstantBackoff(0.1), 600)) as vault:  # it has to start first
                assert vault.ping()
            once = Retry(NoBackoff(), 0)  # a refusal would be tried again
            with redis.Redis(port=port, retry=once) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
            assert (secrets / "redis_password").read_text() not in " ".join(psutil.Process(server.pid).cmdline())
            assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0
        finally:
            server.kill()


@pytest.mark.parametrize("name", list(SAMPLE_VALUES))
def test_compose_refuses_to_start_without_each_value(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        load_compose(values={key: value for key, value in SAMPLE_VALUES.items() if key != name})


def test_commands_of_manage_py_exist(services: dict[str, Any]) -> None:
    commands = MANAGE.findall("\n".join(" ".join(service.get("command", [])) for service in services.values()))
    assert commands == ["migrate", "grant_application_role", "backup", "crm_sandbox"]
    assert set(commands) <= get_commands().keys()


def test_the_owner_of_the_tables_migrates_and_the_application_uses_another_role(
    services: dict[str, Any], secrets: Path
) -> None:
    urls = {name: service.get("environment", {}).get("DATABASE_URL_FILE") for name, service in services.items()}
    assert {urls[name] for name in ("migrate", "backup")} == {"/run/secrets/owner_database_url"}
    running = {urls[name] for name in ("web", "ticks", "worker", "transfers", "live", "beat")}
    assert running == {"/run/secrets/database_url"}
    owners = [name for name, service in services.items() if "owner_database_url" in service.get("secrets", [])]
    assert owners == ["migrate", "backup"]
    role = (secrets / "application_role_password").read_text()
    assert (secrets / "database_url").read_text().strip() == f"postgres://vault_application:{role}@postgres:5432/vault"


@pytest.mark.parametrize("name", ["migrate", "web", "ticks", "worker", "transfers", "live", "beat", "backup"])
def test_the_environment_of_each_service_passes_the_deployment_check(
    services: dict[str, Any], secrets: Path, name: str
) -> None:
    environment = build_environment(services[name], secrets=secrets) | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.production"
    }
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_each_queue_has_a_worker_of_its_own(services: dict[str, Any]) -> None:
    commands = [" ".join(service.get("command", ())).replace("=", " ") for service in services.values()]
    served = [found for command in commands for found in re.findall(r" worker .*--queues (\S+)", command)]
    assert sorted(served) == sorted(queue.name for queue in settings.CELERY_TASK_QUEUES)


# -- Dockerfile -----------------------------------------------------------------------------------
def list_instructions() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", read("Dockerfile"), flags=re.MULTILINE))
    stages: dict[str, list[tuple[str, str]]] = {}
    for line in filter(str.strip, text.splitlines()):
        name, value = line.split(maxsplit=1)
        if name == "FROM":
            stages[value.split(" AS ")[1]] = []
        else:
            stages[list(stages)[-1]].append((name, value))
    return stages


def test_every_service_is_built_from_a_stage_and_the_default_is_production(services: dict[str, Any]) -> None:
    built = {name: service for name, service in services.items() if "build" in service}
    assert {name: service["build"]["target"] for name, service in built.items()} == {
        "migrate": "vault",
        "web": "vault",
        "ticks": "vault",
        "worker": "vault",
        "transfers": "vault",
        "live": "vault",
        "beat": "vault",
        "backup": "vault",
        "sandbox": "sandbox",
    }
    images = {(service["build"]["target"], service["image"]) for service in built.values()}
    version = ctms.__version__
    assert images == {("vault", f"ctms-vault:{version}"), ("sandbox", f"ctms-vault-sandbox:{version}")}
    assert list(list_instructions())[-1] == "vault"


@pytest.mark.parametrize("stage", ["vault", "sandbox"])
def test_the_image_runs_as_an_unprivileged_user(stage: str) -> None:
    stages = list_instructions()
    assert [value for name, value in stages[stage] if name == "USER"] == ["vault"]
    assert any("useradd --system --uid 10001" in value for name, value in stages["base"] if name == "RUN")


def test_the_image_holds_no_secret_and_no_file_that_is_not_named() -> None:
    instructions = [each for stage in list_instructions().values() for each in stage]
    names = [value for name, value in instructions if name in ("ENV", "ARG")]
    assert re.findall(r"(\w+)=", " ".join(names)) == [
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "DJANGO_SETTINGS_MODULE",
    ]
    sources = {
        source
        for name, value in instructions
        if name in ("COPY", "ADD") and "--from=" not in value
        for source in value.split()[:-1]
    }
    assert sources == {
        "requirements.txt",
        ".ci/requirements-demo.txt",
        "manage.py",
        "gunicorn.conf.py",
        "ctms",
        "connections",
        "exceptions_log",
        "activities",
        "crm_sync",
        "templates",
    }


def test_each_image_installs_nothing_but_what_its_lock_file_pins() -> None:
    installs = {
        stage: re.findall(r"pip install .*?--require-hashes --no-deps -r (\S+)$", value)
        for stage, instructions in list_instructions().items()
        for name, value in instructions
        if name == "RUN" and "install" in value
    }
    assert installs == {"base": ["requirements.txt"], "sandbox": [".ci/requirements-demo.txt"]}


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


def test_development_installs_the_versions_of_production_and_of_the_demonstration() -> None:
    runtime, demonstration, development = (read_pins(path) for path in LOCK_FILES)
    assert runtime.items() < demonstration.items() < development.items()


def test_make_installs_what_is_locked_and_asks_nobody_what_else_there_is() -> None:
    """A newer release of what a package asks for, of which no hash is known, would end the installation."""
    stamps = (".venv/.runtime", ".venv/.demo", ".venv/.development")
    installs = re.findall(r"^.*pip install .*$", run_make("--dry-run", "--always-make", *stamps).stdout, re.MULTILINE)
    assert [command.split()[-1] for command in installs] == LOCK_FILES
    assert all({"--require-hashes", "--no-deps"} <= set(command.split()) for command in installs)


def test_what_is_locked_is_all_that_is_needed() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "No broken requirements found."), done.stdout


def test_lock_files_fulfil_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    runtime, demonstration, development = (read_pins(path) for path in LOCK_FILES)
    asked = [(runtime, text) for text in project["project"]["optional-dependencies"]["vault"]]
    asked += [(demonstration, text) for text in project["project"]["optional-dependencies"]["sandbox"]]
    asked += [(development, text) for text in project["dependency-groups"]["dev"]]
    unfulfilled = [
        text
        for pins, text in asked
        if not (requirement := Requirement(text)).specifier.contains(pins.get(canonicalize_name(requirement.name), ""))
    ]
    assert unfulfilled == []


# -- CI and documents -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("failing", "expected"),
    [("", (0, ["lint", "test"])), ("lint", (3, ["lint"])), ("test", (3, ["lint", "test"]))],
)
def test_continuous_integration_lints_and_tests_and_ends_with_the_first_failure(
    failing: str, expected: tuple[int, list[str]], tmp_path: Path
) -> None:
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$@"\ntest "$*" != "{failing}" || exit 3\n', encoding="utf-8")
    make.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [REPOSITORY / ".ci/run"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()) == expected


def test_jobs_of_the_workflow_and_commands_of_documents_are_targets_of_make() -> None:
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"].values()
    commands = [step["run"].split() for job in jobs for step in job["steps"] if "run" in step]
    assert {command[0] for command in commands} == {"make"}
    named = {command[1] for command in commands}
    for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")):
        named |= set(re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"lint", "demo", "test"} < named
    done = run_make("--dry-run", *sorted(named))
    assert done.returncode == 0, done.stderr


def run_make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def build_audit_report(*packages: dict[str, Any]) -> str:
    return f"print({json.dumps(json.dumps({'dependencies': packages}))})"


FINE = {"name": "celery", "version": "5.7.0", "vulns": []}
SKIPPED = {"name": "redis", "skip_reason": "Dependency not found"}
VULNERABLE = {"name": "django", "version": "5.2.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["5.2.99"]}]}


@pytest.mark.parametrize(
    ("audit", "code", "said"),
    [
        (build_audit_report(FINE), 0, ""),
        (build_audit_report(FINE, VULNERABLE), 1, "django 5.2.0: CVE-2026-1, fixed in 5.2.99\n"),
        (build_audit_report(FINE, SKIPPED), 0, "not audited as far as these are concerned: redis.\n"),
        (build_audit_report(SKIPPED), 0, "cannot be reached from here: the locked packages are not audited.\n"),
        ("raise SystemExit('requests.exceptions.ConnectionError: no route')", 0, "cannot be reached from here"),
        ("raise SystemExit('the lock file is not understood')", 1, "the lock file is not understood"),
    ],
)
def test_a_package_with_a_known_vulnerability_fails_and_unreachable_data_are_told(
    audit: str, code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "pip_audit.py").write_text(audit, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ".ci/audit.py"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == code
    assert said in output
    assert bool(said) == bool(output)


READ_VARIABLES = """
import json
from ctms.settings import production
from ctms.settings.environment import env
print(json.dumps({name: [each.is_required, each.is_secret] for name, each in env.variables.items()}))
"""


def test_the_readme_explains_every_variable_that_is_read_outside_the_tests(
    services: dict[str, Any], secrets: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_VARIABLES],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]} | build_environment(services["web"], secrets=secrets),
        capture_output=True,
        text=True,
        check=True,
    )
    variables = json.loads(done.stdout)
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*)\|", read("README.md"), flags=re.MULTILINE))
    elsewhere = {first_admin.NAME, first_admin.EMAIL, first_admin.PASSWORD, "DJANGO_SETTINGS_MODULE"}
    assert rows.keys() == variables.keys() | elsewhere
    assert [name for name, column in rows.items() if column.startswith("required")] == [
        name for name in rows if variables.get(name, [False])[0]
    ]
    secret_names = {name for name, (_, is_secret) in variables.items() if is_secret}
    said = re.search(r"Each of these may be in a file instead: (.*)\.$", read("README.md"), flags=re.MULTILINE)
    assert said
    assert secret_names | {first_admin.PASSWORD} <= set(re.findall(r"`(\w+)`", said[1]))


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
