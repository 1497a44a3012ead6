"""How DATABASE_URL, REDIS_URL, EMAIL_URL and SENTRY_DSN are read. They hold secrets: no error quotes any of them."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from psycopg.pq import Conninfo

from ctms.settings.values import is_host

_ESCAPES: Final = "In user and password write %23 for #, %2F for /, %3F for ?, %40 for @, %3A for :, %25 for %."
_LARGEST_PORT: Final = 65_535
_DATABASE: Final = "Write postgres://user:password@host:5432/name."
_REDIS: Final = "Write redis://:password@host:6379/0."
_MAIL: Final = "Write smtp+tls://user:password@host:587, smtp+ssl://user:password@host:465, or smtp://host:25."
_SENTRY: Final = "Copy the DSN of the project: https://key@host/number."
_MAIL_SCHEMES: Final = {"smtp": "", "smtps": "TLS", "smtp+tls": "TLS", "smtp+ssl": "SSL"}
_MAIL_PORTS: Final = {"": 25, "TLS": 25, "SSL": 465}


def parse_database_url(text: str) -> dict[str, Any]:
    """Return the setting of a PostgreSQL database; parameters of libpq, e.g. ?sslmode=verify-full, are its OPTIONS."""
    parts = _split(text, remedy=_DATABASE)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError(f"It must name a PostgreSQL database. {_DATABASE}")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError(f"It names no database. {_DATABASE}")
    # Not `hostname`, which is in small letters: it may be the folder of a socket.
    host = unquote(parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}").strip("[]"))
    if host and not host.startswith("/") and not all(is_host(_bracket(each)) for each in host.split(",")):
        raise ValueError(f"Its host is none. {_DATABASE} {_ESCAPES}")
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - {"password", "user", "dbname"}
    options: dict[str, Any] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in known:
            raise ValueError(f"What follows ? is no parameter of a connection to PostgreSQL. {_DATABASE} {_ESCAPES}")
        options[key] = value
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or host,
        "PORT": options.pop("port", "") or (parts.port or ""),
        "OPTIONS": options,
    }


def parse_redis_url(text: str) -> str:
    """Return the address of a Redis server, as it is written."""
    parts = _split(text, remedy=_REDIS)
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError(f"It must name a Redis server. {_REDIS}")
    if not is_host(_bracket(parts.hostname or "")):
        raise ValueError(f"It names no host. {_REDIS} {_ESCAPES}")
    number = parts.path.removeprefix("/")
    if number and not (number.isascii() and number.isdecimal()):
        raise ValueError(f"What follows host and port must be the number of a database. {_REDIS} {_ESCAPES}")
    return text.strip()


def parse_email_url(text: str) -> dict[str, Any]:
    """Return the settings of the mail server: EMAIL_BACKEND, EMAIL_HOST and so on."""
    parts = _split(text, remedy=_MAIL)
    if parts.scheme not in _MAIL_SCHEMES:
        raise ValueError(f"It must name a mail server. {_MAIL}")
    if not is_host(_bracket(parts.hostname or "")) or parts.path.strip("/") or parts.query:
        raise ValueError(f"It names no host, or more than a host and a port. {_MAIL} {_ESCAPES}")
    encryption = _MAIL_SCHEMES[parts.scheme]
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or _MAIL_PORTS[encryption],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": encryption == "TLS",
        "EMAIL_USE_SSL": encryption == "SSL",
    }


def parse_sentry_dsn(text: str) -> dict[str, str]:
    """Return `address`, to which envelopes of reports are posted, and the public `key` of a DSN."""
    parts = _split(text, remedy=_SENTRY)
    if parts.scheme not in ("https", "http") or parts.query:
        raise ValueError(f"It is no DSN. {_SENTRY}")
    folder, _, project = parts.path.rpartition("/")
    if not (parts.username or "").isalnum() or not project.isalnum() or not is_host(_bracket(parts.hostname or "")):
        raise ValueError(f"It lacks key, host or project. {_SENTRY}")
    host = parts.netloc.rpartition("@")[2]
    return {"address": f"{parts.scheme}://{host}{folder}/api/{project}/envelope/", "key": str(parts.username)}


def _split(text: str, *, remedy: str) -> SplitResult:
    """Return the parts of a URL. A character of a password that means something in URLs is refused, not guessed."""
    text = text.strip()
    if "#" in text or any(each.isspace() or not each.isprintable() for each in text):
        raise ValueError(f"It has a # or a space. {remedy} {_ESCAPES}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"It cannot be read. {remedy} {_ESCAPES}") from None
    if port is not None and not 0 < port <= _LARGEST_PORT:
        raise ValueError(f"Its port is none: ports go from 1 to {_LARGEST_PORT}. {remedy}")
    if "@" in parts.path or "@" in parts.query:
        raise ValueError(f"It has a / or ? before the @. {remedy} {_ESCAPES}")
    return parts


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
