"""Assignments to a study, or to its countries or sites, from a day until a day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.test import Client
from django.urls import reverse
from time_machine import travel

from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.audit.services import create_records, save_record
from ctms.clinical.explanation import explain_record
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyAssignment,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from tests.admin_forms import list_errors, log_in_admin, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MODELS: tuple[type[models.Model], ...] = (
    Study,
    StudyCountry,
    StudySite,
    StudyPerson,
    MonitoringEvent,
    MonitoringEventParticipant,
    StudyCommunicationLog,
    StudyCommunicationContact,
    Activity,
    Person,
)
FIRST, LAST = dt.date(2026, 3, 2), dt.date(2026, 3, 31)


def fill(place: str, *, study: Study, country: StudyCountry | None = None, site: StudySite | None = None) -> None:
    """One record of each kind that can be at that place; their names begin with it."""
    person = PersonFactory.create(last_name=place)
    where: dict[str, Any] = {"study": study, "study_country": country, "site": site}
    StudyPersonFactory.create(person=person, **where)
    log = StudyCommunicationLogFactory.create(name=place, **where)
    StudyCommunicationContactFactory.create(communication=log, person=person)
    ActivityFactory.create(person=person, subject=place, **where)
    if site is not None:
        event = MonitoringEventFactory.create(name=place, **where)
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)


@pytest.fixture
def world() -> dict[str, Any]:
    """A study with two countries; Germany has two sites and France one. Another study with a site."""
    study = StudyFactory.create(name="S")
    germany, france = (StudyCountryFactory.create(study=study, country=code, name=code) for code in ("DE", "FR"))
    berlin, munich, paris = (
        StudySiteFactory.create(study_country=country, study=study, name=name, principal_investigator=None)
        for country, name in ((germany, "B"), (germany, "M"), (france, "P"))
    )
    elsewhere = StudySiteFactory.create(name="X", principal_investigator=None)
    fill("S", study=study)
    fill("Germany", study=study, country=germany)
    fill("France", study=study, country=france)
    for site in (berlin, munich, paris, elsewhere):
        fill(site.name, study=site.study, country=site.study_country, site=site)
    return {"study": study, "germany": germany, "france": france, "berlin": berlin, "paris": paris}


def list_places(user: User) -> dict[str, list[str]]:
    """Model → the places of the records of it that the user sees."""
    found: dict[str, list[str]] = {}
    for model in MODELS:
        rows = list_visible(model._default_manager.all(), user)
        found[model.__name__] = sorted({_find_place(row) for row in rows})
    return found


def _find_place(row: Any) -> str:
    if isinstance(row, Person):
        return row.last_name
    if isinstance(person := getattr(row, "person", None), Person):
        return person.last_name
    if isinstance(row, MonitoringEvent | StudyCommunicationLog):
        row = row.site or row.study_country or row.study
    return str(row.name)


AT_EACH_PLACE = ("StudyPerson", "StudyCommunicationLog", "StudyCommunicationContact", "Activity", "Person")
AT_SITES = ("MonitoringEvent", "MonitoringEventParticipant", "StudySite")


@pytest.mark.parametrize(
    ("limit", "countries", "sites"),
    [
        ({}, ["France", "Germany"], ["B", "M", "P"]),
        ({"study_country": "germany"}, ["Germany"], ["B", "M"]),
        ({"site": "berlin"}, ["Germany"], ["B"]),
    ],
    ids=["whole study", "country", "site"],
)
def test_an_assignment_shows_what_it_is_limited_to(
    world: dict[str, Any], limit: dict[str, str], countries: list[str], sites: list[str]
) -> None:
    user = UserFactory.create()
    StudyAssignmentFactory.create(
        user=user, study=world["study"], **{name: world[place] for name, place in limit.items()}
    )
    assert list_places(user) == {
        "Study": ["S"],
        "StudyCountry": countries,
        **dict.fromkeys(AT_SITES, sites),
        **dict.fromkeys(AT_EACH_PLACE, sorted([*countries, *sites, "S"])),
    }


def test_several_assignments_add_up(world: dict[str, Any]) -> None:
    user = UserFactory.create()
    for limit in ({"site": world["berlin"]}, {"study_country": world["france"]}):
        StudyAssignmentFactory.create(user=user, study=world["study"], **limit)
    assert list_places(user)["Activity"] == ["B", "France", "Germany", "P", "S"]
    StudyAssignmentFactory.create(user=user, study=world["study"])
    assert list_places(user)["Activity"] == ["B", "France", "Germany", "M", "P", "S"]


@pytest.mark.parametrize(
    ("moment", "is_seen"),
    [
        ("2026-03-01T23:59:59Z", False),
        ("2026-03-02T00:00:00Z", True),
        ("2026-03-31T23:59:59Z", True),
        ("2026-04-01T00:00:00Z", False),
    ],
)
def test_it_gives_access_from_its_first_day_to_its_last(moment: str, is_seen: bool) -> None:
    assignment = StudyAssignmentFactory.create(valid_from=FIRST, valid_until=LAST)
    with travel(moment, tick=False):
        assert list_visible(Study.objects.all(), assignment.user).exists() is is_seen


def test_a_record_of_another_site_does_not_exist_for_pages_and_api(client: Client, world: dict[str, Any]) -> None:
    profile = SecurityProfileFactory.create(permissions=["site__v:read"])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=world["study"], site=world["berlin"])
    client.force_login(user)
    for site, status in ((world["berlin"], 200), (world["paris"], 404)):
        assert client.get(f"/records/site__v/{site.uid}/").status_code == status
        assert client.get(f"/api/v1/site__v/{site.uid}/").status_code == status


# -- What is refused ------------------------------------------------------------------------------
def refuse(**values: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as raised:
        save_record(record=StudyAssignment(**values), actor=build_admin_actor())
    return raised.value.message_dict


def test_what_contradicts_itself_is_refused_by_name(world: dict[str, Any]) -> None:
    user, study = UserFactory.create(), world["study"]
    assert refuse(user=user, study=study, valid_from=LAST, valid_until=FIRST) == {
        "__all__": ["Until: the last day lies before the first."]
    }
    assert refuse(user=user, study=study, study_country=world["germany"], site=world["berlin"]) == {
        "__all__": ["Only site: choose a country or a site. A site lies in its country anyway."]
    }
    other = StudyFactory.create(name="OTHER")
    assert refuse(user=user, study=other, site=world["berlin"]) == {"site": ["B belongs to study S, not to OTHER."]}


@pytest.mark.parametrize("limit", ["", "germany", "berlin"])
def test_there_is_one_open_assignment_to_the_same_and_any_number_of_past_ones(
    world: dict[str, Any], limit: str
) -> None:
    name = {"germany": "study_country", "berlin": "site"}.get(limit)
    values = {"user": UserFactory.create(), "study": world["study"], **({name: world[limit]} if name else {})}
    for year in (2024, 2025):
        StudyAssignmentFactory.create(**values, valid_until=dt.date(year, 1, 1))
    StudyAssignmentFactory.create(**values)
    [message] = refuse(**values)["__all__"]
    assert message.startswith("User: there is an assignment without end to the same study, country or site already.")
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[StudyAssignment(**values)], actor=build_admin_actor())


# -- The console ----------------------------------------------------------------------------------
def test_on_the_page_of_a_study_its_own_countries_and_sites_are_offered(client: Client, world: dict[str, Any]) -> None:
    log_in_admin(client)
    user = UserFactory.create()
    url = reverse("admin:clinical_study_change", args=(world["study"].pk,))
    page = client.get(url)
    form = page.context["inline_admin_formsets"][0].formset.empty_form
    assert [site.name for site in form.fields["site"].queryset] == ["B", "M", "P"]
    typed = {
        "assignments-TOTAL_FORMS": "1",
        "assignments-0-user": str(user.pk),
        "assignments-0-role": "cra__v",
        "assignments-0-site": str(world["berlin"].pk),
        "assignments-0-valid_until": "2099-12-31",
    }
    assert submit_values(client, url, form_id="study_form", typed=typed).status_code == 302
    made = StudyAssignment.objects.get(user=user)
    assert (made.role, made.site, made.valid_until) == ("cra__v", world["berlin"], dt.date(2099, 12, 31))


def test_nobody_assigns_themselves(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:security", "study__v:read"], sees_all_studies=True)
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    url, study = reverse("admin:clinical_studyassignment_add"), StudyFactory.create()
    response = submit(client, url, form_id="studyassignment_form", user=user.pk, study=study.pk)
    assert list_errors(response) == {
        "user": ["You cannot assign yourself. Ask another admin, so that nobody raises their own rights."]
    }
    assert submit(client, url, form_id="studyassignment_form", user=UserFactory.create().pk, study=study.pk)
    own = StudyAssignmentFactory.create(user=user, study=study, valid_until=LAST)
    url = reverse("admin:clinical_studyassignment_change", args=(own.pk,))
    response = submit(client, url, form_id="studyassignment_form", valid_until="2099-12-31")
    assert list(list_errors(response)) == ["user"]


def test_who_sees_a_site_gives_nobody_the_whole_study(client: Client, world: dict[str, Any]) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:security", "study__v:read"])
    admin = UserFactory.create(is_staff=True, security_profile=profile)
    StudyAssignmentFactory.create(user=admin, study=world["study"], site=world["berlin"])
    client.force_login(admin)
    url = reverse("admin:clinical_studyassignment_add")
    response = submit(
        client, url, form_id="studyassignment_form", user=UserFactory.create().pk, study=world["study"].pk
    )
    assert list_errors(response)["user"][0].startswith("You cannot give what you do not see yourself")


# -- Why ------------------------------------------------------------------------------------------
def test_the_page_of_a_user_says_from_when_until_when_and_for_which_site(client: Client, world: dict[str, Any]) -> None:
    log_in_admin(client)
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["site__v:read"]))
    StudyAssignmentFactory.create(user=user, study=world["study"], valid_until=LAST)
    assert _explain(user, world["paris"]) == (False, "has no assignment to S that is in force today (ended)")
    StudyAssignmentFactory.create(user=user, study=world["study"], site=world["berlin"], valid_from=FIRST)
    assert _explain(user, world["paris"]) == (False, "is assigned to other countries or sites of S")
    assert _explain(user, world["berlin"]) == (True, "is assigned to S")
    page = client.get(reverse("admin:accounts_user_show_access", args=(user.pk,))).content.decode()
    for words in ("Site B", "2026-03-02", "2026-03-31", "Ended", "In force"):
        assert words in page


def _explain(user: User, record: Any) -> tuple[bool, str]:
    verdict = explain_record(user=user, asker=get_admin_user(), uid=record.uid)
    assert verdict is not None
    return verdict.is_visible, verdict.why
