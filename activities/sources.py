"""Sources of generated Clinical Activities, and their flag *Activity Update Required*.

The flag is set in the transaction of a change that affects the activities, whoever makes the change, on records whose
object type has the field. The job Generate Clinical Activities clears it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import QuerySet

from ctms.audit.change_listeners import Change, register_change_listener
from ctms.audit.services import mark_records
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudySite,
)
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus

UPDATE_REQUIRED = "activity_update_required__v"
Source = type[MonitoringEvent] | type[StudyCommunicationLog]


def list_automated_types(model: Source) -> list[str]:
    """Return the object types that have the flag; admins assign it to types whose activities are generated."""
    types = load_configuration().get(model.object_name).types.values()
    return [each.api_name for each in types if UPDATE_REQUIRED in each.fields]


def register_source_listeners() -> None:
    """Register the change listeners; called once, when the app is ready."""
    register_change_listener(MonitoringEvent, _follow_events)
    register_change_listener(StudyCommunicationLog, _follow_communications)
    register_change_listener(MonitoringEventParticipant, _follow_participants)
    register_change_listener(StudyCommunicationContact, _follow_contacts)
    register_change_listener(StudySite, _follow_sites)


def _follow_events(changes: Sequence[Change]) -> None:
    _flag(MonitoringEvent, {record.pk for record, _ in changes})
    _show(MonitoringEvent, changes)


def _follow_communications(changes: Sequence[Change]) -> None:
    _flag(StudyCommunicationLog, {record.pk for record, _ in changes})
    _show(StudyCommunicationLog, changes)


def _follow_participants(changes: Sequence[Change]) -> None:
    _flag(MonitoringEvent, _list_parents(changes, "monitoring_event"))


def _follow_contacts(changes: Sequence[Change]) -> None:
    _flag(StudyCommunicationLog, _list_parents(changes, "communication"))


def _follow_sites(changes: Sequence[Change]) -> None:
    """Flag the events without participants of a site whose principal investigator changed."""
    sites = [record.pk for record, changed in changes if "principal_investigator" in changed and record.pk]
    types = list_automated_types(MonitoringEvent) if sites else []
    if types:
        events = MonitoringEvent.objects.filter(site__in=sites, object_type__in=types)
        events = events.exclude(participants__status=RecordStatus.ACTIVE)
        raise_flags(MonitoringEvent.objects.filter(pk__in=events.values("pk")))


def _list_parents(changes: Sequence[Change], field: str) -> set[int]:
    """Return the keys of the records to which the changed records belong now, or belonged before."""
    parents = {getattr(record, f"{field}_id") for record, _ in changes}
    return parents | {pk for _, changed in changes for pk in changed.get(field, ()) if isinstance(pk, int)}


def raise_flags(sources: QuerySet[Any]) -> None:
    """Set the flag in the caller's transaction, locking by ascending key as the job does, to avoid deadlocks."""
    locked = sources.select_for_update(no_key=True).order_by("pk")
    if keys := list(locked.values_list("pk", flat=True)):
        mark_records(sources.model.objects.filter(pk__in=keys), activity_update_required=True)


def _flag(model: Source, keys: Collection[int]) -> None:
    types = list_automated_types(model)
    if types and keys:
        sources: Any = model.objects.filter(pk__in=keys, object_type__in=types)
        if len(keys) == 1:
            mark_records(sources, activity_update_required=True)
        else:
            raise_flags(sources)


def _show(model: Source, changes: Sequence[Change]) -> None:
    """Set the flag on the changed instances too, because their next save would clear it otherwise."""
    types = list_automated_types(model)
    for record, _ in changes:
        record.activity_update_required = record.activity_update_required or record.object_type in types
