"""The samples of docs/deploy: their syntax, by the program itself where it is installed, and that they agree."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

import ctms
from tests.imports import ROOT
from tests.settings.test_production import COMPLETE
from tests.test_deployment import SAMPLE_VALUES as VALUES
from tests.test_deployment import load_compose

pytestmark = pytest.mark.system

DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]
KUBERNETES: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes/vault.yaml").read_text()))
QUEUES = {queue.name for queue in settings.CELERY_TASK_QUEUES}
# Directives of systemd that these units use; a slip of the pen would be ignored by systemd with no more than a warning.
DIRECTIVES = set(
    """
    After CapabilityBoundingSet Description Environment EnvironmentFile ExecReload ExecStart Group IOSchedulingClass
    KillMode LimitNOFILE LoadCredential LockPersonality MemoryMax Nice NoNewPrivileges OnCalendar PartOf Persistent
    PrivateDevices PrivateTmp ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs
    ProtectKernelModules ProtectKernelTunables ProtectSystem RandomizedDelaySec ReadWritePaths Restart RestartSec
    RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID SystemCallArchitectures
    SystemCallFilter TimeoutStartSec TimeoutStopSec Type UMask User WantedBy Wants WorkingDirectory
    """.split()  # noqa: SIM905  as they stand in systemd's own manual
)


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def read_unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """The sections of a unit, each with its directives in order."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for line in read(f"systemd/{name}").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            key, separator, value = line.partition("=")
            assert separator, line
            current.append((key, value))
    return sections


def get(name: str, directive: str) -> list[str]:
    return [value for section in read_unit(name).values() for key, value in section if key == directive]


def read_variables() -> set[str]:
    """The variables that the settings read, in production."""
    code = "import json, ctms.settings.production as p; print(json.dumps(sorted(p.env.variables)))"
    environment = {"PATH": os.environ["PATH"], **COMPLETE}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    return set(json.loads(done.stdout))


def list_named() -> dict[str, set[str]]:
    """The variables that each sample sets."""
    environment = "\n".join(value for name in SERVICES for value in get(name, "Environment"))
    (config,) = [each for each in KUBERNETES if each["kind"] == "ConfigMap"]
    return {
        "vault.env": set(re.findall(r"^(\w+)=", read("vault.env"), re.MULTILINE)),
        "systemd": set(re.findall(r"(\w+)=", environment)) - {"WORKER_CONCURRENCY"},
        "kubernetes": set(config["data"]),
    }


# -- That they agree --------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", ["vault.env", "systemd", "kubernetes"])
def test_every_variable_of_a_sample_is_read_by_the_settings(sample: str) -> None:
    known = read_variables() | {"DJANGO_SETTINGS_MODULE"}
    assert {name.removesuffix("_FILE") for name in list_named()[sample]} - known == set()


def test_no_sample_holds_a_secret() -> None:
    secrets = {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "APPLICATION_ROLE_PASSWORD"}
    assert [names & secrets for names in list_named().values()] == [set(), set(), set()]


def test_all_lead_to_the_port_of_gunicorn() -> None:
    known: dict[str, Any] = {}
    exec((ROOT / "gunicorn.conf.py").read_text(), known)  # noqa: S102  a file of our own, as gunicorn reads it
    host, _, port = known["bind"].partition(":")
    assert f"server {host}:{port};" in read("nginx.conf")
    assert f"reverse_proxy {host}:{port} " in read("Caddyfile")
    web = find("Deployment", "vault-web")["containers"][0]
    assert [each["containerPort"] for each in web["ports"]] == [int(port)]
    assert load_compose(values=VALUES)["web"]["ports"] == [f"{known['bind']}:{port}"]
    assert f"--bind 0.0.0.0:{port}" in " ".join(web["command"])
    # Who ends the web server waits longer than it waits for requests.
    assert known["graceful_timeout"] < int(get("vault-web.service", "TimeoutStopSec")[0])
    assert known["graceful_timeout"] < find("Deployment", "vault-web")["terminationGracePeriodSeconds"]


