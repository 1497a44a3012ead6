"""What waits with people who cannot see to it: their account has ended, or they do not see the study any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from ctms.accounts.models import User
from ctms.records.access import ObjectAccess
from ctms.records.bulk.handing_over.owned import limit_to_open, list_owned, open_owned
from ctms.records.fields.users import build_waiting, list_users


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOwner:
    """A user whose open records wait. `parts` are labels and numbers of records, `why` says why they wait."""

    user: User
    parts: tuple[tuple[str, int], ...]
    why: str

    @property
    def url(self) -> str:
        return reverse("hand_over_user", args=(self.user.uid,))

    @property
    def text(self) -> str:
        """What waits, such as `Sites: 2, Visits that are not final: 5`."""
        return ", ".join(f"{label}: {number:,}" for label, number in self.parts)


def list_waiting(
    access: ObjectAccess, *, only_sites: bool = False, owner: User | None = None, action: str = "edit"
) -> list[WaitingOwner]:
    """Return whose records wait among those that the user sees and may hand over, or read; only those of `owner`.

    Takes a statement for each object, and one for the users.
    """
    found: dict[int, list[tuple[str, int]]] = {}
    for owned, opened in open_owned(access, action=action):
        if only_sites and not owned.is_site:
            continue
        records = limit_to_open(owned, opened.list_records()).filter(build_waiting(owned.model))
        if owner is not None:
            records = records.filter(owner=owner)
        for key, number in _count_by_owner(records):
            found.setdefault(key, []).append((owned.label, number))
    return _name_owners(found)


def is_waiting(record: Any) -> bool:
    """Whether the owner of a site cannot see to it. Takes a statement."""
    model = type(record)
    owned = any(each.model is model for each in list_owned())
    return owned and model._default_manager.filter(Q(pk=record.pk), build_waiting(model)).exists()


def _count_by_owner(records: QuerySet[Any]) -> list[tuple[int, int]]:
    return list(records.order_by().values_list("owner").annotate(number=Count("pk")))


def _name_owners(found: dict[int, list[tuple[str, int]]]) -> list[WaitingOwner]:
    if not found:
        return []
    able = set(list_users().filter(pk__in=found).values_list("pk", flat=True))
    users = User.objects.filter(pk__in=found).order_by("last_name", "first_name", "username")
    return [
        WaitingOwner(
            user=user,
            parts=tuple(found[user.pk]),
            why=_explain_waiting(user, is_able=user.pk in able),
        )
        for user in users
    ]


def _explain_waiting(user: User, *, is_able: bool) -> str:
    if is_able:
        return "does not see them any more"
    return "is the account of a program" if user.is_service_account else "cannot log in any more"
