"""Monitoring events with their participants, and study communications with their contacts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from ctms.clinical.choices import (
    CommunicationType,
    Direction,
    MonitoringEventState,
    MonitoringEventType,
    VisitMethod,
)
from ctms.clinical.consistency import check_order
from ctms.clinical.models.owners import OwnedRecord
from ctms.clinical.models.people import Person
from ctms.clinical.models.studies import Study, StudyCountry, StudySite
from ctms.configuration.study_record import StudyRecord
from ctms.core.text.expressions import collate


class MonitoringEvent(OwnedRecord):
    """A visit to a site, on site or remote; the object type is the kind of visit."""

    object_name = "monitoring_event__ctms"
    name_follows = True

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="monitoring_events", db_index=False)
    study_country = models.ForeignKey(StudyCountry, on_delete=models.PROTECT, related_name="monitoring_events")
    site = models.ForeignKey(StudySite, on_delete=models.PROTECT, related_name="monitoring_events")
    lifecycle_state = models.CharField(
        max_length=32, choices=MonitoringEventState.choices, default=MonitoringEventState.EXPECTED
    )
    planned_start = models.DateField(null=True, blank=True)
    planned_end = models.DateField(null=True, blank=True)
    actual_start = models.DateField(null=True, blank=True)
    actual_end = models.DateField(null=True, blank=True)
    visit_method = models.CharField(
        "monitoring visit method", max_length=32, choices=VisitMethod.choices, blank=True, default=""
    )
    # Set by whatever changes the record or its people, cleared by the job that follows: no change of the record itself.
    activity_update_required = models.BooleanField(default=False, editable=False)

    bookkeeping_fields = StudyRecord.bookkeeping_fields | {"activity_update_required"}

    class Meta:
        verbose_name = "monitoring event"
        verbose_name_plural = "monitoring events"
        ordering = ("-planned_start", "-id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(object_type__in=MonitoringEventType.values),
                name="monitoring_event_type_is_known",
                violation_error_message=f"Object type: choose one of {', '.join(MonitoringEventType.labels)}.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=("id",), condition=Q(activity_update_required=True), name="monitoring_event_flagged"),
            models.Index(F("planned_start").desc(nulls_last=True), F("id").desc(), name="monitoring_event_list"),
            # Instead of one on the study alone: who sees one study lists its events by date.
            models.Index("study", F("planned_start").desc(nulls_last=True), F("id").desc(), name="event_of_study"),
        ]

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or MonitoringEventType.INTERIM_MONITORING_VISIT
        super().prepare_for_save()

    def build_name(self) -> str:
        label = dict(MonitoringEventType.choices).get(self.object_type, self.object_type)
        return f"{label} {self.planned_start or ''}".strip()

    def clean(self) -> None:
        super().clean()
        check_order(record=self, start="planned_start", end="planned_end")
        check_order(record=self, start="actual_start", end="actual_end")


class MonitoringEventParticipant(StudyRecord):
    """A person who takes part in a monitoring event."""

    object_name = "monitoring_event_participant__ctms"
    name_follows = True

    monitoring_event = models.ForeignKey(MonitoringEvent, on_delete=models.PROTECT, related_name="participants")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="monitoring_event_participations")
    role = models.CharField(max_length=128, blank=True, default="")

    class Meta:
        verbose_name = "monitoring event participant"
        verbose_name_plural = "monitoring event participants"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("monitoring_event", "person"),
                name="participant_once_per_event",
                violation_error_message="This person takes part in the event already.",
            ),
        ]
        indexes: ClassVar = [models.Index(collate("name"), "id", name="participant_list")]

    def build_name(self) -> str:
        return self.person.full_name if self.person_id else ""


class StudyCommunicationLog(StudyRecord):
    """A communication with people of a study; the object type is the means, e.g. email."""

    object_name = "study_communication_log__ctms"
    name_follows = True

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="communications", db_index=False)
    study_country = models.ForeignKey(
        StudyCountry, on_delete=models.PROTECT, null=True, blank=True, related_name="communications"
    )
    site = models.ForeignKey(StudySite, on_delete=models.PROTECT, null=True, blank=True, related_name="communications")
    date = models.DateField(null=True, blank=True)
    subject = models.CharField(max_length=500, blank=True, default="")
    summary = models.TextField(blank=True, default="")
    direction = models.CharField(max_length=20, choices=Direction.choices, default=Direction.OUTBOUND)
    # Set by whatever changes the record or its people, cleared by the job that follows: no change of the record itself.
    activity_update_required = models.BooleanField(default=False, editable=False)

    bookkeeping_fields = StudyRecord.bookkeeping_fields | {"activity_update_required"}

    class Meta:
        verbose_name = "study communication"
        verbose_name_plural = "study communications"
        ordering = ("-date", "-id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(object_type__in=CommunicationType.values),
                name="communication_type_is_known",
                violation_error_message=f"Object type: choose one of {', '.join(CommunicationType.labels)}.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=("id",), condition=Q(activity_update_required=True), name="communication_flagged"),
            models.Index(F("date").desc(nulls_last=True), F("id").desc(), name="communication_list"),
            models.Index("study", F("date").desc(nulls_last=True), F("id").desc(), name="communication_of_study"),
        ]

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or CommunicationType.EMAIL
        super().prepare_for_save()

    def build_name(self) -> str:
        label = dict(CommunicationType.choices).get(self.object_type, self.object_type)
        return self.subject or f"{label} {self.date or ''}".strip()


class StudyCommunicationContact(StudyRecord):
    """A contact person of a communication."""

    object_name = "study_communication_contact__ctms"
    name_follows = True

    communication = models.ForeignKey(StudyCommunicationLog, on_delete=models.PROTECT, related_name="contacts")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="communication_contacts")

    class Meta:
        verbose_name = "study communication contact"
        verbose_name_plural = "study communication contacts"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("communication", "person"),
                name="contact_once_per_communication",
                violation_error_message="This person is a contact of the communication already.",
            ),
        ]
        indexes: ClassVar = [models.Index(collate("name"), "id", name="contact_list")]

    def build_name(self) -> str:
        return self.person.full_name if self.person_id else ""
