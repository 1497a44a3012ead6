"""The Celery tasks of transfers as it happens."""

from __future__ import annotations

from celery import shared_task

from crm_sync.live import waking
from ctms.core.standing import read_standing


@shared_task(name=waking.WAKE, ignore_result=True, soft_time_limit=50, time_limit=58)
def wake() -> None:
    """Queue runs of the connections that transfer as it happens; sent after a commit."""
    if _may_start():
        waking.wake()


@shared_task(name="crm_sync.start_live", ignore_result=True, soft_time_limit=50, time_limit=58)
def start_live() -> None:
    """Have calls fetched, and what no message told of sent; beat sends this task every minute."""
    if _may_start():
        waking.start_live()


def _may_start() -> bool:
    standing = read_standing()
    return standing.may_work and standing.may_send
