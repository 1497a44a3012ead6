"""The last and the next contact at the top of a person's page, over all studies that its reader sees.

A person works for several studies, so that a stored date would tell of studies that a reader does not see. This is read
from the activities that the reader sees, by the reader's day; lists have the dates of study people.
"""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

from django.db.models import Max, Min, Q
from django.urls import reverse
from django.utils import formats, timezone

from activities.models import Activity
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.pages.notices import NoticePart, RecordNotice, register_record_notice


def register_contact_notices() -> None:
    """Register the notice; called once, when the app is ready."""
    register_record_notice(Person.object_name, _tell_contacts)


def _tell_contacts(access: ObjectAccess, record: Person) -> list[RecordNotice]:
    activities = open_related(access=access, object_name=Activity.object_name)
    if activities is None:
        return []
    today = timezone.localdate()
    is_open = Q(complete=False)
    found = (
        activities.list_records()
        .filter(person=record, status=RecordStatus.ACTIVE)
        .aggregate(
            last=Max("date", filter=Q(complete=True, date__lte=today)),
            next=Min("date", filter=is_open & Q(date__gte=today)),
            overdue=Min("date", filter=is_open & Q(date__lt=today)),
        )
    )
    told = [
        *_tell("Last contact", found["last"], {"complete__v": "true", "sort": "-date__v"}, note=_count(found["last"])),
        *_tell("Next contact", found["next"], {"complete__v": "false", "sort": "date__v"}),
        *_tell("Overdue since", found["overdue"], {"complete__v": "false", "date__v__within": "past"}),
    ]
    of_person = {"person__v": str(record.uid), "status__v": RecordStatus.ACTIVE.value}
    parts: list[NoticePart] = []
    for text, filters, note in told:
        url = f"{reverse('record_list', args=(Activity.object_name,))}?{urlencode(of_person | filters)}"
        parts += [NoticePart(text=text, url=url), NoticePart(text=f"{note}. ")]
    return [RecordNotice(parts=tuple(parts), icon="event", is_warning=False)] if parts else []


def _tell(
    label: str, day: dt.date | None, filters: dict[str, str], *, note: str = ""
) -> list[tuple[str, dict[str, str], str]]:
    return [(f"{label} {formats.date_format(day)}", filters, note)] if day is not None else []


def _count(day: dt.date | None) -> str:
    """Return how long ago a day was, to be read after it."""
    days = (timezone.localdate() - day).days if day is not None else 0
    if days == 0:
        return ", today"
    return ", yesterday" if days == 1 else f", {days:,} days ago"
