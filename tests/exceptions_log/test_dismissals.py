"""Dismissing items and undoing it: user, time, reason, and the status of the message."""

from __future__ import annotations

import pytest

from connections.choices import IntegrationKind
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.dismissals import DismissalRefusedError, dismiss_items, undo_dismissals
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.selectors import list_dismissed_items, list_open_items
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def read_status(message: ExceptionMessage) -> str:
    return ExceptionMessage.objects.get(pk=message.pk).status


def test_a_dismissal_keeps_who_when_and_why_and_is_in_the_audit_trail() -> None:
    item = create_exception_message().items.get()
    actor, before = build_admin_actor(), get_now()

    dismiss_items(keys=[item.pk], reason="  A test person  ", actor=actor)

    item.refresh_from_db()
    assert (item.dismissed_by, item.dismissal_reason, item.is_dismissed) == (actor.user, "A test person", True)
    assert item.dismissed_at is not None
    assert before <= item.dismissed_at <= get_now()
    entry = AuditEntry.objects.get(record_uid=item.uid)
    assert (entry.actor, entry.reason, entry.changes) == (
        actor.user,
        "A test person",
        {"dismissal_reason": ["", "A test person"]},
    )


def test_a_message_is_active_for_as_long_as_something_in_it_is_not_dismissed() -> None:
    message = create_exception_message()
    first, second = message.items.get(), create_exception_item(message=message)

    dismiss_items(keys=[first.pk], reason="No matter", actor=build_admin_actor())
    assert read_status(message) == RecordStatus.ACTIVE
    assert list(list_open_items()) == [second]

    dismiss_items(keys=[second.pk], reason="No matter", actor=build_admin_actor())
    assert read_status(message) == RecordStatus.INACTIVE
    assert set(list_dismissed_items()) == {first, second}


def test_without_a_reason_nothing_is_dismissed() -> None:
    item = create_exception_message().items.get()
    with pytest.raises(DismissalRefusedError, match="say why"):
        dismiss_items(keys=[item.pk], reason=" ", actor=build_admin_actor())
    assert list_open_items().count() == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"key": f"integration:{IntegrationKind.CALL_INBOUND}"}, "concerns a whole integration"),
        ({"dismissed_at": get_now(), "dismissal_reason": "x"}, "was dismissed already"),
    ],
)
def test_of_several_items_none_is_dismissed_if_one_cannot_be(values: dict[str, object], words: str) -> None:
    message = create_exception_message()
    other = create_exception_item(message=message, **values)
    keys = [message.items.exclude(pk=other.pk).get().pk, other.pk]
    with pytest.raises(DismissalRefusedError, match=words):
        dismiss_items(keys=keys, reason="No matter", actor=build_admin_actor())
    assert not ExceptionItem.objects.get(pk=keys[0]).is_dismissed


def test_an_item_that_was_resolved_is_not_dismissed() -> None:
    item = create_exception_message(status=RecordStatus.INACTIVE).items.get()
    with pytest.raises(DismissalRefusedError, match="resolved by a later run"):
        dismiss_items(keys=[item.pk], reason="No matter", actor=build_admin_actor())


def test_undoing_the_only_dismissal_makes_its_message_active_again_and_is_in_the_audit_trail() -> None:
    message = create_exception_message()
    item = message.items.get()
    dismiss_items(keys=[item.pk], reason="No matter", actor=build_admin_actor())

    undo_dismissals(keys=[item.pk], actor=build_admin_actor())

    item.refresh_from_db()
    assert (item.dismissed_at, item.dismissed_by, item.dismissal_reason) == (None, None, "")
    assert read_status(message) == RecordStatus.ACTIVE
    assert AuditEntry.objects.filter(record_uid=item.uid, changes={"dismissal_reason": ["No matter", ""]}).exists()


def test_what_is_undone_comes_into_the_active_message_if_there_is_one() -> None:
    message = create_exception_message()
    item = message.items.get()
    dismiss_items(keys=[item.pk], reason="No matter", actor=build_admin_actor())
    later = create_exception_message(
        connection=message.connection, integration=message.integration, status=RecordStatus.ACTIVE
    )

    undo_dismissals(keys=[item.pk], actor=build_admin_actor())

    item.refresh_from_db()
    assert (item.message, read_status(message)) == (later, RecordStatus.INACTIVE)
    assert list_open_items().count() == 2


def test_undoing_does_not_bring_back_what_a_later_run_has_settled() -> None:
    message = create_exception_message()
    item, settled = message.items.get(), create_exception_item(message=message)
    dismiss_items(keys=[item.pk], reason="No matter", actor=build_admin_actor())
    ExceptionItem.objects.filter(pk=settled.pk).update(resolved_at=get_now())
    ExceptionMessage.objects.filter(pk=message.pk).update(status=RecordStatus.INACTIVE)

    undo_dismissals(keys=[item.pk, settled.pk], actor=build_admin_actor())

    assert list(list_open_items()) == [item]
