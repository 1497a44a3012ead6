"""Settings that all installations share. Values that differ between installations come from the environment."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
import structlog
from celery.schedules import schedule
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from ctms.core.clock import get_steady_now
from ctms.core.rates import Rate, parse_rate

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()

# The folder for this installation's files: all of an embedded one's data, or only static files in production.
VAR_DIR = Path(env.str("VAULT_VAR_DIR", default=str(BASE_DIR / "var")))


def _build_static_url(name: str) -> Callable[[object], str]:
    """Return a function that returns a static file's address: settings are read before the storage exists."""

    def build(_request: object) -> str:
        from django.templatetags.static import static  # noqa: PLC0415  needs the settings that are just being read

        return static(name)

    return build


# What the planner of PostgreSQL is told in each session. Lists of users who see some studies hold many keys: compiling
# them takes longer than reading their rows. And it takes reading by index for too dear, as if from a disk that turns:
# the list of who sees one study of 600, with a million activities, then scans 30,000 of them.
POSTGRESQL_PLANNING = "-c jit=off -c random_page_cost=1.1"

VAULT_NAME = env.str("VAULT_NAME", default="CTMS Vault")
# Where users reach the Vault; CRM records link back to it.
VAULT_BASE_URL = env.str("VAULT_BASE_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    # An app comes before those that it imports, so that it may override their templates.
    "crm_sync",
    "activities",
    "exceptions_log",
    "connections",
    "ctms.clinical",
    "ctms.reports",
    "ctms.records",
    "ctms.jobs",
    "ctms.configuration",
    "ctms.audit",
    "ctms.accounts",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "ctms.audit.console.ConsoleConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "ctms.accounts.middleware.ClientAddressMiddleware",
    # Outside the others, which may refuse a request.
    "ctms.core.headers.ResponseHeadersMiddleware",
    "ctms.core.csp.ContentSecurityPolicyMiddleware",
    "ctms.core.refusals.RequestBodyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "ctms.core.request_memory.RequestMemoryMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ctms.accounts.middleware.SessionUseMiddleware",
    "ctms.accounts.middleware.PageViewMiddleware",
    "ctms.accounts.middleware.AccountEndMiddleware",
    "ctms.accounts.middleware.PasswordChangeMiddleware",
    "ctms.accounts.middleware.UserTimeZoneMiddleware",
    "ctms.audit.acting.ActorMiddleware",
    "ctms.accounts.middleware.SecondFactorMiddleware",
    "ctms.core.rate_limits.TooManyRequestsMiddleware",
]

ROOT_URLCONF = "ctms.urls"
WSGI_APPLICATION = "ctms.wsgi.application"
ASGI_APPLICATION = "ctms.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ctms.core.context_processors.add_vault_name",
                "ctms.records.pages.navigation.add_frame",
            ],
            "builtins": ["ctms.core.templatetags.vault"],
        },
    },
]

# Widgets may have their templates in the project's own folder.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# -- People ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["ctms.accounts.backends.PasswordBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# A session ends so long after its last use, and so long after the log-in.
SESSION_ENGINE = "ctms.accounts.sessions"
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
SESSION_LIFETIME_HOURS = env.int("SESSION_LIFETIME_HOURS", default=12)
if SESSION_IDLE_MINUTES <= 1 or SESSION_LIFETIME_HOURS < 1:
    raise ImproperlyConfigured(
        "SESSION_IDLE_MINUTES must be 2 or more, because use is noted once a minute, and SESSION_LIFETIME_HOURS 1 or "
        "more."
    )
SESSION_COOKIE_AGE = SESSION_LIFETIME_HOURS * 60 * 60  # the server ends sessions; no cookie lives longer
INVITATION_DAYS = env.int("INVITATION_DAYS", default=7)
if INVITATION_DAYS < 1:
    raise ImproperlyConfigured("INVITATION_DAYS must be 1 or more.")
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
# Wrong passwords of one username from one address, and of all usernames from one address, within so many minutes.
LOGIN_FAILURES = env.int("LOGIN_FAILURES", default=5)
LOGIN_FAILURES_PER_ADDRESS = env.int("LOGIN_FAILURES_PER_ADDRESS", default=50)
LOGIN_LOCKOUT_MINUTES = env.int("LOGIN_LOCKOUT_MINUTES", default=15)
if not 1 <= LOGIN_FAILURES <= LOGIN_FAILURES_PER_ADDRESS or LOGIN_LOCKOUT_MINUTES < 1:
    raise ImproperlyConfigured(
        "LOGIN_FAILURES must be 1 or more, LOGIN_FAILURES_PER_ADDRESS at least as many, and LOGIN_LOCKOUT_MINUTES 1 or "
        "more: without them, passwords can be guessed."
    )

