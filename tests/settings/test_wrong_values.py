"""Every variable with wrong values, in one process: each is refused by name, and no secret is quoted."""

from __future__ import annotations

import json

import pytest

from ctms.core.encryption import create_key
from ctms.settings.retention import RETENTION_SETTINGS
from tests.settings.test_production import COMPLETE, SECRET_KEY, run_python

pytestmark = pytest.mark.system

# Loads the settings anew for each case: the environment of production with changes; None unsets a variable.
LOAD_EACH = """
import contextlib, io, json, os, sys
complete, cases = json.load(sys.stdin)
answers = []
for changes in cases:
    os.environ.clear()
    os.environ.update({name: value for name, value in (complete | changes).items() if value is not None})
    for name in [name for name in sys.modules if name.startswith("ctms.settings.")]:
        del sys.modules[name]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            import ctms.settings.production
        code = 0
    except SystemExit as end:
        code = end.code
    from ctms.settings.environment import env
    answers.append([code, said.getvalue(), sorted(env.variables)])
print(json.dumps(answers))
"""
NUMBERS = ["-1", "1.5", "many", "\uff11", "1e3", "9" * 30, "+5"]
FROM_ONE = [*NUMBERS, "0"]
BOOLEANS = ["maybe", "2", "tru"]
HOSTS = [
    "*",
    "*.example.org",
    "https://vault.example.org",
    "vault.example.org/",
    "vault.example.org:443",
    "a b",
    ".org",
]
ADDRESSES = [
    "vault.example.org",
    "ftp://vault.example.org",
    "https://",
    "https://u:canary@vault.example.org",
    "https://h:x",
]
RATES = ["600", "0/minute", "-1/minute", "5/fortnight", "many"]
WRONG: dict[str, list[str]] = {
    "SECRET_KEY": [
        "$canary",
        "canary" * 9,
        f"django-insecure-{SECRET_KEY}",
        "abcdefghijklmnopqrstuvwxyz0123456789" * 2,
        " ",
    ],
    "FIELD_ENCRYPTION_KEYS": ["canary", "main:canary", f"main:{'A' * 43}=", ",", f"{create_key(key_id='a')},canary"],
    "ALLOWED_HOSTS": [*HOSTS, ",", ""],
    "VAULT_BASE_URL": [
        *ADDRESSES,
        "https://other.example.org",
        "http://vault.example.org",
        "https://vault.example.org/?a=1",
    ],
    "CSRF_TRUSTED_ORIGINS": [*ADDRESSES, "https://vault.example.org/path", "*"],
    "DATABASE_URL": [
        "postgres://vault:can#ary@db/vault",
        "postgres://vault:can/ary@db/vault",
        "postgres://vault:can?ary@db/vault",
        "postgres://vault:can ary@db/vault",
        "postgres://vault:canary@db:99999/vault",
        "postgres://vault:canary@db:canary/vault",
        "postgres://vault:canary@[db/vault",
        "postgres://vault:canary@db/",
        "postgres://vault:canary@db",
        "postgres://vault:canary@db/vault?canary=1",
        "mysql://vault:canary@db/vault",
        "sqlite:///canary.sqlite3",
        "$canary",
    ],
    "REDIS_URL": [
        "",
        "canary",
        "amqp://canary@redis/0",
        "redis://:can#ary@redis:6379/0",
        "redis://:can/ary@redis:6379/0",
        "redis://:canary@redis:0/0",
        "redis://:canary@redis:6379/canary",
        "redis:///0",
    ],
    "EMAIL_URL": [
        "canary",
        "http://canary@mail",
        "smtp://user:can#ary@mail:25",
        "smtp://user:canary@mail:70000",
        "dummymail://",
    ],
    "SENTRY_DSN": [
        "canary",
        "https://sentry.example.org/42",
        "https://canary@sentry.example.org/",
        "https://can-ary:canary@sentry.example.org/4 2",
        "ftp://canary@sentry.example.org/42",
        "https://canary@/42",
    ],
    "METRICS_TOKEN": ["canary", "canary" * 8, "0" * 40],
    "DATABASE_POOL_SIZE": FROM_ONE,
    "DATABASE_CONNECT_SECONDS": [*FROM_ONE, "1", "61"],
    "TRUSTED_PROXIES": ["10.0.0.1/24", "proxy", "0.0.0.0/0", "::/0"],
    "LOGIN_FAILURES": [*FROM_ONE, "51"],
    "LOGIN_FAILURES_PER_ADDRESS": [*FROM_ONE, "4"],
    "LOGIN_LOCKOUT_MINUTES": FROM_ONE,
    "TOTP": ["on", "true"],
    "OIDC_ISSUER": [*ADDRESSES, "http://id.example.org"],
    "RATE_LIMIT_LOG_IN": RATES,
    "CORS_ALLOWED_ORIGINS": ["*", "https://app.example.org/", "http://app.example.org"],
    "RATE_LIMIT_API": RATES,
    "RATE_LIMIT_REFUSED_TOKENS": RATES,
    "RATE_LIMIT_EXPORTS": RATES,
    "RATE_LIMIT_CALENDAR_FEEDS": RATES,
    "SECURE_SSL_REDIRECT": BOOLEANS,
    "DEBUG": [*BOOLEANS, "1"],
    "DJANGO_DEBUG": [*BOOLEANS, "true"],
    "CRM_SANDBOX_ORIGINS": ["na.crm.test=http://127.0.0.1:8101"],
    "DEFAULT_FROM_EMAIL": [
        "vault",
        "Vault <vault>",
        "vault@",
        "a@b@c",
        "Vault <vault@example.org>\nBcc: x@example.org",
    ],
    "AUDIT_ANCHOR_RECIPIENTS": ["quality", "quality@example.org;it@example.org", "quality@exa mple.org"],
    "VAULT_VAR_DIR": ["/etc/hostname"],
    "SESSION_IDLE_MINUTES": [*FROM_ONE, "1"],
    "SESSION_LIFETIME_HOURS": FROM_ONE,
    "INVITATION_DAYS": FROM_ONE,
    **{
        name: [*NUMBERS, *([str(fewest - 1)] if fewest > 1 else [])] for name, (_, fewest) in RETENTION_SETTINGS.items()
    },
    "LOG_LEVEL": ["LOUD", "0"],
    "CRM_ALLOWED_HOST_SUFFIXES": [
        "",
        ",",
        "*",
        "com",
        "*.salesforce.com",
        "https://salesforce.com",
        "co.uk",
        "127.0.0.1",
    ],
    "CRM_API_VERSION": ["60", "v60", "latest"],
}
# Any text is right, or Django's own check judges it (audit.E001).
FREE = {
    "VAULT_NAME",
    "VAULT_INSTANCE",
    "BACKUP_FOLDER",
    "PG_BIN",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_NAME",
    "OIDC_SECURITY_PROFILE",
    "AUDIT_VERIFIED_UP_TO",
}


