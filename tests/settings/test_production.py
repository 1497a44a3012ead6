"""Production starts only if the environment has everything that it needs. Each case runs in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from ctms.core.encryption import create_key

pytestmark = pytest.mark.system

SECRET_KEY = hashlib.sha256(b"of these tests").hexdigest()
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "ctms.settings.production",
    "SECRET_KEY": SECRET_KEY,
    "FIELD_ENCRYPTION_KEYS": create_key(key_id="main"),
    "ALLOWED_HOSTS": "vault.example.org",
    "VAULT_BASE_URL": "https://vault.example.org",
    "DATABASE_URL": "postgres://vault:password@127.0.0.1:1/vault",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
PASSED_ON = {"PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV"}


def run_python(
    code: str, *arguments: str, environment: dict[str, str], text: str = ""
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    return subprocess.run(
        [sys.executable, *(["-c", code] if code else []), *arguments],
        env=inherited | environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def read_settings(*names: str, **environment: str) -> list[object]:
    code = (
        "import json, sys; from django.conf import settings; "
        "print(json.dumps([getattr(settings, name) for name in sys.argv[1:]], default=str))"
    )
    done = run_python(code, *names, environment=COMPLETE | environment)
    assert done.returncode == 0, done.stderr
    values: list[object] = json.loads(done.stdout)
    return values


def refuse_to_start(environment: dict[str, str]) -> list[str]:
    """Start the Vault, which must fail, and return the lines that say what is wrong."""
    done = run_python("from django.conf import settings; settings.DEBUG", environment=environment)
    first, *problems, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert first.startswith("The Vault does not start: ")
    assert last.startswith("Correct this in the environment of the process")
    return [problem.removeprefix("  ") for problem in problems]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    environment = COMPLETE | {"SECRET_KEY": "changeme", "ALLOWED_HOSTS": "*", "LOG_LEVEL": "LOUD", "TOTP": "on"}
    del environment["REDIS_URL"]
    assert sorted(line.split(":")[0].split(" is ")[0] for line in refuse_to_start(environment)) == [
        "ALLOWED_HOSTS",
        "LOG_LEVEL",
        "REDIS_URL",
        "SECRET_KEY",
        "TOTP",
    ]


def test_production_starts_with_what_it_needs() -> None:
    values = read_settings("DEBUG", "ALLOWED_HOSTS", "CRM_SANDBOX_ORIGINS", "CELERY_BROKER_URL", "CSRF_TRUSTED_ORIGINS")
    assert values == [False, ["vault.example.org"], {}, "redis://127.0.0.1:1/0", ["https://vault.example.org"]]


def test_no_proxy_is_trusted_unless_it_is_named() -> None:
    """Not even one of the same machine: every program there could choose its address."""
    assert read_settings("TRUSTED_PROXIES") == [[]]


def test_debug_that_is_switched_off_explicitly_is_no_reason_to_refuse() -> None:
    assert read_settings("DEBUG", DEBUG="0", DJANGO_DEBUG="false") == [False]


def test_what_the_database_url_says_about_tls_is_kept_beside_the_time_limits() -> None:
    url = "postgres://vault:password@db.example.org/vault?sslmode=verify-full"
    (databases,) = read_settings("DATABASES", DATABASE_URL=url)
    assert isinstance(databases, dict)
    options = databases["default"]["OPTIONS"]
    assert options["sslmode"] == "verify-full"
    limits = "-c idle_in_transaction_session_timeout=300s -c statement_timeout=300s"
    assert options["options"] == f"{limits} -c jit=off -c random_page_cost=1.1"


def test_django_finds_nothing_to_warn_of_in_a_deployment() -> None:
    done = run_python("", "manage.py", "check", "--deploy", "--fail-level", "WARNING", environment=COMPLETE)
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


def test_a_first_key_is_made_without_database_and_without_any_other_key() -> None:
    done = run_python(
        "", "manage.py", "create_encryption_key", environment={"DJANGO_SETTINGS_MODULE": "ctms.settings.base"}
    )
    assert done.returncode == 0, done.stderr
    assert read_settings("FIELD_ENCRYPTION_KEYS", FIELD_ENCRYPTION_KEYS=done.stdout.strip()) == [[done.stdout.strip()]]