# Whether users may (optional), must (required) or cannot (off) have a second factor: an authenticator app.
TOTP = env.str("TOTP", default="off")
if TOTP not in ("off", "optional", "required"):
    raise ImproperlyConfigured(f"TOTP is {TOTP!r}: write off, optional or required.")

# Log-in through an OpenID Connect provider, beside passwords; off without an issuer.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")
# API name of the security profile of users whom the Vault does not know yet; empty: they are not let in.
OIDC_SECURITY_PROFILE = env.str("OIDC_SECURITY_PROFILE", default="")
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured("OIDC_ISSUER is set: give OIDC_CLIENT_ID and OIDC_CLIENT_SECRET as well.")

# -- Reverse proxies: whose X-Forwarded-For and X-Forwarded-Proto are believed. By address and not by a number of hops,
# because then a request that reaches the web server past the proxy is not believed either. None unless it is named:
# whoever is let on the proxy's machine, e.g. as a user of its shell, could make addresses up otherwise. --------
try:
    TRUSTED_PROXIES = [ipaddress.ip_network(text.strip()) for text in env.list("TRUSTED_PROXIES", default=[])]
except ValueError as _error:
    raise ImproperlyConfigured(
        f"TRUSTED_PROXIES: {_error}. Name addresses or networks, e.g. 10.0.0.5 or 10.1.0.0/24, separated by commas."
    ) from None

# -- How often is answered; the cache of a single web server counts as well as Redis does ----------
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
_RATES = {
    "log_in": env.str("RATE_LIMIT_LOG_IN", default="30/minute"),  # log-ins from an address, right or wrong
    "api": env.str("RATE_LIMIT_API", default="600/minute"),  # calls of a user
    "refused_tokens": env.str("RATE_LIMIT_REFUSED_TOKENS", default="60/minute"),  # calls from an address
    "calendar_feeds": env.str("RATE_LIMIT_CALENDAR_FEEDS", default="120/hour"),  # readings of a feed
    "exports": env.str("RATE_LIMIT_EXPORTS", default="20/minute"),  # files of a user
}
RATE_LIMITS: dict[str, Rate | None] = {}
for _scope, _rate in _RATES.items():
    try:
        RATE_LIMITS[_scope] = parse_rate(_rate)
    except ValueError as _error:
        raise ImproperlyConfigured(f"RATE_LIMIT_{_scope.upper()}: {_error}") from None

# -- Time and words -------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "ctms.core.formats"
USE_TZ = True

# -- Files ----------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "ctms" / "static"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- Browser security: strict for the study teams' pages, looser for the admin theme (see ctms/core/csp.py) --
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}
# The theme's Alpine evaluates attributes, and colours are inline styles; popups of related records are windows.
ADMIN_CONTENT_SECURITY_POLICY = {
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
}
# Bytes of a whole request: a file to import and what is typed beside it. Typed text alone is limited by Django.
LARGEST_REQUEST = 16 * 1024 * 1024
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "ctms.accounts.views.show_csrf_failure"

# -- REST API -------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ctms.records.api.authentication.TokenAuthentication",  # first, so that a 401 answer asks for a token
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["ctms.records.api.throttling.UserThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ctms.records.api.parsing.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "ctms.records.api.errors.handle_exception",
    "URL_FORMAT_OVERRIDE": None,  # the parameter `format` is treated as any other filter
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    # The document depends on the configuration in the database, which checks do not have; a test validates it.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "TITLE": VAULT_NAME,
    "DESCRIPTION": "Every object of the Vault: read, search, create, change and delete its records; run reports.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "ctms.records.api.schema.VaultSchemaGenerator",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVE_INCLUDE_SCHEMA": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "none",
        "filter": True,
        "validatorUrl": None,  # a validator elsewhere would be sent the address of the document
    },
}

# -- E-mail: the backend is set by each installation -----------------------------------------------
EMAIL_TIMEOUT = 10  # seconds; a server that does not answer must not keep a request waiting
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="CTMS Vault <vault@localhost>")

# Who gets the head of the audit trail's chain from the job Verify Audit Trail, to keep it outside the database.
AUDIT_ANCHOR_RECIPIENTS: list[str] = env.list("AUDIT_ANCHOR_RECIPIENTS", default=[])
# A head of that chain: what is before it was looked into, and the job verifies only what follows. Empty: all.
AUDIT_VERIFIED_UP_TO = env.str("AUDIT_VERIFIED_UP_TO", default="").strip()

