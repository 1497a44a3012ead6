"""What the Vault is made of: apps, middleware, templates, static files, words."""

from __future__ import annotations

from typing import Any

from ctms.settings.paths import BASE_DIR

INSTALLED_APPS = [
    # An app comes before those that it imports, so that it may override their templates.
    "crm_sync",
    "activities",
    "exceptions_log",
    "connections",
    "ctms.clinical",
    "ctms.subscriptions",
    "ctms.reports",
    "ctms.records",
    "ctms.webhooks",
    "ctms.machine",
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
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "ctms.accounts.middleware.ClientAddressMiddleware",
    "ctms.core.request_log.RequestLogMiddleware",
    # Outside the others, which may refuse a request.
    "ctms.core.headers.ResponseHeadersMiddleware",
    "ctms.records.api.middleware.ApiHeadersMiddleware",
    # Probes are answered before anything may refuse, redirect or count them.
    "ctms.machine.health.middleware.ProbeMiddleware",
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
    "django_htmx.middleware.HtmxMiddleware",
    "ctms.accounts.middleware.SessionUseMiddleware",
    "ctms.accounts.middleware.PageViewMiddleware",
    "ctms.accounts.middleware.AccountEndMiddleware",
    "ctms.accounts.middleware.PasswordChangeMiddleware",
    "ctms.accounts.middleware.UserTimeZoneMiddleware",
    "ctms.audit.acting.ActorMiddleware",
    "ctms.accounts.middleware.SecondFactorMiddleware",
    "ctms.core.rate_limits.TooManyRequestsMiddleware",
    "ctms.core.conflicts.StaleRecordMiddleware",
    "ctms.machine.middleware.MaintenanceMiddleware",
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
                "ctms.core.context_processors.add_standing",
                "ctms.records.pages.navigation.add_frame",
            ],
            "builtins": ["ctms.core.templatetags.vault"],
            "libraries": {"console": "ctms.core.templatetags.console"},
        },
    },
]

# Widgets may have their templates in the project's own folder.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "ctms.core.formats"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "ctms" / "static"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
