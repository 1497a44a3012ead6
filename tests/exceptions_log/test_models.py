from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message, create_job_definition

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def copy_message(message: ExceptionMessage, **values: Any) -> None:
    kept = {name: getattr(message, name) for name in ("connection", "integration", "run")}
    ExceptionMessage.objects.create(**kept | {"name": "Another", "created_at": get_now()} | values)


def test_an_integration_has_one_active_message() -> None:
    message = create_exception_message(status=RecordStatus.ACTIVE)
    copy_message(message)
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_message(message, status=RecordStatus.ACTIVE)


@pytest.mark.parametrize("of_job", [False, True])
def test_a_failure_that_lasts_is_one_item_of_its_integration_or_job(of_job: bool) -> None:
    message = create_exception_message()
    scope = {"integration": None, "job": create_job_definition()} if of_job else {}
    item = create_exception_item(message=message, **scope)
    with pytest.raises(IntegrityError), transaction.atomic():
        create_exception_item(message=message, key=item.key, **scope)
    ExceptionItem.objects.filter(pk=item.pk).update(resolved_at=get_now())
    create_exception_item(message=message, key=item.key, **scope)


@pytest.mark.parametrize("integrations", [0, 2])
def test_an_item_is_of_an_integration_or_a_job(integrations: int) -> None:
    message = create_exception_message()
    scope = {"integration": None} if integrations == 0 else {"job": create_job_definition()}
    with pytest.raises(IntegrityError), transaction.atomic():
        create_exception_item(message=message, **scope)


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