# -- Jobs: beat sends three ticks; which jobs are due is stored in the database ------------------------
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps nothing in a file, which a full disk would leave unreadable
# A minute by the machine's uptime: beat sends nothing for hours if the clock that it goes by is set back. Messages do
# not expire either: a worker discards them by its own clock, which may be ahead of that of beat's machine.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "dispatch-due-jobs": {"task": "jobs.dispatch_due", "schedule": schedule(60.0, nowfun=get_steady_now)},
    "seal-audit-trail": {"task": "audit.seal_entries", "schedule": schedule(60.0, nowfun=get_steady_now)},
    "write-contact-dates": {"task": "activities.write_contacts", "schedule": schedule(60.0, nowfun=get_steady_now)},
}
# A worker serves all queues unless it is told which; docs/operations.md starts one for each. What names no queue goes
# to `celery`, and `ctms/jobs/queue.py` names that of each run.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("ticks", "celery", "transfers")]
CELERY_TASK_ROUTES = {
    name: {"queue": "ticks"} for name in ("jobs.dispatch_due", "audit.seal_entries", "activities.write_contacts")
}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 50 * 60  # seconds; an hourly transfer ends before the next one is due
CELERY_TASK_TIME_LIMIT = 55 * 60
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    # Redis delivers a task again if it takes longer than this, so it is longer than any task may take.
    "visibility_timeout": 2 * 60 * 60,
    # So that a worker or beat notices within a minute that the machine of Redis is gone. No timeout: a worker whose
    # acknowledgement times out takes no more messages (Celery 5.7), and one that waits goes on when Redis does.
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
    if sys.platform == "linux"
    else {},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker that gave up would have to be started by somebody
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
JOB_LEASE_SECONDS = 90
JOB_REQUEUE_SECONDS = 120

# -- The Medical CRM ------------------------------------------------------------------------------
# Hosts that a connection, an instance_url or a nextRecordsUrl may name, as suffixes of whole labels: `force.com` allows
# `eu.force.com`, not `salesforce.com`.
CRM_ALLOWED_HOST_SUFFIXES: list[str] = env.list(
    "CRM_ALLOWED_HOST_SUFFIXES", default=["salesforce.com", "force.com", "veeva.com", "veevacrm.com"]
)
# Reserved `.test` hosts that are served by the CRM sandbox on this machine; never set in production.
CRM_SANDBOX_ORIGINS: dict[str, str] = {}
# Salesforce retires versions of its API after some years; Test Connection names those that an organisation offers.
CRM_API_VERSION = env.str("CRM_API_VERSION", default="v60.0")
if not re.fullmatch(r"v[0-9]{2,3}\.0", CRM_API_VERSION):
    raise ImproperlyConfigured(f"CRM_API_VERSION is {CRM_API_VERSION!r}: write v and a version, such as v60.0.")
CRM_MAX_ATTEMPTS = 6
CRM_RETRY_BUDGET_SECONDS = 10 * 60  # the longest time that one run over one connection waits before retries, in all
CRM_BACKOFF_BASE_SECONDS = 1.0
CRM_TRANSFER_OVERLAP_SECONDS = 10 * 60
# How often all known accounts are compared, and not only those with a new stamp: identifiers may be formulas.
CRM_ACCOUNT_RECHECK_SECONDS = 24 * 60 * 60
# The longest transaction: what it wrote is sent by the first run that begins after its end.
DATABASE_TRANSACTION_SECONDS = 5 * 60
REPORT_SECONDS = 60  # the longest time that the database has for one page of a report
# How long the jobs that delete old rows keep resolved user exceptions, and every attempt of the transfer; 0: for ever.
TRANSFER_HISTORY_DAYS = env.int("TRANSFER_HISTORY_DAYS", default=0)
EXCEPTION_RETENTION_DAYS = env.int("EXCEPTION_RETENTION_DAYS", default=180)

