"""A user's latest changes, from the audit trail."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from ctms.accounts.models import User
from ctms.audit.change_sets import UNDO, WRITES, ChangeSet, find_change_set
from ctms.audit.models import AuditEntry
from ctms.audit.reading import HIDDEN, get_object_label
from ctms.audit.selectors import list_seen_uids
from ctms.configuration.registry import get_object, list_record_objects
from ctms.records.fields.record_links import find_links
from ctms.records.undo.history import find_main
from ctms.records.undo.offers import get_undo_url, name_change_set

_ENTRIES_READ = 500
_SHOWN = 50
_VERBS = {"created": "created", "changed": "changed", "deleted": "deleted", "restored": "brought back"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentChange:
    """A change set of the user's: when, what, and the URL that undoes it."""

    at: dt.datetime
    what: str
    name: str
    url: str
    undo_url: str


def list_recent_changes(*, user: User) -> list[RecentChange]:
    """Return the user's latest change sets, the newest first, read from their latest entries."""
    names = [each.api_name for each in list_record_objects()]
    entries = AuditEntry.objects.filter(actor=user, action__in=WRITES, object_name__in=names).order_by("-id")
    sets: dict[ChangeSet, list[AuditEntry]] = {}
    for entry in entries[:_ENTRIES_READ]:
        change_set = find_change_set(entry)
        if change_set is not None and entry.record_uid is not None:
            sets.setdefault(change_set, []).append(entry)
    shown = list(sets.items())[:_SHOWN]
    firsts = [find_main(found[::-1]) for _, found in shown]
    links = find_links(user=user, references=[(each.object_name, _uid(each)) for each in firsts])
    seen = list_seen_uids(uids={_uid(each) for each in firsts}, user=user)
    changes = []
    for (change_set, found), first in zip(shown, firsts, strict=True):
        link = links.get(_uid(first))
        changes.append(
            RecentChange(
                at=first.at,
                what=_describe(change_set=change_set, found=found, first=first),
                name=link.label if link else _name(first) if _uid(first) in seen else HIDDEN,
                url=link.url if link else "",
                undo_url=get_undo_url(change_set),
            )
        )
    return changes


def _name(entry: AuditEntry) -> str:
    """Return the name of a deleted record; its caption, as it was, if its name is only a code."""
    vault_object = get_object(entry.object_name)
    if vault_object.caption_field and "name__v" in vault_object.generated_fields:
        pair = entry.changes.get(vault_object.fields[vault_object.caption_field])
        if isinstance(pair, list) and pair[0]:
            return str(pair[0])
    return entry.record_name


def _describe(*, change_set: ChangeSet, found: list[AuditEntry], first: AuditEntry) -> str:
    number = len({entry.record_uid for entry in found})
    what = f"{get_object_label(first)} {_VERBS[first.action]}"
    if change_set.kind == UNDO:
        what = f"{what} by an undo"
    elif name_change_set(change_set) != "change":
        what = f"{what} in a {name_change_set(change_set)}"
    return f"{what}, and {number - 1:,} more" if number > 1 else what


def _uid(entry: AuditEntry) -> UUID:
    if entry.record_uid is None:
        raise TypeError("These entries name a record.")
    return entry.record_uid
