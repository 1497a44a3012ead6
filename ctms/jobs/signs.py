"""Signs of life of scheduler and workers, for `manage.py doctor` and the figures of Prometheus."""

from __future__ import annotations

from datetime import timedelta

from ctms.core.clock import get_database_now
from ctms.jobs.models import SignOfLife

TICKS = "ticks"


def give_sign(name: str) -> None:
    """Write that this lives, at present."""
    SignOfLife.objects.update_or_create(name=name, defaults={"seen_at": get_database_now()})


def read_age(name: str) -> timedelta | None:
    """Return how long ago the last sign was, by the database's clock; None if there was none."""
    seen_at = SignOfLife.objects.filter(name=name).values_list("seen_at", flat=True).first()
    return None if seen_at is None else get_database_now() - seen_at
