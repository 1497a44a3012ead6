"""The Celery task that seals the audit trail; beat sends it every minute."""

from __future__ import annotations

from celery import shared_task

from ctms.audit.sealing import seal_entries as seal

# So many transactions of 5,000 entries in one task: an old trail is sealed within some minutes, and ticks go on.
_BATCHES = 10


@shared_task(name="audit.seal_entries", ignore_result=True, soft_time_limit=50, time_limit=58)
def seal_entries() -> None:
    """Seal the entries that were written since the last time."""
    seal(batches=_BATCHES)
