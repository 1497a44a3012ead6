"""Settings for production, from the environment: PostgreSQL and Redis. A missing or unsafe value stops the start."""

from typing import Any

from django.http.request import validate_host
from redis.backoff import NoBackoff
from redis.retry import Retry

from ctms.core.encryption import HOW_TO_MAKE_A_KEY
from ctms.core.log_hooks import log_what_is_printed
from ctms.settings.base import *  # noqa: F403  settings modules build on one another
from ctms.settings.base import (
    DATABASE_CONNECT_SECONDS,
    DATABASE_TRANSACTION_SECONDS,
    OIDC_ISSUER,
    POSTGRESQL_PLANNING,
    VAR_DIR,
    build_logging,
    env,
)
from ctms.settings.keys import parse_encryption_keys
from ctms.settings.servers import parse_database_url, parse_email_url, parse_redis_url, parse_sentry_dsn
from ctms.settings.values import get_host, parse_allowed_hosts, parse_https_address, parse_origin, parse_secret_key

IS_PRODUCTION = True
DEBUG = False

SECRET_KEY = env.require(
    "SECRET_KEY", parse_secret_key, remedy="Give at least 50 random characters.", instead="", is_secret=True
)
FIELD_ENCRYPTION_KEYS: list[str] = env.require(
    "FIELD_ENCRYPTION_KEYS", parse_encryption_keys, remedy=HOW_TO_MAKE_A_KEY, instead=[], is_secret=True
)
ALLOWED_HOSTS: list[str] = env.require(
    "ALLOWED_HOSTS",
    parse_allowed_hosts,
    remedy="Name the hosts under which the Vault is reached, with commas between, e.g. vault.example.org.",
    instead=[],
)
VAULT_BASE_URL = env.require(
    "VAULT_BASE_URL",
    parse_https_address,
    remedy="Give the https address of the Vault: records in the CRM link to it.",
    instead="",
)
if ALLOWED_HOSTS and VAULT_BASE_URL and not validate_host(get_host(VAULT_BASE_URL), ALLOWED_HOSTS):
    env.refuse(
        "VAULT_BASE_URL",
        "Its host is none of ALLOWED_HOSTS, so that links to records would be refused. Correct one of the two.",
        value=VAULT_BASE_URL,
    )
VAULT_INSTANCE = env.text("VAULT_INSTANCE", default="") or VAULT_BASE_URL
CSRF_TRUSTED_ORIGINS = env.items(
    "CSRF_TRUSTED_ORIGINS",
    parse_origin,
    default=[f"https://*{host}" if host.startswith(".") else f"https://{host}" for host in ALLOWED_HOSTS],
)
if OIDC_ISSUER and not OIDC_ISSUER.startswith("https://"):
    env.refuse("OIDC_ISSUER", "It must be an https address: what it says lets people in.", value=OIDC_ISSUER)
for _name in ("DEBUG", "DJANGO_DEBUG"):
    if env.boolean(_name, default=False):
        env.refuse(_name, "It is on: error pages would show data. Unset it in production.")
if env.text("CRM_SANDBOX_ORIGINS"):
    env.refuse("CRM_SANDBOX_ORIGINS", "It is set: it bypasses the address check. Unset it in production.")

_NO_DATABASE: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}}
DATABASES = {
    "default": env.require(
        "DATABASE_URL",
        parse_database_url,
        remedy="Write postgres://user:password@host:5432/name.",
        instead=_NO_DATABASE,
        is_secret=True,
    )
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    # A page, or a probe, must not wait for a server that cannot be reached. Seconds; 2 is the least that libpq knows.
    "connect_timeout": DATABASE_CONNECT_SECONDS,
    # Milliseconds until a connection is given up whose other end acknowledges nothing: its machine is gone.
    "tcp_user_timeout": DATABASE_CONNECT_SECONDS * 1000,
    **DATABASES["default"]["OPTIONS"],  # what the URL says, e.g. ?sslmode=verify-full
    "options": (
        f"{DATABASES['default']['OPTIONS'].get('options', '')} "
        f"-c idle_in_transaction_session_timeout={DATABASE_TRANSACTION_SECONDS}s "
        f"-c statement_timeout={DATABASE_TRANSACTION_SECONDS}s {POSTGRESQL_PLANNING}"
    ).strip(),
    "pool": {
        "min_size": 1,
        "max_size": env.integer("DATABASE_POOL_SIZE", default=8, least=1, most=1000),
        "timeout": DATABASE_CONNECT_SECONDS,
    },
}

CELERY_BROKER_URL = env.require(
    "REDIS_URL",
    parse_redis_url,
    remedy="Write redis://:password@host:6379/0: without it, jobs would go to whoever answers on this machine.",
    instead="redis://",
    is_secret=True,
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
        "KEY_PREFIX": "vault",
        # It counts requests: a page waits no longer than this for it, and is answered without it.
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)},
    }
}

SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=True)
# The check of the container asks itself, without a proxy between.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

vars().update(
    env.read("EMAIL_URL", parse_email_url, default=parse_email_url("smtp://localhost:25"), is_secret=True),
)

STATIC_ROOT = VAR_DIR / "static"  # filled by `collectstatic` when the image is built
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SENTRY = env.read("SENTRY_DSN", parse_sentry_dsn, default={}, is_secret=True)
LOGGING = build_logging(renderer="json", reports={**SENTRY, "environment": VAULT_INSTANCE} if SENTRY else None)
log_what_is_printed()

env.judge()
