"""Where the addresses of merged records lead."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from ctms.configuration.registry import get_object_of_model
from ctms.records.access import ObjectAccess
from ctms.records.models import MergedRecord


def find_winner(*, access: ObjectAccess, uid: UUID) -> Any:
    """Return the record that the record of this uid was merged into; None if there is none that the user sees."""
    merged = MergedRecord.objects.filter(of_object=access.shape.api_name, record_uid=uid).first()
    return access.list_records().filter(uid=merged.into_uid).first() if merged else None


def find_winners(*, access: ObjectAccess, uids: Collection[UUID]) -> dict[UUID, Any]:
    """Return for each of these uids whose record was merged the one that it was merged into, if the user sees it."""
    merged = MergedRecord.objects.filter(of_object=access.shape.api_name, record_uid__in=uids)
    into = dict(merged.values_list("record_uid", "into_uid"))
    winners = {each.uid: each for each in access.list_records().filter(uid__in=into.values())} if into else {}
    return {uid: winners[winner] for uid, winner in into.items() if winner in winners}


def keep_redirect(*, winner: Any, loser: Any) -> None:
    """Let the uid of `loser`, and of all that were merged into it before, lead to `winner`."""
    MergedRecord.objects.filter(into_uid=loser.uid).update(into_uid=winner.uid)
    vault_object = get_object_of_model(type(loser))
    is_told = vault_object is not None and vault_object.is_mergeable
    MergedRecord.objects.create(
        of_object=loser.object_name,
        record_uid=loser.uid,
        into_uid=winner.uid,
        values=_list_texts(loser) if is_told else {},
    )


def _list_texts(loser: Any) -> dict[str, str]:
    """Return the texts by which a CRM may still know the record; what is merged along with one is known by none."""
    texts = {
        each.attname: value
        for each in loser._meta.concrete_fields
        if isinstance(value := getattr(loser, each.attname), str) and value
    }
    custom = {f"custom_fields__{name}": str(value) for name, value in (loser.custom_fields or {}).items()}
    return {**texts, **custom, "uid": str(loser.uid)}