def load_each(cases: list[dict[str, str | None]]) -> list[tuple[int, str, list[str]]]:
    done = run_python(LOAD_EACH, environment={}, text=json.dumps([COMPLETE, cases]))
    assert done.returncode == 0, done.stderr
    return [(code, said, names) for code, said, names in json.loads(done.stdout)]


def test_every_wrong_value_of_every_variable_is_refused_by_name_and_no_secret_is_quoted() -> None:
    cases = [(name, value) for name, values in WRONG.items() for value in values]
    answers = load_each([{name: value} for name, value in cases])
    assert set(WRONG) | FREE == set(answers[0][2]), "a variable has no wrong values here"
    accepted = [case for case, (code, _, _) in zip(cases, answers, strict=True) if code != 1]
    unnamed = [case for case, (_, said, _) in zip(cases, answers, strict=True) if f"\n  {case[0]}" not in said]
    quoted = [case for case, (_, said, _) in zip(cases, answers, strict=True) if "canary" in said]
    assert (accepted, unnamed, quoted) == ([], [], [])


def test_what_is_wrong_together_is_told_together() -> None:
    (code, said, names), *_ = load_each([{name: values[0] for name, values in WRONG.items()}])
    lines = [line.split()[0].rstrip(":") for line in said.splitlines() if line.startswith("  ")]
    assert code == 1
    assert set(lines) == set(WRONG)
    assert len(lines) == len(set(lines)) == len(names) - len(FREE)


@pytest.mark.parametrize(
    "changes",
    [
        {"DATABASE_URL": "postgresql://vault:p%23%2F%3F%40%25@db.example.org/vault?sslmode=verify-full"},
        {"DATABASE_URL": "postgres://vault@%2Fvar%2Frun%2FPostgreSQL/vault"},
        {"DATABASE_URL": "postgres://vault:x@[::1]:5433/vault"},
        {"REDIS_URL": "rediss://user:p%23@redis.example.org:6380/1"},
        {"EMAIL_URL": "smtp+tls://user%40example.org:p%23@mail.example.org:587"},
        {"ALLOWED_HOSTS": ".example.org,10.0.0.1,[::1]"},
        {"RATE_LIMIT_API": "", "LOG_LEVEL": "debug", "LOGIN_FAILURES": "", "TRUSTED_PROXIES": " "},
        {"OIDC_ISSUER": "https://id.example.org/", "OIDC_CLIENT_ID": "vault", "OIDC_CLIENT_SECRET": "$x#"},
        {"SECRET_KEY": f"${SECRET_KEY}"},
        {"DEFAULT_FROM_EMAIL": "vault@localhost", "CRM_ALLOWED_HOST_SUFFIXES": "my.salesforce.com, veeva.com"},
    ],
)
def test_what_is_right_is_accepted(changes: dict[str, str | None]) -> None:
    ((code, said, _),) = load_each([changes])
    assert (code, said) == (0, "")
