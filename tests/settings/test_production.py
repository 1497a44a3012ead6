"""Production starts only if the environment has everything that it needs. Each case runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ctms.core.encryption import create_key

pytestmark = pytest.mark.system

SECRET_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
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


def run_python(code: str, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    return subprocess.run(
        [sys.executable, *(["-c", code] if code else []), *arguments],
        env=inherited | environment,
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


def refuse_to_start(environment: dict[str, str]) -> str:
    """Start the Vault, which must fail, and return the last line that an operator sees."""
    done = run_python("from django.conf import settings; settings.DEBUG", environment=environment)
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1].removeprefix("django.core.exceptions.ImproperlyConfigured: ")


MAKE_A_KEY = "Make one with `manage.py create_encryption_key --settings ctms.settings.base`."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SECRET_KEY": None}, "Set the SECRET_KEY environment variable"),
        ({"FIELD_ENCRYPTION_KEYS": None}, "Set the FIELD_ENCRYPTION_KEYS environment variable"),
        ({"ALLOWED_HOSTS": None}, "Set the ALLOWED_HOSTS environment variable"),
        ({"DATABASE_URL": None}, "Set the DATABASE_URL environment variable"),
        ({"REDIS_URL": None}, "Set the REDIS_URL environment variable"),
        ({"CRM_API_VERSION": "60"}, "CRM_API_VERSION is '60': write v and a version, such as v60.0."),
        (
            {"TRUSTED_PROXIES": "127.0.0.1,10.0.0.1/24"},
            (
                "TRUSTED_PROXIES: 10.0.0.1/24 has host bits set. Name addresses or networks, e.g. 10.0.0.5 or "
                "10.1.0.0/24, separated by commas."
            ),
        ),
        (
            {"OIDC_ISSUER": "https://id.example.org"},
            "OIDC_ISSUER is set: give OIDC_CLIENT_ID and OIDC_CLIENT_SECRET as well.",
        ),
        (
            {"OIDC_ISSUER": "http://id.example.org", "OIDC_CLIENT_ID": "vault", "OIDC_CLIENT_SECRET": "x"},
            "OIDC_ISSUER must be an https address: what it says lets people in.",
        ),
        ({"TOTP": "on"}, "TOTP is 'on': write off, optional or required."),
        (
            {"RATE_LIMIT_API": "600"},
            "RATE_LIMIT_API: '600' is no rate: write e.g. 60/minute (second, minute, hour or day), or nothing.",
        ),
        (
            {"LOGIN_FAILURES": "0"},
            (
                "LOGIN_FAILURES must be 1 or more, LOGIN_FAILURES_PER_ADDRESS at least as many, and "
                "LOGIN_LOCKOUT_MINUTES 1 or more: without them, passwords can be guessed."
            ),
        ),
        ({"VAULT_BASE_URL": None}, "Set the VAULT_BASE_URL environment variable"),
        (
            {"VAULT_BASE_URL": "http://vault.example.org"},
            "VAULT_BASE_URL must be the https address of the Vault: records in the CRM link to it.",
        ),
        ({"SECRET_KEY": ""}, "SECRET_KEY is a default or too weak: give at least 50 random characters."),
        ({"SECRET_KEY": SECRET_KEY[:49]}, "SECRET_KEY is a default or too weak: give at least 50 random characters."),
        ({"SECRET_KEY": "changeme" * 10}, "SECRET_KEY is a default or too weak: give at least 50 random characters."),
        (
            {"SECRET_KEY": f"django-insecure-{SECRET_KEY}"},
            "SECRET_KEY is a default or too weak: give at least 50 random characters.",
        ),
        ({"FIELD_ENCRYPTION_KEYS": ""}, f"FIELD_ENCRYPTION_KEYS is empty. {MAKE_A_KEY}"),
        (
            {"FIELD_ENCRYPTION_KEYS": "changeme"},
            f"FIELD_ENCRYPTION_KEYS: entry 1 is not `id:base64` of 32 bytes. {MAKE_A_KEY}",
        ),
        (
            {"FIELD_ENCRYPTION_KEYS": f"main:{'A' * 43}="},
            f"FIELD_ENCRYPTION_KEYS: the key 'main' is not random. {MAKE_A_KEY}",
        ),
        ({"DEBUG": "1"}, "DEBUG is on: error pages would show data. Unset it in production."),
        ({"DJANGO_DEBUG": "true"}, "DJANGO_DEBUG is on: error pages would show data. Unset it in production."),
        (
            {"CRM_SANDBOX_ORIGINS": "na.crm.test=http://127.0.0.1:8101"},
            "CRM_SANDBOX_ORIGINS is set: it bypasses the address check. Unset it in production.",
        ),
        (
            {"DATABASE_URL": "sqlite:///vault.sqlite3"},
            "DATABASE_URL must name a PostgreSQL database (postgres://user:password@host/name).",
        ),
    ],
)
def test_production_refuses_to_start_and_says_what_to_set(changes: dict[str, str | None], message: str) -> None:
    environment = {name: value for name, value in (COMPLETE | changes).items() if value is not None}
    assert refuse_to_start(environment) == message


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
