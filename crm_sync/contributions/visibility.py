"""Who sees what the transfer remembers of records: who sees the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.models import AccountMatch, Difference, PreviewRow, TransferAttempt, TransferLink
from ctms.accounts.policies import list_visible, register_limit
from ctms.clinical.access import limit_to_records_named, sees_all_studies
from ctms.clinical.models import Person

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ctms.accounts.models import User


def register_limits() -> None:
    """Register who sees the rows; called once, when the app is ready."""
    for model in (TransferLink, TransferAttempt, Difference, PreviewRow):
        register_limit(model=model, limit=limit_to_records_named)
    register_limit(model=AccountMatch, limit=limit_to_known_matches)


def limit_to_known_matches(matches: QuerySet[AccountMatch], user: User) -> QuerySet[AccountMatch]:
    """Filter for the accounts of persons whom the user sees."""
    if sees_all_studies(user):
        return matches
    return matches.filter(person__in=list_visible(Person._default_manager.order_by(), user))
