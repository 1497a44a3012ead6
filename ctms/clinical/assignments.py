"""What of a study a user sees who is assigned to it: all, or what belongs to some of its countries and sites.

An assignment gives access from its first day to its last, by UTC. A user who is assigned to countries or sites sees:

- what names a site (or hangs on something that does), if the user is assigned to the site or to its country;
- what names a country and no site, if the user is assigned to the country, or to a site in it;
- what names neither, because it belongs to the study as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from django.db.models import Model, Q
from django.db.models.constants import LOOKUP_SEP

from ctms.accounts.granting import is_exempt
from ctms.accounts.policies import find_ground_of_account_for_all_studies, sees_all_studies
from ctms.clinical.models import Study, StudyAssignment, StudyCountry, StudySite
from ctms.core.clock import get_now
from ctms.core.lookups import build_among
from ctms.core.request_memory import remember

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import QuerySet

    from ctms.accounts.models import User

IN_FORCE, ENDED, NOT_YET_BEGUN = "In force", "Ended", "Not yet begun"
_FARTHEST = 3


@dataclass(slots=True, kw_only=True)
class AssignedStudies:
    """Keys of what a user is assigned to today.

    As lists of keys and not as subqueries: only with keys can the database estimate how many records match, on which
    the choice of a good query plan depends.
    """

    whole: list[int] = field(default_factory=list)  # studies of which the user sees everything
    limited: list[int] = field(default_factory=list)  # studies of which the user sees some countries or sites
    countries: list[int] = field(default_factory=list)
    sites: list[int] = field(default_factory=list)
    countries_of_sites: list[int] = field(default_factory=list)

    @property
    def studies(self) -> list[int]:
        """All studies of which the user sees anything."""
        return [*self.whole, *self.limited]


def list_current(user: User) -> QuerySet[StudyAssignment]:
    """Return the user's assignments that have begun and not ended."""
    return StudyAssignment.objects.filter(build_in_force(), user=user)


def build_in_force() -> Q:
    """Return the condition for assignments that have begun and not ended."""
    today = get_now().date()
    begun = Q(valid_from__isnull=True) | Q(valid_from__lte=today)
    return begun & (Q(valid_until__isnull=True) | Q(valid_until__gte=today))


def read_assigned(user: User) -> AssignedStudies:
    """Return what the user is assigned to today, within the studies of the API token that they ask with.

    A request that only reads asks the database once; a job asks each time, so that an assignment that ends counts at
    once.
    """
    reach = user.reach.study_uids if user.reach is not None else None
    return remember(("assigned", user.pk, reach), lambda: _read_reached(user, reach))


def _read_reached(user: User, reach: frozenset[UUID] | None) -> AssignedStudies:
    """Return what the user is assigned to of the studies of the API token that they ask with; all without one."""
    if reach is None:
        return _read_assigned(user)
    studies = set(Study.objects.filter(uid__in=reach).order_by().values_list("pk", flat=True))
    if find_ground_of_account_for_all_studies(user=user).is_allowed:
        return AssignedStudies(whole=sorted(studies))
    return _read_assigned(user, among=studies)


def _read_assigned(user: User, *, among: Collection[int] | None = None) -> AssignedStudies:
    names = ("study_id", "study_country_id", "site_id", "site__study_country_id")
    rows = list(list_current(user).order_by("study_id", "pk").values_list(*names))
    if among is not None:
        rows = [row for row in rows if row[0] in among]
    whole = {study for study, country, site, _ in rows if country is None and site is None}
    assigned = AssignedStudies(whole=sorted(whole))
    for study, country, site, country_of_site in rows:
        if study in whole:
            continue
        if study not in assigned.limited:
            assigned.limited.append(study)
        if site is not None:
            assigned.sites.append(site)
            assigned.countries_of_sites.append(country_of_site)
        else:
            assigned.countries.append(country)
    return assigned


def describe_state(assignment: StudyAssignment) -> str:
    """Return whether an assignment is in force today: *In force*, *Not yet begun* or *Ended*."""
    today = get_now().date()
    if assignment.valid_until is not None and assignment.valid_until < today:
        return ENDED
    if assignment.valid_from is not None and assignment.valid_from > today:
        return NOT_YET_BEGUN
    return IN_FORCE


def explain_assigning(*, giver: User, assignment: StudyAssignment) -> str:
    """Return why `giver` may not save the assignment; empty if they may.

    Nobody assigns themselves, and nobody gives what they do not see. Superusers are exempt.
    """
    if is_exempt(giver):
        return ""
    if assignment.user_id == giver.pk:
        return "You cannot assign yourself. Ask another admin, so that nobody raises their own rights."
    if sees_all_studies(user=giver):
        return ""
    assigned = read_assigned(giver)
    site = assignment.site
    country = assignment.study_country_id or (site.study_country_id if site is not None else None)
    if (
        assignment.study_id in assigned.whole
        or country in assigned.countries
        or (site is not None and site.pk in assigned.sites)
    ):
        return ""
    return "You cannot give what you do not see yourself: choose a country or a site that you are assigned to."


def build_assigned_condition(*, model: type[Model], path: str, user: User) -> Q:
    """Return the condition for records that the user sees by assignments; `path` leads from them to their study."""
    assigned = read_assigned(user)
    condition = build_among(path, assigned.whole)
    if assigned.limited:
        condition |= build_among(path, assigned.limited) & _build_limit(model=model, assigned=assigned)
    return condition


def _build_limit(*, model: type[Model], assigned: AssignedStudies) -> Q:
    condition = Q()
    sites, countries = list_paths(model, StudySite), list_paths(model, StudyCountry)
    seen_countries = [*assigned.countries, *assigned.countries_of_sites]
    at_country = Q()
    for country in countries:
        at_country &= build_among(country, seen_countries) | Q(**{f"{country}__isnull": True})
    if not sites:
        return at_country
    for site in sites:
        in_country = "study_country" if site == "pk" else f"{site}{LOOKUP_SEP}study_country"
        at_site = build_among(site, assigned.sites) | build_among(in_country, assigned.countries)
        condition &= at_site | (Q(**{f"{site}__isnull": True}) & at_country)
    return condition


@cache
def list_paths(model: type[Model], target: type[Model]) -> tuple[str, ...]:
    """Return the shortest look-ups, at most three references long, that lead from a model to the target."""
    if model is target:
        return ("pk",)
    known, ends = {model}, [(model, "")]
    for _ in range(_FARTHEST):
        steps = [
            (each.related_model, f"{path}{each.name}")
            for end, path in ends
            for each in end._meta.concrete_fields
            if isinstance(each.related_model, type)
        ]
        found = tuple(path for reached, path in steps if reached is target)
        if found:
            return found
        ends = [(reached, path + LOOKUP_SEP) for reached, path in steps if reached not in known]
        known |= {reached for reached, _ in ends}
    return ()
