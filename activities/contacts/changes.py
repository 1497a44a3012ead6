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

# Fields of an activity that decide whose dates it is one of, and which.
_OF_ACTIVITIES = frozenset({"site", "person", "study_person", "study", "study_country", "date", "complete", "status"})
# A kind, the primary key of a record, and that of the study where it is a person.
_Named = tuple[Contacted, int, int | None]
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
    _note(
        {
            (kind, record.pk, None)
            for record, changed in changes
            if record.pk is not None and _OF_PLACES & changed.keys()
        }
    )


def _list(record: Any, changed: dict[str, list[Any]]) -> Iterator[_Named]:
    """Yield what an activity refers to now, and what it referred to before."""
    yield from ((Contacted.SITE, key, None) for key in _list_keys(record, changed, "site"))
    yield from ((Contacted.STUDY_PERSON, key, None) for key in _list_keys(record, changed, "study_person"))
    people, studies = (_list_keys(record, changed, name) for name in ("person", "study"))
    yield from ((Contacted.PERSON, person, study) for person in people for study in studies)


def _list_keys(record: Any, changed: dict[str, list[Any]], name: str) -> set[int]:
    return {key for key in (getattr(record, f"{name}_id"), *changed.get(name, ())) if isinstance(key, int)}


def _note(named: set[_Named]) -> None:
    if named:
        ContactChange.objects.bulk_create(
            [ContactChange(kind=kind, record=key, study=study) for kind, key, study in sorted(named, key=str)]
        )
        # Not at once: the records would stay locked until the end of a transaction that may wait for others, which wait
        # for these records. Should it fail, the next change or the next minute does it.
        transaction.on_commit(write_contacts, robust=True)
