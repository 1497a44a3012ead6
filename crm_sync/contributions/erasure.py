"""Forgets the values of an erased person in what the transfer keeps: matches, attempts, differences and previews."""

from __future__ import annotations

from crm_sync.models import AccountMatch, Difference, PreviewRow, TransferAttempt
from ctms.clinical.erasure import ErasedPerson, register_eraser


def register_transfer_eraser() -> None:
    """Register the eraser; called once, when the app is ready."""
    register_eraser(_erase)


def _erase(erased: ErasedPerson) -> int:
    matches, _ = AccountMatch.objects.filter(person_id=erased.pk).delete()
    return (
        matches
        + erased.clean_rows(TransferAttempt.objects.all(), fields=("values",))
        + erased.clean_rows(Difference.objects.all(), fields=("name", "fields"))
        + erased.clean_rows(PreviewRow.objects.all(), fields=("name", "reason", "fields"))
    )
