"""Who can be chosen where a record names a person: limited to the people of a study, or with the likely ones first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.clinical.models import MonitoringEvent, Person, Study, StudyCommunicationLog, StudyPerson, StudySite
from ctms.configuration.form_offers import Likely
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


def list_likely_people(chosen: Mapping[str, Any], user: User) -> Sequence[Likely]:
    """Return who is likely beside a site, study, visit or communication: its people, then those of the study."""
    named = {type(record): record for record in chosen.values()}
    event, communication = named.get(MonitoringEvent), named.get(StudyCommunicationLog)
    source = event or communication
    site = named.get(StudySite) or (source.site if source is not None else None)
    study = named.get(Study)
    study_id = study.pk if study is not None else getattr(site or source, "study_id", None)
    found = []
    if event is not None:
        found.append(Likely(condition=_list_persons(event.participants.all(), user)))
    if communication is not None:
        found.append(Likely(condition=_list_persons(communication.contacts.all(), user)))
    if site is not None and site.principal_investigator_id is not None:
        told = ", ".join(filter(None, ("Principal investigator", site.name, site.city)))
        found.append(Likely(condition=Q(pk=site.principal_investigator_id), told=told, is_together=True))
    roles = StudyPerson.objects.all()
    if site is not None:
        found.append(Likely(condition=_list_persons(roles.filter(site=site), user), is_together=True))
    if study_id is not None:
        found.append(Likely(condition=_list_persons(roles.filter(study=study_id), user)))
        led = list_visible(StudySite.objects.filter(study=study_id, status=RecordStatus.ACTIVE), user)
        found.append(Likely(condition=Q(pk__in=led.values("principal_investigator"))))
    return found


def list_likely_sites(chosen: Mapping[str, Any], user: User) -> Sequence[Likely]:
    """Return which sites are likely beside a person: those that the person leads or works at."""
    found = []
    for person in (each for each in chosen.values() if isinstance(each, Person)):
        roles = list_visible(StudyPerson.objects.filter(person=person, status=RecordStatus.ACTIVE), user)
        condition = Q(principal_investigator=person) | Q(pk__in=roles.filter(site__isnull=False).values("site"))
        found.append(Likely(condition=condition))
    return found


def _list_persons(rows: QuerySet[Any], user: User) -> Q:
    """Return the condition for the persons whom those of the rows name that the user sees."""
    return Q(pk__in=list_visible(rows.filter(status=RecordStatus.ACTIVE), user).values("person"))
