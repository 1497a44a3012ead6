"""Dismissing items, and taking it back: which failures a person has decided to leave as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.scopes import lock_scopes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ctms.audit.actors import Actor


class DismissalRefusedError(VaultError):
    """The item cannot be dismissed; the message says why, and what to do instead."""


def dismiss_items(*, keys: Collection[int], reason: str, actor: Actor) -> list[ExceptionItem]:
    """Dismiss all of these items (primary keys), or none: their records are left alone until they change.

    A message in which nothing else is open becomes Inactive. Raises DismissalRefusedError for an empty reason, and
    naming the first item that cannot be dismissed.
    """
    reason = reason.strip()
    if not reason:
        raise DismissalRefusedError("Dismissal reason: say why this item needs no correction.")
    with transaction.atomic():
        items = _lock_items(keys)
        for item in items:
            _refuse_undismissible(item)
        now = get_now()
        ExceptionItem.objects.filter(pk__in=[item.pk for item in items]).update(
            dismissed_at=now, dismissed_by=actor.user, dismissal_reason=reason, dismissal_lapsed_at=None
        )
        for item in items:
            _record(item=item, actor=actor, before="", after=reason, reason=reason)
        _close_settled_messages({item.message_id for item in items})
    return items


def undo_dismissals(*, keys: Collection[int], actor: Actor) -> list[ExceptionItem]:
    """Take back the dismissals that are in force among these items; the next run takes their records again."""
    with transaction.atomic():
        items = [item for item in _lock_items(keys) if item.is_dismissed]
        for item in items:
            reason = item.dismissal_reason
            item.dismissed_at, item.dismissed_by, item.dismissal_reason = None, None, ""
            _reopen(item)
            item.save()
            _record(item=item, actor=actor, before=reason, after="", reason="Dismissal undone by Retry")
    return items


def is_same_state(item: ExceptionItem, other: ExceptionItem) -> bool:
    """Whether the record of both was the same when it failed: by its versions or, if it is one of the CRM, its data."""
    versions = (item.record_version, item.dependency_version) == (other.record_version, other.dependency_version)
    return versions and (item.record_uid is not None or item.item_data == other.item_data)


def _lock_items(keys: Collection[int]) -> list[ExceptionItem]:
    """The items as they are now; no run publishes its message for their integrations meanwhile."""
    scopes = ExceptionItem.objects.filter(pk__in=keys).values_list("message__integration", "message__job")
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
        raise DismissalRefusedError(
            f"{item} is of an earlier run, so there is nothing to dismiss: what still fails is in the Active message "
            "of the integration."
        )


def _close_settled_messages(keys: Iterable[int]) -> None:
    still_open = ExceptionItem.objects.filter(message=OuterRef("pk"), dismissed_at=None)
    settled = ExceptionMessage.objects.filter(pk__in=list(keys), status=RecordStatus.ACTIVE)
    settled.exclude(Exists(still_open)).update(status=RecordStatus.INACTIVE)


def _reopen(item: ExceptionItem) -> None:
    """Put the item where what still fails is seen: into the Active message or, if there is none, by opening its own."""
    active = ExceptionMessage.objects.filter(
        integration=item.message.integration_id, job=item.message.job_id, status=RecordStatus.ACTIVE
    ).first()
    if active is None:
        # Other items that are open in it would come back with it, although a later run has settled them.
        if not item.message.items.filter(dismissed_at=None).exists():
            item.message.status = RecordStatus.ACTIVE
            item.message.save(update_fields=["status"])
    elif active.pk != item.message_id and not active.items.filter(key=item.key).exists():
        item.message = active


def _record(*, item: ExceptionItem, actor: Actor, before: str, after: str, reason: str) -> None:
    record_event(
        actor=actor,
        action=AuditAction.EVENT,
        object_name=ExceptionItem.object_name,
        record=item,
        changes={"dismissal_reason": [before, after]},
        reason=reason,
    )