# -- Admin console --------------------------------------------------------------------------------
# The sidebar, in the product's own order: group → (label, icon, model). Only what the user may view is shown.
ADMIN_SIDEBAR: list[tuple[str, list[tuple[str, str, str]]]] = [
    (
        "Connections",
        [
            ("Connections", "hub", "connections.Connection"),
            ("Connection Authorizations", "key", "connections.ConnectionAuthorization"),
            ("Integrations", "sync_alt", "connections.Integration"),
            ("Integration Rules", "rule", "connections.IntegrationRule"),
            ("Field Rules", "table_rows", "connections.FieldRule"),
        ],
    ),
    (
        "Configuration",
        [
            ("Objects", "deployed_code", "configuration.ConfiguredObject"),
            ("Object Types", "category", "configuration.ObjectType"),
            ("Custom Fields", "add_box", "configuration.CustomField"),
            ("Page Layouts", "dashboard", "configuration.PageLayout"),
            ("Reasons for Change", "edit_note", "configuration.ReasonRule"),
            ("Report Types", "schema", "reports.ReportType"),
            ("Reports", "monitoring", "reports.Report"),
        ],
    ),
    (
        "Operations",
        [
            ("Job Definitions", "schedule", "jobs.JobDefinition"),
            ("Job Status", "pending_actions", "jobs.JobRun"),
            ("Integration Runs", "sync", "crm_sync.IntegrationRun"),
            ("Reconciliations", "fact_check", "crm_sync.Reconciliation"),
            ("Transfer Links", "link", "crm_sync.TransferLink"),
            ("Transfer Attempts", "history", "crm_sync.TransferAttempt"),
            ("Account Matches", "how_to_reg", "crm_sync.AccountMatch"),
        ],
    ),
    (
        "Logs",
        [
            ("User Exceptions", "error", "exceptions_log.ExceptionMessage"),
            ("User Exception Items", "list_alt", "exceptions_log.ExceptionItem"),
            ("Audit Trail", "history", "audit.AuditEntry"),
            ("Redactions", "ink_eraser", "audit.AuditRedaction"),
            ("Page Views", "visibility", "accounts.PageView"),
            ("Daily Digests", "mail", "reports.DigestMail"),
        ],
    ),
    (
        "Settings",
        [
            ("Application Settings", "settings", "configuration.ApplicationSettings"),
            ("Users", "group", "accounts.User"),
            ("API Tokens", "vpn_key", "accounts.ApiToken"),
            ("Calendar Feeds", "event", "accounts.CalendarFeed"),
            ("Failed Log-ins", "lock_person", "accounts.FailedLogIn"),
            ("Second Factors", "phonelink_lock", "accounts.SecondFactor"),
            ("Security Profiles", "shield_person", "accounts.SecurityProfile"),
            ("Studies", "science", "clinical.Study"),
            ("Study Assignments", "assignment_ind", "clinical.StudyAssignment"),
        ],
    ),
]
# In the order of the cascade; the theme's own styles follow.
CONSOLE_STYLES = [
    "tokens.css",
    "conditions.css",
    "charts.css",
    "console/tables.css",
    "console/permissions.css",
    "console/pages.css",
    "console/controls.css",
    "console/layout_editor.css",
    "console/layout_preview.css",
    "console/landing.css",
    "console/transfers.css",
    "console/theme.css",
]
UNFOLD = {
    "SITE_TITLE": VAULT_NAME,
    "SITE_HEADER": VAULT_NAME,
    "SITE_ICON": _build_static_url("vault.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _build_static_url("vault.svg")}],
    "STYLES": [_build_static_url(name) for name in CONSOLE_STYLES],
    "DASHBOARD_CALLBACK": "ctms.configuration.admin.setup.build_landing_page",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "ctms.core.sidebar.build_sidebar"},
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "240 253 250",
            "100": "204 251 241",
            "200": "153 246 228",
            "300": "94 234 212",
            "400": "45 212 191",
            "500": "20 184 166",
            "600": "15 118 110",
            "700": "17 94 89",
            "800": "19 78 74",
            "900": "19 66 63",
            "950": "4 47 46",
        }
    },
}

# -- Logs: one event a line; of requests and responses, only what is named explicitly -------------
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it would believe any X-Forwarded-For; ClientAddressMiddleware adds `ip`
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")


def drop_query_string(_logger: Any, _method: str, event: Any) -> Any:
    """Remove the query string from a logged request: it may hold what people search for."""
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].partition("?")[0]
    return event


structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        drop_query_string,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


def build_logging(*, renderer: str, level: str = LOG_LEVEL) -> dict[str, Any]:
    """Return the setting `LOGGING`; `renderer` is `console` for people or `json` for machines."""
    processors: dict[str, Any] = {
        # Plain tracebacks: the default, if rich is installed, prints all local variables, which may be secrets.
        "console": structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        ),
        "json": structlog.processors.JSONRenderer(),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": processors[renderer],
                "foreign_pre_chain": [
                    structlog.contextvars.merge_contextvars,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.add_log_level,
                ],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "event"}},
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stream"], "level": "WARNING", "propagate": False},
            # urllib3 logs request lines, which may contain identifiers of persons.
            "urllib3": {"level": "WARNING"},
        },
    }


LOGGING = build_logging(renderer="console")
