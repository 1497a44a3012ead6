"""The one clock. Every time in the Vault is aware and in UTC."""

from datetime import UTC, datetime


def get_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(tz=UTC)


def format_time(moment: datetime | None) -> str:
    """`2026-11-22 01:47 UTC` for people to read; `Never` for no time."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "Never"
