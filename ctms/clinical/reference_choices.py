"""Limits the choice of participants of an event and of contacts of a communication to the people of its study."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from ctms.clinical.models import StudyPerson
from ctms.configuration.registry import ReferenceChoices
from ctms.core.choices import RecordStatus

_REMEDY = (
    "People of the study and the principal investigator of the site can be chosen; add others to the study as a Study "
    "Person first."
)


def choose_from_study_people(by: str) -> ReferenceChoices:
    """Return choices that depend on the event or communication to which the reference `by` leads."""
    return ReferenceChoices(by=by, build=_list_study_people, build_first=_list_people_of_site, remedy=_REMEDY)


def _list_study_people(parent: Any) -> Q:
    members = StudyPerson.objects.filter(study=parent.study_id, status=RecordStatus.ACTIVE)
    return Q(pk__in=members.values("person")) | _lead_site(parent)


def _list_people_of_site(parent: Any) -> Q:
    if parent.site_id is None:
        return Q(pk__in=())
    members = StudyPerson.objects.filter(site=parent.site_id, status=RecordStatus.ACTIVE)
    return Q(pk__in=members.values("person")) | _lead_site(parent)


def _lead_site(parent: Any) -> Q:
    investigator = parent.site.principal_investigator_id if parent.site_id is not None else None
    return Q(pk=investigator) if investigator is not None else Q(pk__in=())
