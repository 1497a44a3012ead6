"""Proxies that are believed, how often is answered, what browsers are told."""

from __future__ import annotations

from typing import Any

from ctms.core.rates import Rate, parse_rate
from ctms.settings.environment import env
from ctms.settings.values import parse_network, parse_token, parse_web_origin

# -- Reverse proxies: whose X-Forwarded-For and X-Forwarded-Proto are believed. By address and not by a number of hops,
# because then a request that reaches the web server past the proxy is not believed either. None unless it is named:
# whoever is let on the proxy's machine, e.g. as a user of its shell, could make addresses up otherwise. --------
TRUSTED_PROXIES = env.items("TRUSTED_PROXIES", parse_network)

# -- Web applications of other origins whose pages may read answers of the API, with a token and never by a session ----
CORS_ALLOWED_ORIGINS = env.items("CORS_ALLOWED_ORIGINS", parse_web_origin)

# -- How often is answered; the cache of a single web server counts as well as Redis does ----------
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def _read_rate(name: str, *, default: str) -> Rate | None:
    return env.read(name, parse_rate, default=parse_rate(default), reads_empty=True)


# An empty one is no limit.
RATE_LIMITS: dict[str, Rate | None] = {
    "log_in": _read_rate("RATE_LIMIT_LOG_IN", default="30/minute"),  # log-ins from an address, right or wrong
    "api": _read_rate("RATE_LIMIT_API", default="600/minute"),  # calls of a user
    "refused_tokens": _read_rate("RATE_LIMIT_REFUSED_TOKENS", default="60/minute"),  # calls from an address
    "calendar_feeds": _read_rate("RATE_LIMIT_CALENDAR_FEEDS", default="120/hour"),  # readings of a feed
    "exports": _read_rate("RATE_LIMIT_EXPORTS", default="20/minute"),  # files of a user
}

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

# Who has it may read the figures for Prometheus at /metrics; empty: nobody.
METRICS_TOKEN = env.read("METRICS_TOKEN", parse_token, default="", is_secret=True)
