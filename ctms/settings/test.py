"""Settings for tests: SQLite unless TEST_VAULT_DATABASE_URL names a server, and keys that are no secrets."""

import tempfile
import uuid

from ctms.settings.base import *  # noqa: F403  settings modules build on one another
from ctms.settings.base import POSTGRESQL_PLANNING, build_logging, env

SECRET_KEY = "test-only-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
FIELD_ENCRYPTION_KEYS: list[str] = ["test:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {
    "default": env.db_url_config(env.str("TEST_VAULT_DATABASE_URL", default="sqlite://:memory:")),
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["ENGINE"] = "ctms.core.sqlite"
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

CELERY_BROKER_URL = env.str("TEST_BROKER_URL", default="memory://")
CELERY_BROKER_TRANSPORT_OPTIONS = {}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CRM_SANDBOX_ORIGINS = env.dict("CRM_SANDBOX_ORIGINS", default={})
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = build_logging(renderer="console", level="WARNING")
# One model and one registration, with which the tests show that an object needs nothing else.
INSTALLED_APPS = ["tests.sample", *INSTALLED_APPS]  # noqa: F405
