"""Writes the contact dates of sites and study people: after each change of activities, and when a day has passed.

A transaction of this module that waits for a lock holds no other, and one that holds several waits for none. So it can
be part of no deadlock, whatever others lock in whichever order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from activities.choices import Contacted
from activities.contacts.dates import Contacted as Model
from activities.contacts.dates import differs, read_dates
from activities.models import ContactChange
from ctms.audit.services import mark_each
from ctms.clinical.models import StudyPerson, StudySite
from ctms.clinical.models.contacts import CONTACT_DATES
from ctms.core.clock import get_now

CHANGES = 2_000  # read at once
RECORDS = 1_000  # locked at once
MODELS: tuple[Model, ...] = (StudySite, StudyPerson)


def write_contacts() -> int:
    """Write the dates that noted changes have made others; return how many records got other dates.

    Each change is deleted once the dates that it is about are written, so that none is lost if the process dies.
    """
    written, last, found = 0, 0, CHANGES
    while found == CHANGES:
        changes = list(ContactChange.objects.filter(pk__gt=last).order_by("pk")[:CHANGES])
        found = len(changes)
        for model, keys in _find_records(changes).items():
            written += _write_all(model=model, keys=keys)
        if changes:
            _forget(changes)
            last = changes[-1].pk
    return written


def move_on() -> int:
    """Write the dates that are others because a day has passed; return how many records got other dates."""
    written = 0
    for model in MODELS:
        for keys in _read_batches(model.objects.filter(contacts_move_on__lte=get_now().date())):
            written += _write_all(model=model, keys=keys)
    return written


def rebuild_contacts(*, is_check: bool = False) -> dict[str, int]:
    """Compare all dates with the activities, and write those that differ; return how many did, by object.

    With `is_check` nothing is written but what waits for being written anyway.
    """
    counts = {}
    for model in MODELS:
        counts[model.object_name] = 0
        for keys in _read_batches(model.objects.all()):
            doubtful = _list_differing(model=model, keys=keys)
            if doubtful:
                # What somebody changes at this moment, or what is due since midnight, is no mistake.
                write_contacts()
                move_on()
                doubtful = _list_differing(model=model, keys=doubtful)
            counts[model.object_name] += len(doubtful)
            if not is_check:
                _write_all(model=model, keys=doubtful)
    return counts


def _find_records(changes: Sequence[ContactChange]) -> dict[Model, list[int]]:
    """Return by model the keys of the records whose dates the changes are about."""
    named: dict[str, set[int]] = {kind: set() for kind in Contacted.values}
    in_studies = {(change.record, change.study) for change in changes if change.kind == Contacted.PERSON}
    for change in changes:
        named[change.kind].add(change.record)
    people = named[Contacted.STUDY_PERSON]
    if persons := named[Contacted.PERSON]:
        roles = StudyPerson.objects.filter(person__in=persons, study__in={study for _, study in in_studies}).order_by()
        rows = roles.values_list("pk", "person", "study")
        people = people.union(pk for pk, person, study in rows if (person, study) in in_studies)
    found: dict[Model, set[int]] = {StudySite: named[Contacted.SITE], StudyPerson: people}
    return {model: sorted(keys) for model, keys in found.items() if keys}


def _forget(changes: Iterable[ContactChange]) -> None:
    """Delete changes but for those that another process is deleting."""
    with transaction.atomic():
        mine = ContactChange.objects.filter(pk__in=[change.pk for change in changes]).order_by("pk")
        keys = list(mine.select_for_update(skip_locked=True).values_list("pk", flat=True))
        ContactChange.objects.filter(pk__in=keys).delete()


def _write_all(*, model: Model, keys: list[int]) -> int:
    """Write the dates of these records; return how many got others.

    First of those that nobody has locked, together; then of each other, one by one, once it is free.
    """
    written = 0
    for start in range(0, len(keys), RECORDS):
        batch = keys[start : start + RECORDS]
        changed, locked = _write(model=model, keys=batch, waits=False)
        written += changed
        for key in batch:
            if key not in locked:
                written += _write(model=model, keys=[key], waits=True)[0]
    return written


def _write(*, model: Model, keys: list[int], waits: bool) -> tuple[int, set[int]]:
    """Write the dates of records; return how many got others, and the keys of those that could be locked."""
    with transaction.atomic():
        free = model.objects.filter(pk__in=keys).order_by("pk").select_for_update(no_key=True, skip_locked=not waits)
        records = {record.pk: record for record in free}
        # A statement of its own, so that it sees what those have committed who had locked the records before.
        dates = read_dates(model=model, keys=list(records), today=get_now().date()) if records else {}
        changed = [record for pk, record in records.items() if differs(record=record, dates=dates[pk])]
        for record in changed:
            for name, value in asdict(dates[record.pk]).items():
                setattr(record, name, value)
        mark_each(records=changed, names=CONTACT_DATES)
    return len(changed), set(records)


def _list_differing(*, model: Model, keys: list[int]) -> list[int]:
    dates = read_dates(model=model, keys=keys, today=get_now().date())
    stored = model.objects.filter(pk__in=keys).order_by("pk").only("pk", *CONTACT_DATES)
    return [record.pk for record in stored if record.pk in dates and differs(record=record, dates=dates[record.pk])]


def _read_batches(records: QuerySet[Any]) -> Iterator[list[int]]:
    """Yield the primary keys of the records, ascending."""
    last = 0
    ordered = records.order_by("pk").values_list("pk", flat=True)
    while keys := list(ordered.filter(pk__gt=last)[:RECORDS]):
        yield keys
        last = keys[-1]
