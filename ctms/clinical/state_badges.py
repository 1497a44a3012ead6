"""The colour of a lifecycle state, which tells it apart from whether the record is Active or Inactive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ctms.clinical.choices import MonitoringEventState, SiteState, StudyState

if TYPE_CHECKING:
    from ctms.clinical.models import MonitoringEvent, Study, StudySite

# Tones of the registry: to come, under way, done, and no longer.
_COMING, _UNDER_WAY, _DONE, _OVER = "planned", "accent", "complete", "quiet"

_OF_STUDIES: Mapping[str, str] = {
    StudyState.PLANNING: _COMING,
    StudyState.ENROLLING: _UNDER_WAY,
    StudyState.ACTIVE: _UNDER_WAY,
    StudyState.CLOSED: _OVER,
}
_OF_SITES: Mapping[str, str] = {
    SiteState.CANDIDATE: _COMING,
    SiteState.SELECTED: _COMING,
    SiteState.INITIATING: _COMING,
    SiteState.ACTIVE: _UNDER_WAY,
    SiteState.CLOSED: _OVER,
}
_OF_EVENTS: Mapping[str, str] = {
    MonitoringEventState.EXPECTED: _COMING,
    MonitoringEventState.CONFIRMED: _COMING,
    MonitoringEventState.IN_PROGRESS: _UNDER_WAY,
    MonitoringEventState.READY_FOR_REVIEW: _UNDER_WAY,
    MonitoringEventState.FINAL: _DONE,
    MonitoringEventState.CANCELLED: _OVER,
}


def describe_study_state(study: Study) -> tuple[str, str]:
    """Return tone and label of the state of a study; no tone without a state."""
    return _OF_STUDIES.get(study.lifecycle_state, ""), study.get_lifecycle_state_display()


def describe_site_state(site: StudySite) -> tuple[str, str]:
    """Return tone and label of the state of a site; no tone without a state."""
    return _OF_SITES.get(site.lifecycle_state, ""), site.get_lifecycle_state_display()


def describe_event_state(event: MonitoringEvent) -> tuple[str, str]:
    """Return tone and label of the state of a visit; no tone without a state."""
    return _OF_EVENTS.get(event.lifecycle_state, ""), event.get_lifecycle_state_display()
