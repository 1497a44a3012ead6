"""Activities: interactions with a person of a trial, logged by a study team or received from a Medical CRM."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from activities.choices import ActivityType, Channel, Contacted
from connections.models import Connection
from ctms.clinical.models import (
    MonitoringEvent,
    Person,
    Study,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.clinical.models.owners import OwnedRecord
from ctms.configuration.study_record import StudyRecord
from ctms.core.choices import RecordStatus
from ctms.core.text.expressions import collate

_OPEN = Q(complete=False, status=RecordStatus.ACTIVE)


class Activity(OwnedRecord):
    """A Clinical Activity, which is sent to the CRM, or a Medical Activity, received from it and never edited here."""

    object_name = "crm_activity__v"

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="activities", db_index=False)
    date = models.DateField()
    channel = models.CharField(max_length=32, choices=Channel.choices)
    complete = models.BooleanField(default=False)
    from_text = models.CharField("from", max_length=400, blank=True, default="", editable=False)
    subject = models.CharField(max_length=500, blank=True, default="")
    notes = models.TextField(blank=True, default="")
    study = models.ForeignKey(
        Study, on_delete=models.PROTECT, null=True, blank=True, related_name="activities", db_index=False
    )
    study_country = models.ForeignKey(
        StudyCountry, on_delete=models.PROTECT, null=True, blank=True, related_name="activities", db_index=False
    )
    site = models.ForeignKey(
        StudySite, on_delete=models.PROTECT, null=True, blank=True, related_name="activities", db_index=False
    )
    study_person = models.ForeignKey(
        StudyPerson, on_delete=models.PROTECT, null=True, blank=True, related_name="activities", db_index=False
    )
    monitoring_event = models.ForeignKey(
        MonitoringEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="activities"
    )
    study_communication = models.ForeignKey(
        StudyCommunicationLog, on_delete=models.PROTECT, null=True, blank=True, related_name="activities"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # Written by the job Generate Clinical Activities, one per source and person, and updated with the source.
    is_generated = models.BooleanField("generated", default=False, editable=False)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, blank=True, related_name="activities", editable=False
    )
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="", editable=False)

    class Meta:
        verbose_name = "activity"
        verbose_name_plural = "activities"
        ordering = ("-date", "-id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(object_type=ActivityType.CLINICAL, connection__isnull=True, crm_id="")
                | (Q(object_type=ActivityType.MEDICAL, connection__isnull=False) & ~Q(crm_id="")),
                name="medical_activity_has_its_origin",
                violation_error_message="Object type: a Medical Activity has a connection and a CRM id, a Clinical "
                "Activity has neither.",
            ),
            models.UniqueConstraint(
                fields=("connection", "crm_id"),
                condition=~Q(crm_id=""),
                name="crm_call_received_once",
                violation_error_message="CRM id: this call was received already.",
            ),
            models.UniqueConstraint(
                fields=("monitoring_event", "person"),
                condition=Q(is_generated=True),
                name="generated_once_per_event_and_person",
                violation_error_message="Person: this person's activity of the monitoring event exists already.",
            ),
            models.UniqueConstraint(
                fields=("study_communication", "person"),
                condition=Q(is_generated=True),
                name="generated_once_per_communication_and_person",
                violation_error_message="Person: this person's activity of the communication exists already.",
            ),
            models.CheckConstraint(
                condition=Q(is_generated=False)
                | Q(monitoring_event__isnull=False, study_communication__isnull=True)
                | Q(monitoring_event__isnull=True, study_communication__isnull=False),
                name="generated_activity_has_one_source",
                violation_error_message="Monitoring event, Study communication: a generated activity keeps the one "
                "source that it was generated from.",
            ),
        ]
        indexes: ClassVar = [
            # It holds all that says who sees an activity, so that those of hidden studies are passed over in the index.
            models.Index(
                fields=("-date", "-id", "study", "created_by", "object_type"), name="activity_by_date_and_sight"
            ),
            # These replace indexes on the references alone: a record's activities are listed by date, newest first.
            models.Index(fields=("person", "-date", "-id"), name="activity_of_person"),
            models.Index(fields=("study", "-date", "-id"), name="activity_of_study"),
            models.Index(fields=("study_country", "-date", "-id"), name="activity_of_study_country"),
            models.Index(fields=("site", "-date", "-id"), name="activity_of_site"),
            models.Index(fields=("study_person", "-date", "-id"), name="activity_of_study_person"),
            models.Index(fields=("owner", "-date", "-id"), name="activity_of_owner"),
            models.Index(fields=("object_type", "modified_at"), name="activity_by_change"),
            # What is open is little, however much is complete.
            models.Index(fields=("site", "date"), condition=_OPEN, name="activity_open_of_site"),
            models.Index(fields=("person", "date"), condition=_OPEN, name="activity_open_of_person"),
        ]

    @classmethod
    def list_holding(cls, records: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Leave out generated activities: the job lets them follow their visit or communication."""
        return records.filter(is_generated=False)

    @property
    def takes_owner(self) -> bool:
        """Whether it is to be seen to here: a Medical Activity was seen to by the medical team."""
        return self.object_type != ActivityType.MEDICAL

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or ActivityType.CLINICAL
        super().prepare_for_save()

    def build_name(self) -> str:
        # Made from the record's random UID, because all writers would have to wait for a common counter.
        return "ACT-" + base64.b32encode(self.uid.bytes)[:8].decode()


