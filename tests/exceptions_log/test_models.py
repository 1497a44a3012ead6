from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message

pytestmark = pytest.mark.django_db


def copy_message(message: ExceptionMessage, **values: Any) -> None:
    kept = {name: getattr(message, name) for name in ("connection", "integration", "run")}
    ExceptionMessage.objects.create(**kept | {"name": "Another", "created_at": get_now()} | values)


def test_an_integration_has_one_active_message() -> None:
    message = create_exception_message(status=RecordStatus.ACTIVE)
    copy_message(message, is_draft=False)
    copy_message(message, is_draft=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_message(message, is_draft=False, status=RecordStatus.ACTIVE)


def test_a_draft_is_never_active() -> None:
    message = create_exception_message()
    with pytest.raises(IntegrityError), transaction.atomic():
        ExceptionMessage.objects.filter(pk=message.pk).update(is_draft=True, status=RecordStatus.ACTIVE)


def test_a_record_is_in_a_message_once() -> None:
    item = create_exception_item()
    with pytest.raises(IntegrityError), transaction.atomic():
        ExceptionItem.objects.create(
            message=item.message,
            key=item.key,
            name="x",
            error_type=item.error_type,
            error_message="x",
            item="x",
            first_failed_at=get_now(),
            last_failed_at=get_now(),
        )


def test_a_dismissal_without_reason_is_refused_with_what_to_enter_and_by_the_database() -> None:
    item = create_exception_item()
    item.dismissed_at = get_now()
    with pytest.raises(ValidationError) as raised:
        item.full_clean()
    assert raised.value.messages == ["Dismissal reason: say why this item needs no correction."]
    with pytest.raises(IntegrityError), transaction.atomic():
        item.save()


def test_a_message_with_items_is_not_deleted() -> None:
    item = create_exception_item()
    with pytest.raises(ProtectedError):
        item.message.delete()
