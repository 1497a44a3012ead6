"""Generated activities that users deleted: they are not generated again until somebody names the person anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from activities.models import Activity, DeclinedActivity
from ctms.audit.change_listeners import Change, register_change_listener
from ctms.clinical.models import MonitoringEventParticipant, StudyCommunicationContact, StudySite


def register_declined_listeners() -> None:
    """Register the change listeners; called once, when the app is ready."""
    register_change_listener(Activity, _note_deletions)
    register_change_listener(
        MonitoringEventParticipant, partial(_forget, of_record="monitoring_event", reference="monitoring_event")
    )
    register_change_listener(
        StudyCommunicationContact, partial(_forget, of_record="communication", reference="study_communication")
    )
    register_change_listener(StudySite, _forget_investigators)


def _note_deletions(changes: Sequence[Change]) -> None:
    """Note which generated activities users delete, and forget it of those whose deletion is undone."""
    # A deleted record has lost its key.
    deleted = [record for record, _ in changes if record.pk is None and record.is_generated]
    DeclinedActivity.objects.bulk_create(
        [
            DeclinedActivity(
                monitoring_event_id=each.monitoring_event_id,
                study_communication_id=each.study_communication_id,
                person_id=each.person_id,
            )
            for each in deleted
        ],
        ignore_conflicts=True,
    )
    for each, changed in changes:
        # A new record is of version 1; a later one without a person before was restored.
        if each.pk is not None and each.is_generated and each.version > 1 and changed.get("person", [0])[0] is None:
            DeclinedActivity.objects.filter(
                monitoring_event_id=each.monitoring_event_id,
                study_communication_id=each.study_communication_id,
                person_id=each.person_id,
            ).delete()


def _forget(changes: Sequence[Change], *, of_record: str, reference: str) -> None:
    """Forget what was declined for people who are added to a source, taken from it, or made Active again."""
    named = {(getattr(record, f"{of_record}_id"), record.person_id) for record, _ in changes}
    sources, people = {source for source, _ in named}, {person for _, person in named}
    declined = DeclinedActivity.objects.filter(**{f"{reference}__in": sources}, person__in=people)
    rows = declined.values_list("pk", f"{reference}_id", "person_id")
    if keys := [pk for pk, source, person in rows if (source, person) in named]:
        DeclinedActivity.objects.filter(pk__in=keys).delete()


def _forget_investigators(changes: Sequence[Change]) -> None:
    """Forget what was declined for a site's new principal investigator, whom events without participants have."""
    for record, changed in changes:
        if record.pk and "principal_investigator" in changed and record.principal_investigator_id:
            DeclinedActivity.objects.filter(
                monitoring_event__site=record, person=record.principal_investigator_id
            ).delete()
