"""Which settings a process has: those that DJANGO_SETTINGS_MODULE names, else those of a Vault on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec

from ctms.settings.environment import env

EMBEDDED = "ctms.settings.embedded"
PRODUCTION = "ctms.settings.production"
_NAME = "DJANGO_SETTINGS_MODULE"
# Whoever sets one of these means production, and must not get an empty Vault beside it.
_OF_PRODUCTION = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL")


class Choice:
    """How the settings were chosen; `is_default` if nobody named any."""

    is_default = False


def choose_settings() -> None:
    """Name the settings in the environment if nobody did. Ends the process if those that are named do not exist."""
    named = os.environ.get(_NAME, "")
    if not named:
        os.environ[_NAME] = EMBEDDED
        Choice.is_default = True
        return
    if not _is_module(named):
        env.refuse(_NAME, f"There is no such module. Write {PRODUCTION}, or unset it.", value=named)
        env.judge()


def refuse_half_a_production() -> None:
    """Keep a problem if nobody named the settings, and there are values that only production reads."""
    if Choice.is_default and (names := [name for name in _OF_PRODUCTION if env.has(name)]):
        env.refuse(
            _NAME,
            f"It is not set, but {', '.join(names)} {'is' if len(names) == 1 else 'are'}. Set it to {PRODUCTION}, or "
            "unset the others: without it, an empty Vault of this machine alone would start.",
        )


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
