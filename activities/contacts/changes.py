"""Notes which sites, persons and study people need new contact dates, in the transaction that changes an activity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from activities.choices import Contacted
from activities.contacts.writing import write_contacts
from activities.models import Activity, ContactChange
from ctms.audit.change_listeners import Change, register_change_listener
from ctms.clinical.models import StudyPerson, StudySite

# Fields of an activity whose records have dates of it, and those that decide which dates.
_REFERENCES = {"site": Contacted.SITE, "person": Contacted.PERSON, "study_person": Contacted.STUDY_PERSON}
_OF_ACTIVITIES = frozenset({*_REFERENCES, "study", "study_country", "date", "complete", "status"})
_OF_PLACES = frozenset({"person", "study", "study_country", "site"})


def register_contact_listeners() -> None:
    """Register the change listeners; called once, when the app is ready."""
    register_change_listener(Activity, _follow_activities)
    register_change_listener(StudyPerson, partial(_follow_places, kind=Contacted.STUDY_PERSON))
    register_change_listener(StudySite, partial(_follow_places, kind=Contacted.SITE))


def _follow_activities(changes: Sequence[Change]) -> None:
    _note({named for record, changed in changes if _OF_ACTIVITIES & changed.keys() for named in _list(record, changed)})


def _follow_places(changes: Sequence[Change], *, kind: Contacted) -> None:
    """Note those that are new, or restored, or moved; what is deleted has no dates."""
    _note({(kind, record.pk) for record, changed in changes if record.pk is not None and _OF_PLACES & changed.keys()})


def _list(record: Any, changed: dict[str, list[Any]]) -> Iterator[tuple[Contacted, int]]:
    """Yield what an activity refers to now, and what it referred to before."""
    for name, kind in _REFERENCES.items():
        keys = {getattr(record, f"{name}_id"), *changed.get(name, ())}
        yield from ((kind, key) for key in keys if isinstance(key, int))


def _note(named: set[tuple[Contacted, int]]) -> None:
    if named:
        ContactChange.objects.bulk_create([ContactChange(kind=kind, record=key) for kind, key in sorted(named)])
        # Not at once: the records would stay locked until the end of a transaction that may wait for others, which wait
        # for these records. Should it fail, the next change or the next minute does it.
        transaction.on_commit(write_contacts, robust=True)
