"""Redacts entries of the audit trail: one person asks, with a reason, another approves, and the values go.

The salts of their commitments go with them, so that nobody can find the values by trying; the chain still holds. What
was redacted, by whom and why is in the audit trail itself, and the verification lists it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from ctms.accounts.policies import has_permission, list_visible
from ctms.audit.chain import REDACTED_ENTRIES, VALUE_COLUMNS, get_redacted_text
from ctms.audit.choices import AuditAction, RedactionState
from ctms.audit.models import AuditEntry, AuditRedaction, AuditSeal
from ctms.audit.services import record_event, save_record
from ctms.core.clock import get_now
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ctms.audit.actors import Actor

MOST = 1000  # entries of one redaction


class RedactionRefusedError(VaultError):
    """A redaction cannot be asked for or decided like this; the message says why."""


def ask_redaction(*, redaction: AuditRedaction, actor: Actor) -> None:
    """Store a new request. Raises ValidationError naming the field, and RedactionRefusedError."""
    _require_permission(actor)
    redaction.entry_ids = sorted(set(redaction.entry_ids or []))
    if not 1 <= len(redaction.entry_ids) <= MOST:
        raise ValidationError({"entry_ids": f"Name at least one entry, and at most {MOST:,}."})
    if unknown := _list_others(
        redaction.entry_ids, list_visible(AuditEntry.objects.all(), actor.user).values_list("id", flat=True)
    ):
        raise ValidationError(
            {"entry_ids": f"There is no entry {unknown[0]}. Copy the number from the entry's address."}
        )
    sealed = AuditSeal.objects.filter(salt__isnull=False).values_list("entry_id", flat=True)
    if others := _list_others(redaction.entry_ids, sealed, name="entry_id"):
        raise ValidationError(
            {"entry_ids": f"Entry {others[0]} was redacted already, or is not sealed yet: ask again in some minutes."}
        )
    about = AuditEntry.objects.filter(pk__in=redaction.entry_ids, object_name=AuditRedaction.object_name).first()
    if about is not None:
        raise ValidationError({"entry_ids": f"Entry {about.pk} is about a redaction, and stays as it is."})
    save_record(record=redaction, actor=actor, reason=redaction.reason)


def approve_redaction(*, redaction: AuditRedaction, actor: Actor) -> None:
    """Redact the entries. Raises RedactionRefusedError, e.g. if the actor is the one who asked."""
    with transaction.atomic():
        stored = _decide(redaction=redaction, actor=actor, state=RedactionState.DONE)
        # The verification believes this entry, which is sealed, and not the row of the redaction.
        record_event(
            actor=actor,
            action=AuditAction.EVENT,
            object_name=AuditRedaction.object_name,
            record=stored,
            changes={REDACTED_ENTRIES: stored.entry_ids},
            reason=stored.reason,
        )
        _replace_values(stored.entry_ids)


def refuse_redaction(*, redaction: AuditRedaction, actor: Actor) -> None:
    """Decide that nothing is redacted; whoever asked may do so, too. Raises RedactionRefusedError."""
    with transaction.atomic():
        _decide(redaction=redaction, actor=actor, state=RedactionState.REFUSED)


def _decide(*, redaction: AuditRedaction, actor: Actor, state: RedactionState) -> AuditRedaction:
    _require_permission(actor)
    stored = AuditRedaction.objects.select_for_update(no_key=True).get(pk=redaction.pk)
    if stored.state != RedactionState.REQUESTED:
        raise RedactionRefusedError(f"This redaction was decided already: {stored.get_state_display()}.")
    if state == RedactionState.DONE and stored.created_by_id == actor.user.pk:
        raise RedactionRefusedError("Whoever asked for a redaction cannot approve it. Let somebody else decide.")
    stored.state, stored.decided_by, stored.decided_at = state, actor.user, get_now()
    save_record(record=stored, actor=actor, reason=stored.reason)
    return stored


def _replace_values(entry_ids: list[int]) -> None:
    places = ", ".join("%s" for _ in entry_ids)
    columns = ", ".join(f"{name} = %s" for name in VALUE_COLUMNS)
    values = [get_redacted_text(name) for name in VALUE_COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditentry SET {columns} WHERE id IN ({places})", [*values, *entry_ids])  # noqa: S608  names of columns
        redacted = cursor.rowcount
        cursor.execute(f"UPDATE audit_auditseal SET salt = NULL WHERE entry_id IN ({places})", entry_ids)  # noqa: S608  placeholders
        if {redacted, cursor.rowcount} != {len(entry_ids)}:
            raise RedactionRefusedError("An entry or its seal is missing. Run manage.py verify_audit_trail.")


def _require_permission(actor: Actor) -> None:
    if not has_permission(user=actor.user, permission=AuditRedaction.object_name):
        raise RedactionRefusedError("Your security profile does not allow redactions (admin:redaction).")


def _list_others(entry_ids: Iterable[int], known: object, *, name: str = "id") -> list[int]:
    """Return those of the ids that are not among the known ones."""
    found = set(known.filter(**{f"{name}__in": entry_ids}))  # type: ignore[attr-defined]
    return [each for each in entry_ids if each not in found]
