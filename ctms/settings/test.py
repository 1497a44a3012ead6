"""Settings for tests: SQLite unless TEST_VAULT_DATABASE_URL names a server, and keys that are no secrets."""

import hashlib
import tempfile
import uuid
from typing import Any

from ctms.settings.base import *  # noqa: F403  settings modules build on one another
from ctms.settings.base import POSTGRESQL_PLANNING, build_logging, env
from ctms.settings.servers import parse_database_url
from ctms.settings.values import parse_origins

SECRET_KEY = hashlib.sha256(b"of tests, and no secret").hexdigest()
FIELD_ENCRYPTION_KEYS: list[str] = ["test:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

_SQLITE = "sqlite://"


def _parse_database(url: str) -> dict[str, Any]:
    if url.startswith(_SQLITE):
        return {"ENGINE": "ctms.core.sqlite", "NAME": url.removeprefix(f"{_SQLITE}/")}
    return parse_database_url(url)


_IN_MEMORY: dict[str, Any] = {"ENGINE": "ctms.core.sqlite", "NAME": ":memory:"}
DATABASES = {"default": env.read("TEST_VAULT_DATABASE_URL", _parse_database, default=_IN_MEMORY)}
if DATABASES["default"]["ENGINE"] == "ctms.core.sqlite":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
    }
    # A file, because the threads of the live server would share one connection to a database in memory, and crash. Its
    # name is never used twice: SQLite would take the log file that a killed run left for this one's.
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.gettempdir()}/vault-tests-{uuid.uuid4()}.sqlite3"}
else:
    DATABASES["default"]["OPTIONS"] = {"options": POSTGRESQL_PLANNING}

# Tests that are about them set their own.
RATE_LIMITS = dict.fromkeys(RATE_LIMITS, None)  # noqa: F405

CELERY_BROKER_URL = env.text("TEST_BROKER_URL", default="memory://")
CELERY_BROKER_TRANSPORT_OPTIONS = {}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CRM_SANDBOX_ORIGINS = env.read("CRM_SANDBOX_ORIGINS", parse_origins, default={})
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = build_logging(renderer="console", level="WARNING")
# One model and one registration, with which the tests show that an object needs nothing else.
INSTALLED_APPS = ["tests.sample", *INSTALLED_APPS]  # noqa: F405

env.judge()