def test_proxies_pass_on_what_the_vault_takes_and_says_itself_what_it_does_not() -> None:
    largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, 16 * 1024 * 1024
    for text, pattern in (
        (read("nginx.conf"), r"client_max_body_size (\d+)m;"),
        (read("Caddyfile"), r"max_size (\d+)MB"),
        (read("kubernetes/vault.yaml"), r"proxy-body-size: (\d+)m"),
    ):
        (megabytes,) = re.findall(pattern, text)
        assert int(megabytes) * 1_000_000 > max(largest)


def test_nginx_hands_on_host_scheme_and_address() -> None:
    headers = dict(re.findall(r"proxy_set_header (\S+) (\S+);", read("nginx.conf")))
    assert headers["Host"] == "$host"
    assert headers["X-Forwarded-Proto"] == "$scheme"
    assert headers["X-Forwarded-For"] == "$proxy_add_x_forwarded_for"
    assert "$request " not in read("nginx.conf")
    assert "$args" not in read("nginx.conf")


def test_each_queue_has_a_worker_everywhere() -> None:
    target = " ".join(get("vault.target", "Wants"))
    assert set(re.findall(r"vault-worker@(\w+)\.service", target)) == QUEUES
    commands = [" ".join(find("Deployment", name)["containers"][0]["command"]) for name in list_deployments()]
    assert {queue for command in commands for queue in re.findall(r"--queues=(\S+)", command)} == QUEUES
    # Else a line of their log would not be one of JSON.
    assert [each for each in commands if each.startswith("celery") and "--quiet" not in each] == []


def test_commands_of_the_samples_exist() -> None:
    text = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    named = set(re.findall(r"manage\.py (\w+)", text))
    assert {"migrate", "grant_application_role"} <= named
    assert named - get_commands().keys() == set()


# -- systemd ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", UNITS)
def test_units_use_directives_that_there_are(name: str) -> None:
    assert {key for section in read_unit(name).values() for key, _ in section} <= DIRECTIVES


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened_and_run_as_vault(name: str) -> None:
    for directive, value in {
        "User": "vault",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "EnvironmentFile": "/etc/vault/vault.env",
    }.items():
        assert value in get(name, directive), directive


def test_workers_and_web_server_end_themselves_what_they_started() -> None:
    """With systemd's own way, SIGTERM to all, the processes that run tasks would die in the middle."""
    for name in ("vault-web.service", "vault-worker@.service"):
        assert get(name, "KillMode") == ["mixed"]


def test_the_owner_of_the_tables_is_known_to_migrations_and_backups_alone() -> None:
    owners = [name for name in SERVICES if "owner_database_url" in read(f"systemd/{name}")]
    assert owners == ["vault-backup.service", "vault-migrate.service"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    for name in UNITS:
        text = re.sub(r"/srv/vault/current/\.venv/bin/\w+", "/bin/true", read(f"systemd/{name}"))
        text = text.replace("User=vault\nGroup=vault", "User=daemon\nGroup=daemon")
        (tmp_path / name).write_text(text.replace("/srv/vault/current", "/"))
    if program is None:
        return  # test_units_use_directives_that_there_are holds what can be held without it
    names = [name.replace("@.", "@ticks.") for name in UNITS]
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", *names],
        cwd=tmp_path,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "vault" in line]
    assert told == []


