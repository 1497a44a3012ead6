"""Records that say when their people were last in contact with a study team, and when they will be next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from django.db import models
from django.db.models.expressions import Combinable
from django.utils import timezone

from ctms.configuration.study_record import StudyRecord
from ctms.core.days import DaysUntil

CONTACT_DATES = ("last_contact", "next_contact", "overdue_since", "contacts_move_on")


class ContactedRecord(StudyRecord):
    """A site, or the role of a person: the dates of the activities there. The app `activities` writes them.

    They follow from Active activities, clinical and medical, and no change of them is a change of the record. All go by
    the day in UTC; `contacts_move_on` is the first day on which they are others although no activity changed.
    """

    last_contact = models.DateField(
        null=True, blank=True, editable=False, help_text="The newest complete activity until today."
    )
    next_contact = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text="The earliest planned activity from today on, which is not complete.",
    )
    overdue_since = models.DateField(
        null=True, blank=True, editable=False, help_text="The oldest activity before today that is not complete."
    )
    contacts_move_on = models.DateField(null=True, blank=True, editable=False)

    derived_fields: ClassVar[frozenset[str]] = frozenset(CONTACT_DATES)
    bookkeeping_fields = StudyRecord.bookkeeping_fields | derived_fields

    database_expressions: ClassVar[Mapping[str, Callable[[str], Combinable]]] = {
        "days_since_contact": lambda lead: DaysUntil(f"{lead}last_contact", timezone.localdate())
    }

    class Meta:
        abstract = True

    @property
    def days_since_contact(self) -> int | None:
        """How many days ago the last contact was, by the time zone of whoever looks; None if there was none."""
        return (timezone.localdate() - self.last_contact).days if self.last_contact else None