class DeclinedActivity(models.Model):
    """A generated activity that a user deleted, so that the next change of its source does not bring it back."""

    monitoring_event = models.ForeignKey(MonitoringEvent, on_delete=models.CASCADE, null=True, related_name="+")
    study_communication = models.ForeignKey(
        StudyCommunicationLog, on_delete=models.CASCADE, null=True, related_name="+"
    )
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name_plural = "declined activities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("monitoring_event", "person"), name="declined_once_per_event_and_person"),
            models.UniqueConstraint(
                fields=("study_communication", "person"), name="declined_once_per_communication_and_person"
            ),
            models.CheckConstraint(
                condition=Q(monitoring_event__isnull=False, study_communication__isnull=True)
                | Q(monitoring_event__isnull=True, study_communication__isnull=False),
                name="declined_activity_has_one_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.monitoring_event or self.study_communication}: {self.person}"


class ContactChange(models.Model):
    """A site, study person, or person in a study, whose contact dates have to be written anew.

    It is created in the transaction of the change, and deleted once the dates are written. `record` and `study` are
    primary keys, without constraints, since what is gone has no dates.
    """

    kind = models.CharField(max_length=20, choices=Contacted.choices)
    record = models.BigIntegerField()
    study = models.BigIntegerField(null=True)  # of a person

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=Contacted.PERSON, study__isnull=False)
                | Q(kind__in=[Contacted.SITE, Contacted.STUDY_PERSON], study__isnull=True),
                name="contact_change_is_of_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.record}"


class ActivityTemplate(StudyRecord):
    """Words that a study's activities begin with: a subject, an outline of the notes, perhaps a channel."""

    object_name = "activity_template__v"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="activity_templates")
    channel = models.CharField(max_length=32, choices=Channel.choices, blank=True, default="")
    subject = models.CharField(max_length=500, blank=True, default="")
    notes = models.TextField(blank=True, default="", help_text="an outline, such as the questions to ask")

    class Meta:
        verbose_name = "activity template"
        verbose_name_plural = "activity templates"
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(name=""),
                name="activity_template_has_a_name",
                violation_error_message="Name: fill in what the template is for.",
            ),
            models.CheckConstraint(
                condition=~Q(subject="") | ~Q(notes=""),
                name="activity_template_has_words",
                violation_error_message="Subject, Notes: fill in one of them.",
            ),
        ]
        indexes: ClassVar = [models.Index(collate("name"), "id", name="activity_template_list")]
