"""Reads from the activities when a site, or a person in a study, was last in contact and will be next.

Active activities count, clinical and medical. Those of a site are those that name it. Those of a study person are
those of the person, or that name the study person, in the same study, and in the same country and at the same site if
the role has these. So whoever sees a record by its place sees the activities that its dates are of.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import astuple, dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from activities.models import Activity
from ctms.clinical.models import StudyPerson, StudySite
from ctms.core.choices import RecordStatus

Contacted = type[StudySite] | type[StudyPerson]
_DAY = dt.timedelta(days=1)
# A date that is looked for: which activities, from which end.
_LAST, _NEXT, _OVERDUE, _DONE_LATER = "last", "next", "overdue", "done_later"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDates:
    """The dates of one record, in the order of `CONTACT_DATES`; see `ContactedRecord`."""

    last_contact: dt.date | None
    next_contact: dt.date | None
    overdue_since: dt.date | None
    contacts_move_on: dt.date | None


def read_dates(*, model: Contacted, keys: list[int], today: dt.date) -> dict[int, ContactDates]:
    """Return by primary key what the dates of these records are today (UTC): one statement."""
    names = [f"{name}_{index}" for index in range(len(_list_sources(model))) for name in _build_searches(today)]
    found = annotate_dates(records=model.objects.filter(pk__in=keys), today=today).order_by()
    rows = found.values_list("pk", *names)
    return {pk: _combine(names=names, values=values) for pk, *values in rows}


def annotate_dates(*, records: QuerySet[Any], today: dt.date) -> QuerySet[Any]:
    """Annotate each date for each way in which activities belong to a record; each is found at one end of an index."""
    for index, source in enumerate(_list_sources(records.model)):
        activities = Activity.objects.filter(source, status=RecordStatus.ACTIVE)
        for name, (condition, order) in _build_searches(today).items():
            dates = activities.filter(condition).order_by(f"{order}date", f"{order}id").values("date")[:1]
            records = records.annotate(**{f"{name}_{index}": Subquery(dates)})
    return records


def _build_searches(today: dt.date) -> dict[str, tuple[Q, str]]:
    return {
        _LAST: (Q(complete=True, date__lte=today), "-"),
        _NEXT: (Q(complete=False, date__gte=today), ""),
        _OVERDUE: (Q(complete=False, date__lt=today), ""),
        _DONE_LATER: (Q(complete=True, date__gt=today), ""),
    }


def _list_sources(model: type[Any]) -> list[Q]:
    if issubclass(model, StudySite):
        return [Q(site=OuterRef("pk"))]
    place = Q(study=OuterRef("study"))
    for name in ("study_country", "site"):
        place &= Q(**{name: OuterRef(name)}) | Q(IsNull(OuterRef(name), True))  # noqa: FBT003  Django's signature
    # Two statements' worth of conditions, because no index serves "the one or the other" in the order of the dates.
    return [
        place & Q(person=OuterRef("person")),
        place & Q(study_person=OuterRef("pk")) & ~Q(person=OuterRef("person")),
    ]


def _combine(*, names: list[str], values: list[dt.date | None]) -> ContactDates:
    found: dict[str, list[dt.date]] = {name: [] for name in (_LAST, _NEXT, _OVERDUE, _DONE_LATER)}
    for name, value in zip(names, values, strict=True):
        if value is not None:
            found[name.rpartition("_")[0]].append(value)
    next_contact = min(found[_NEXT], default=None)
    moves = [*found[_DONE_LATER], *([next_contact + _DAY] if next_contact else [])]
    return ContactDates(
        last_contact=max(found[_LAST], default=None),
        next_contact=next_contact,
        overdue_since=min(found[_OVERDUE], default=None),
        contacts_move_on=min(moves, default=None),
    )


def differs(*, record: Any, dates: ContactDates) -> bool:
    """Whether the record has others stored."""
    stored = (record.last_contact, record.next_contact, record.overdue_since, record.contacts_move_on)
    return stored != astuple(dates)
