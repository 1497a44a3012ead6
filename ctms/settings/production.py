"""Settings for production, from the environment: PostgreSQL and Redis. A missing or unsafe value stops the start."""

from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from ctms.core.encryption import HOW_TO_MAKE_A_KEY, parse_key_ring
from ctms.core.errors import EncryptionKeyError
from ctms.settings.base import *  # noqa: F403  settings modules build on one another
from ctms.settings.base import (
    DATABASE_TRANSACTION_SECONDS,
    OIDC_ISSUER,
    POSTGRESQL_PLANNING,
    VAR_DIR,
    build_logging,
    env,
)

_SHORTEST_SECRET_KEY = 50
_FEWEST_DIFFERENT_CHARACTERS = 10

SECRET_KEY = env.str("SECRET_KEY")
FIELD_ENCRYPTION_KEYS: list[str] = env.list("FIELD_ENCRYPTION_KEYS")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS")
VAULT_BASE_URL = env.str("VAULT_BASE_URL").rstrip("/")
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[f"https://{h}" for h in ALLOWED_HOSTS])
DEBUG = False

if not VAULT_BASE_URL.startswith("https://"):
    raise ImproperlyConfigured("VAULT_BASE_URL must be the https address of the Vault: records in the CRM link to it.")
if OIDC_ISSUER and not OIDC_ISSUER.startswith("https://"):
    raise ImproperlyConfigured("OIDC_ISSUER must be an https address: what it says lets people in.")
for _name in ("DEBUG", "DJANGO_DEBUG"):
    if env.bool(_name, default=False):
        raise ImproperlyConfigured(f"{_name} is on: error pages would show data. Unset it in production.")
if env.str("CRM_SANDBOX_ORIGINS", default=""):
    raise ImproperlyConfigured("CRM_SANDBOX_ORIGINS is set: it bypasses the address check. Unset it in production.")
if (
    len(SECRET_KEY) < _SHORTEST_SECRET_KEY
    or len(set(SECRET_KEY)) < _FEWEST_DIFFERENT_CHARACTERS
    or SECRET_KEY.startswith("django-insecure-")
):
    raise ImproperlyConfigured("SECRET_KEY is a default or too weak: give at least 50 random characters.")
try:
    for _key_id, _key in parse_key_ring(FIELD_ENCRYPTION_KEYS).items():
        if len(set(_key)) < _FEWEST_DIFFERENT_CHARACTERS:
            raise ImproperlyConfigured(f"FIELD_ENCRYPTION_KEYS: the key {_key_id!r} is not random. {HOW_TO_MAKE_A_KEY}")
except EncryptionKeyError as _error:
    raise ImproperlyConfigured(str(_error)) from None

DATABASES = {"default": env.db("DATABASE_URL")}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database (postgres://user:password@host/name).")
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),  # what the URL says, e.g. ?sslmode=verify-full
    "options": (
        f"-c idle_in_transaction_session_timeout={DATABASE_TRANSACTION_SECONDS}s "
        f"-c statement_timeout={DATABASE_TRANSACTION_SECONDS}s {POSTGRESQL_PLANNING}"
    ),
    "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=8)},
}

CELERY_BROKER_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
        "KEY_PREFIX": "vault",
        # It counts requests: a page waits no longer than this for it, and is answered without it.
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)},
    }
}

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
# The check of the container asks itself, without a proxy between.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="smtp://localhost:25")
vars().update(EMAIL_CONFIG)

STATIC_ROOT = VAR_DIR / "static"  # filled by `collectstatic` when the image is built
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LOGGING = build_logging(renderer="json")
