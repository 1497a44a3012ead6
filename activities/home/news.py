"""The panel of what happened since the user was last here: changes by others, calls received, and what failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from activities.choices import ActivityType
from activities.home.whose import ACTIVE, build_list_url, limit, open_activities
from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import sees_all_studies
from ctms.audit.change_sets import WRITES
from ctms.audit.models import AuditEntry
from ctms.clinical.assignments import read_assigned
from ctms.clinical.models import Person, Study, StudySite
from ctms.configuration.registry import list_record_objects
from ctms.core.clock import get_now
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.conditions.mine import ME, OWNER
from ctms.records.fields.record_links import RecordLink, find_links
from ctms.records.pages.home import HomeRequest, describe_age
from exceptions_log.at_sites import list_open_at_sites

CHANGES_SHOWN = 10
CALLS_SHOWN = 5
FAILURES_SHOWN = 5
# Who was never here before, or whose session began before there was a note of it, is told of this time.
USUAL_SPAN = dt.timedelta(days=7)
_ENTRIES_READ = 300
# Reading further back would tell more than anybody reads.
_LONGEST_SPAN = dt.timedelta(days=60)
_PEOPLE = ("page", "api", "admin", "import")
_VERBS = {"created": "created by", "changed": "changed by", "restored": "brought back by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened with a record: what, and how long ago. `more` counts further changes of the same."""

    link: RecordLink
    what: str
    age: str
    more: int = 0
    is_warning: bool = False


def build_news(request: HomeRequest) -> dict[str, Any] | None:
    """Return the panel's context: the newest first of each kind. Takes as many statements whatever happened."""
    user, now = request.user, get_now()
    since = max(request.since or now - USUAL_SPAN, now - _LONGEST_SPAN)
    failures = _list_failures(user, since=since)
    calls = _list_calls(user, since=since)
    entries = _list_entries(user, since=since)
    references: list[tuple[str, UUID]] = [
        *((item.record_object, item.record_uid) for item in failures if item.record_uid is not None),
        *((call.object_name, call.uid) for call in calls),
        *((entry.object_name, entry.record_uid) for entry in entries if entry.record_uid is not None),
    ]
    links = find_links(user=user, references=references)
    changes = _tell_changes(entries, links=links)
    return {
        "title": "Since you were last here" if request.since else "In the last seven days",
        "since": since if request.since else None,
        "failures": [
            Happening(
                link=links[each.record_uid],
                what=each.error_message,
                age=describe_age(each.first_failed_at),
                is_warning=True,
            )
            for each in failures
            if each.record_uid in links
        ],
        "calls": [
            Happening(link=links[each.uid], what="received from the Medical CRM", age=describe_age(each.modified_at))
            for each in calls[:CALLS_SHOWN]
            if each.uid in links
        ],
        "calls_url": _build_calls_url() if len(calls) > CALLS_SHOWN else "",
        "changes": changes[:CHANGES_SHOWN],
        "has_more": len(changes) > CHANGES_SHOWN,
    }


def _list_failures(user: User, *, since: dt.datetime) -> list[Any]:
    """Return what began to fail at the user's sites and still does."""
    try:
        sites = open_object(user=user, object_name=StudySite.object_name)
    except AccessRefusedError:
        return []
    mine = limit(access=sites, filters={OWNER: ME, **ACTIVE}).order_by().values("pk")
    items = list_open_at_sites(user=user, sites=mine).filter(first_failed_at__gt=since)
    return list(items.order_by("-first_failed_at", "-pk")[:FAILURES_SHOWN])


def _list_calls(user: User, *, since: dt.datetime) -> list[Activity]:
    """Return the calls that were received, or received anew, with one more than are shown."""
    access = open_activities(user)
    if access is None:
        return []
    received = access.list_records().filter(object_type=ActivityType.MEDICAL, modified_at__gt=since)
    return list(received.order_by("-modified_at", "-pk")[: CALLS_SHOWN + 1])


def _build_calls_url() -> str:
    return build_list_url(
        Activity.object_name, {"object_type__v": ActivityType.MEDICAL.value}, sort="-modified_date__v"
    )


def _list_entries(user: User, *, since: dt.datetime) -> list[AuditEntry]:
    """Return the latest entries of other people about records, of the studies that the user is assigned to.

    A record of no study, such as a person, is named by its link, which leads only to what the user sees.
    """
    names = {each.api_name for each in list_record_objects()}
    entries = AuditEntry.objects.filter(at__gt=since, action__in=[*WRITES], source__in=_PEOPLE).exclude(actor=user)
    assigned = read_assigned(user).studies
    uids = list(Study.objects.filter(pk__in=assigned).values_list("uid", flat=True))
    if uids or not sees_all_studies(user=user):
        entries = entries.filter(Q(study_uid__in=uids) | Q(study_uid__isnull=True, object_name=Person.object_name))
    return list(entries.filter(object_name__in=names).order_by("-id")[:_ENTRIES_READ])


def _tell_changes(entries: Sequence[AuditEntry], *, links: dict[UUID, RecordLink]) -> list[Happening]:
    """Return what happened with each record last, the newest first, and how much before that."""
    by_record: dict[UUID, list[AuditEntry]] = {}
    for entry in entries:
        if entry.record_uid in links and entry.action in _VERBS:
            by_record.setdefault(entry.record_uid, []).append(entry)
    return [
        Happening(
            link=links[uid],
            what=f"{_VERBS[found[0].action]} {found[0].actor_name}",
            age=describe_age(found[0].at),
            more=len(found) - 1,
        )
        for uid, found in by_record.items()
    ]
