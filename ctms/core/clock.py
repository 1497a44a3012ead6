"""The one clock. Every time in the Vault is aware and in UTC."""

from datetime import UTC, datetime


def get_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(tz=UTC)