# -- Proxies, logs, PgBouncer -----------------------------------------------------------------------
def test_braces_and_ends_of_the_proxies_configurations_are_right() -> None:
    for name in ("nginx.conf", "Caddyfile", "logrotate"):
        lines = [line for line in read(name).splitlines() if not line.strip().startswith("#")]
        assert "\n".join(lines).count("{") == "\n".join(lines).count("}")
    statements = [line.strip() for line in read("nginx.conf").splitlines()]
    assert [s for s in statements if s and not s.startswith("#") and s[-1] not in ";{}"] == []


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        return  # as above
    for part in ("fullchain.pem", "privkey.pem"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vault.example.org"]
        command += ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
        if not (tmp_path / part).exists():
            subprocess.run(command, check=True, capture_output=True)
    site = read("nginx.conf").replace("/etc/vault/tls", str(tmp_path)).replace("/var/log/nginx", str(tmp_path))
    (tmp_path / "site.conf").write_text(site)
    whole = f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    done = subprocess.run(
        [program, "-t", "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_caddy_takes_its_configuration(tmp_path: Path) -> None:
    program = shutil.which("caddy")
    if program is None:
        return  # as above
    (tmp_path / "Caddyfile").write_text(read("Caddyfile").replace("/var/log/caddy", str(tmp_path)))
    done = subprocess.run(
        [program, "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_logrotate_takes_its_configuration(tmp_path: Path) -> None:
    program = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin")
    if program is None:
        return  # as above
    (tmp_path / "vault").write_text(read("logrotate").replace("/var/log/nginx", str(tmp_path)))
    done = subprocess.run(
        [program, "--debug", "--state", str(tmp_path / "state"), str(tmp_path / "vault")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error" not in done.stderr.lower(), done.stderr


def test_pgbouncer_keeps_sessions_and_the_role_gets_what_it_does_not_hand_on() -> None:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",))
    parser.read_string(read("pgbouncer.ini"))
    assert parser["pgbouncer"]["pool_mode"] == "session"
    assert "options" in parser["pgbouncer"]["ignore_startup_parameters"].split(",")
    from ctms.settings.database import DATABASE_TRANSACTION_SECONDS, POSTGRESQL_PLANNING  # noqa: PLC0415

    asked = [*re.findall(r"-c (\w+)=(\S+)", POSTGRESQL_PLANNING)]
    asked += [
        (f"{name}_timeout", f"'{DATABASE_TRANSACTION_SECONDS}s'")
        for name in ("statement", "idle_in_transaction_session")
    ]
    told = dict(re.findall(r"SET (\w+) = (\S+);", read("pgbouncer.ini")))
    assert told == dict(asked)


# -- Kubernetes -------------------------------------------------------------------------------------
def list_deployments() -> list[str]:
    return [each["metadata"]["name"] for each in KUBERNETES if each["kind"] == "Deployment"]


def find(kind: str, name: str) -> dict[str, Any]:
    """The specification of the pods of a Deployment or Job."""
    (found,) = [each for each in KUBERNETES if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    pods: dict[str, Any] = found["spec"]["template"]["spec"]
    return pods


def list_pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in KUBERNETES if each["kind"] in ("Deployment", "Job")]


def test_pods_run_without_privileges_and_with_limits() -> None:
    for pod in list_pods():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert container["image"] == f"ctms-vault:{ctms.__version__}"


def test_probes_ask_the_addresses_of_probes() -> None:
    web = find("Deployment", "vault-web")["containers"][0]
    paths = {kind: web[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_selectors_find_the_pods_that_they_mean() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in KUBERNETES if each["kind"] == "Deployment"]
    for each in KUBERNETES:
        selector = each.get("spec", {}).get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert [found for found in labels if wanted.items() <= found.items()] == [wanted]


def test_the_job_is_named_for_the_version_and_migrates_as_the_owner() -> None:
    name = f"vault-migrate-{ctms.__version__}"
    (volume,) = [each for each in find("Job", name)["volumes"] if each["name"] == "secrets"]
    assert volume["secret"]["secretName"] == "vault-owner"
    others = [pod for pod in list_pods() if pod is not find("Job", name)]
    assert {each["secret"]["secretName"] for pod in others for each in pod["volumes"] if "secret" in each} == {"vault"}
