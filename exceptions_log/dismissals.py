"""Dismiss exception items, so that their records are left alone, and undo dismissals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from ctms.audit.choices import AuditAction
from ctms.audit.services import record_events
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from exceptions_log.models import OPEN, ExceptionItem, ExceptionMessage, FailureFields
from exceptions_log.problems import list_items_of_problem
from exceptions_log.scopes import lock_scopes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ctms.audit.actors import Actor


_BATCH = 1000


class DismissalRefusedError(VaultError):
    """The item cannot be dismissed; the message says why, and what to do instead."""


def dismiss_items(*, keys: Collection[int], reason: str, actor: Actor) -> list[ExceptionItem]:
    """Dismiss all of these items (primary keys), or none; their records are left alone until they change.

    A message without other open items becomes Inactive. Raises DismissalRefusedError for an empty reason, or for the
    first item that cannot be dismissed.
    """
    reason = _read_reason(reason)
    with transaction.atomic():
        items = _lock_items(keys)
        for item in items:
            _refuse_undismissible(item)
        _dismiss(items, reason=reason, actor=actor)
    return items


def dismiss_problem(*, item: ExceptionItem, reason: str, actor: Actor) -> int:
    """Dismiss all open items of the problem of which this item is one, as far as the actor's user sees their records.

    Return how many there were. Those of other studies are left to whoever sees them: a dismissed record is transferred
    no more until it changes.
    Raises DismissalRefusedError for an empty reason, if nothing of it is open any more, or if it concerns a whole
    integration.
    """
    reason = _read_reason(reason)
    with transaction.atomic():
        lock_scopes(integrations={item.integration_id}, jobs={item.job_id})
        items = list(list_items_of_problem(item, user=actor.user).defer("item_data", "error_message").order_by("pk"))
        if not items:
            raise DismissalRefusedError("Nothing of this problem is open any more, so there is nothing to dismiss.")
        for each in items:
            _refuse_undismissible(each)
        for start in range(0, len(items), _BATCH):
            _dismiss(items[start : start + _BATCH], reason=reason, actor=actor)
    return len(items)


def undo_dismissals(*, keys: Collection[int], actor: Actor) -> list[ExceptionItem]:
    """Undo the dismissals in force of these items (primary keys); the next run retries their records."""
    with transaction.atomic():
        items = [item for item in _lock_items(keys) if item.is_dismissed]
        for item in items:
            reason = item.dismissal_reason
            item.dismissed_at, item.dismissed_by, item.dismissal_reason = None, None, ""
            item.message = _reopen_message(item)
            item.save()
            _record(items=[item], actor=actor, before=reason, after="", reason="Dismissal undone by Retry")
    return items


def is_same_state(item: FailureFields, other: FailureFields) -> bool:
    """Whether a record failed in the same state both times: same versions, and same data if it is a CRM record."""
    versions = (item.record_version, item.dependency_version) == (other.record_version, other.dependency_version)
    return versions and (item.record_uid is not None or item.item_data == other.item_data)


def _read_reason(reason: str) -> str:
    if not reason.strip():
        raise DismissalRefusedError("Dismissal reason: say why this item needs no correction.")
    return reason.strip()


def _dismiss(items: list[ExceptionItem], *, reason: str, actor: Actor) -> None:
    ExceptionItem.objects.filter(pk__in=[item.pk for item in items]).update(
        dismissed_at=get_now(), dismissed_by=actor.user, dismissal_reason=reason
    )
    _record(items=items, actor=actor, before="", after=reason, reason=reason)
    close_settled_messages({item.message_id for item in items})


def _lock_items(keys: Collection[int]) -> list[ExceptionItem]:
    """Lock the scopes of the items, so that no run publishes a message meanwhile, and return the items."""
    scopes = ExceptionItem.objects.filter(pk__in=keys).order_by().values_list("integration", "job").distinct()
    lock_scopes(integrations={each for each, _ in scopes}, jobs={each for _, each in scopes})
    items = ExceptionItem.objects.filter(pk__in=keys).select_related("message__integration__connection", "message__job")
    return list(items.order_by("pk"))


def _refuse_undismissible(item: ExceptionItem) -> None:
    if item.concerns_integration:
        raise DismissalRefusedError(
            f"{item} concerns a whole integration: nothing is transferred while it lasts, so it cannot be dismissed. "
            "Correct what its error message names, or make the integration Inactive."
        )
    if item.is_dismissed:
        raise DismissalRefusedError(
            f"{item} was dismissed already, by {item.dismissed_by}. Use Retry now to take that back."
        )
    if not item.is_open:
        raise DismissalRefusedError(f"{item} was resolved by a later run, so there is nothing to dismiss.")


def close_settled_messages(keys: Iterable[int]) -> None:
    """Make messages (primary keys) Inactive if none of their items is open."""
    still_open = ExceptionItem.objects.filter(OPEN, message=OuterRef("pk"))
    settled = ExceptionMessage.objects.filter(pk__in=list(keys), status=RecordStatus.ACTIVE)
    settled.exclude(Exists(still_open)).update(status=RecordStatus.INACTIVE)


def _reopen_message(item: ExceptionItem) -> ExceptionMessage:
    """Return the Active message of an item's scope; if there is none, make the item's own message Active."""
    active = ExceptionMessage.objects.filter(
        integration=item.integration_id, job=item.job_id, status=RecordStatus.ACTIVE
    ).first()
    if active is not None:
        return active
    item.message.status = RecordStatus.ACTIVE
    item.message.save(update_fields=["status"])
    return item.message


def _record(*, items: list[ExceptionItem], actor: Actor, before: str, after: str, reason: str) -> None:
    record_events(
        actor=actor,
        action=AuditAction.EVENT,
        object_name=ExceptionItem.object_name,
        records=items,
        changes={"dismissal_reason": [before, after]},
        reason=reason,
    )
