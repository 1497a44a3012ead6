"""Which users may own a record: those who see its study, country and site."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, Model, OuterRef, Q

from ctms.clinical.assignments import build_in_force
from ctms.clinical.models import Study, StudyAssignment, StudyCountry, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.fields.users import Places, UserRule


def build_seeing(places: Places) -> Q:
    """Return the condition for users who see what stands at these places; without any, everybody may."""
    at = _build_assigned(study=places.get(Study), country=places.get(StudyCountry), site=places.get(StudySite))
    if at is None:
        return Q()
    assigned = StudyAssignment.objects.filter(build_in_force(), at).order_by().values("user")
    has_profile = Q(security_profile__status=RecordStatus.ACTIVE)
    return Q(is_superuser=True) | (has_profile & (Q(security_profile__sees_all_studies=True) | Q(pk__in=assigned)))


def _build_assigned(*, study: Any, country: Any, site: Any) -> Q | None:
    """Return the condition for assignments that show the narrowest place that is named."""
    whole = Q(study_country__isnull=True, site__isnull=True)
    if site:
        return (
            Q(site__uid=site)
            | Q(study_country__in=StudyCountry.objects.filter(sites__uid=site).values("pk"))
            | (whole & Q(study__in=Study.objects.filter(sites__uid=site).values("pk")))
        )
    if country:
        return (
            Q(study_country__uid=country)
            | Q(site__study_country__uid=country)
            | (whole & Q(study__in=Study.objects.filter(countries__uid=country).values("pk")))
        )
    return Q(study__uid=study) if study else None


def build_unseen(model: type[Model]) -> Q:
    """Return the condition for records whose owner does not see their study, country or site.

    What has no study is seen by whoever owns it.
    """
    site = "pk" if model is StudySite else "site"
    in_force = StudyAssignment.objects.filter(build_in_force(), user=OuterRef("owner")).order_by()
    wide = Q(study_country=OuterRef("study_country")) | Q(
        study=OuterRef("study"), study_country__isnull=True, site__isnull=True
    )
    assigned = Q(Exists(in_force.filter(wide | Q(site=OuterRef(site)))))
    if model is not StudySite:
        # What names no site is seen by whoever is assigned to a site in its country.
        narrow = Q(Exists(in_force.filter(site__study_country=OuterRef("study_country"))))
        assigned |= Q(site__isnull=True) & narrow
    profile = "owner__security_profile"
    allowed = Q(**{f"{profile}__sees_all_studies": True}) | Q(study__isnull=True) | assigned
    return ~(Q(owner__is_superuser=True) | (Q(**{f"{profile}__status": RecordStatus.ACTIVE}) & allowed))


USER_RULE = UserRule(models=(Study, StudyCountry, StudySite), build=build_seeing, build_unseen=build_unseen)
