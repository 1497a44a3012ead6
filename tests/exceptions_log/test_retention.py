"""Resolved items are deleted once they are older than the setting allows, and nothing that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _thirty_days(settings: Any) -> None:
    settings.EXCEPTION_RETENTION_DAYS = 30


def create_old(days: int, **values: Any) -> ExceptionItem:
    """Create an item, in a message of its own, that was resolved so many days ago."""
    then = get_now() - timedelta(days=days)
    message = create_exception_message(status=RecordStatus.INACTIVE, created_at=then)
    message.items.update(**{"resolved_at": then} | values)
    return message.items.get()


def test_resolved_items_and_empty_messages_go_after_the_days_of_the_setting() -> None:
    create_old(31)
    young = create_old(29)
    run = keep_house()
    assert list(ExceptionItem.objects.all()) == [young]
    assert list(ExceptionMessage.objects.all()) == [young.message]
    assert (run.state, run.message) == (
        RunState.SUCCEEDED,
        "Deleted: 1 resolved exception items, 1 empty exception messages.",
    )


def test_what_fails_or_is_dismissed_stays_however_old_with_its_message() -> None:
    kept = [
        create_exception_message(created_at=get_now() - timedelta(days=90)).items.get(),
        create_old(90, resolved_at=None, dismissed_at=get_now(), dismissal_reason="Known"),
    ]
    keep_house()
    assert list(ExceptionItem.objects.order_by("pk")) == kept
    assert set(ExceptionMessage.objects.all()) == {item.message for item in kept}


def test_it_deletes_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctms.jobs.retention._BATCH", 2)
    item = create_old(31)
    for _ in range(4):
        create_exception_item(message=item.message, resolved_at=item.resolved_at)
    with CaptureQueriesContext(connection) as queries:
        keep_house()
    deletions = [each for each in queries if each["sql"].startswith('DELETE FROM "exceptions_log_exceptionitem"')]
    assert (ExceptionItem.objects.count(), len(deletions)) == (0, 3)


def test_with_zero_days_everything_is_kept(settings: Any) -> None:
    settings.EXCEPTION_RETENTION_DAYS = 0
    item = create_old(900)
    keep_house()
    assert list(ExceptionItem.objects.all()) == [item]
