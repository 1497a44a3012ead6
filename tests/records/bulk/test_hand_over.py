"""Hand-over: which records go along, who may get them, what changed meanwhile, and what it costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.change_sets import ChangeSet
from ctms.audit.models import AuditEntry
from ctms.audit.reasons import PARAMETER
from ctms.audit.services import save_record
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import StudySite
from ctms.configuration.models import ReasonRule
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.bulk.steps import run_job
from tests.records.undo.steps import undo

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SITE, VISIT, ACTIVITY = "site__v", "monitoring_event__ctms", "crm_activity__v"
ALL = (SITE, VISIT, ACTIVITY)
OWNS = ("create", "edit", "read")


def make_user(name: str, *, site: StudySite | None = None, **values: Any) -> User:
    """Make a user who may edit what has an owner, and sees the study of the site alone."""
    profile = SecurityProfileFactory.create(
        name=f"Profile of {name}",
        permissions=[f"{object_name}:{action}" for object_name in ALL for action in OWNS],
        sees_all_studies=False,
    )
    made = UserFactory.create(username=name, first_name=name.title(), last_name="Craig", security_profile=profile)
    if site is not None:
        StudyAssignmentFactory.create(user=made, study=site.study)
    return made


@pytest.fixture
def site() -> StudySite:
    country = StudyCountryFactory.create(study=StudyFactory.create(name="CARDIO-301"))
    return StudySiteFactory.create(study_country=country, name="04001", city="Graz")


@pytest.fixture
def carla(client: Client, site: StudySite) -> User:
    """The owner of the site, logged in."""
    made = make_user("carla", site=site)
    site.owner = made
    save_record(record=site, actor=build_admin_actor())
    client.force_login(made)
    return made


@pytest.fixture
def bob(site: StudySite) -> User:
    return make_user("bob", site=site)


@pytest.fixture
def items(site: StudySite, carla: User) -> dict[str, Any]:
    """What is open at the site, and what is done."""
    person = PersonFactory.create()
    visits = {"site": site, "study": site.study, "study_country": site.study_country, "planned_end": None}
    return {
        "visit": MonitoringEventFactory.create(owner=carla, planned_start=dt.date(2026, 5, 1), **visits),
        "final": MonitoringEventFactory.create(
            owner=carla,
            lifecycle_state=MonitoringEventState.FINAL,
            planned_start=dt.date(2026, 1, 1),
            **visits,
        ),
        "call": ActivityFactory.create(
            site=site,
            owner=carla,
            person=person,
            complete=False,
            date=dt.date(2026, 4, 1),
            subject="Call 4",
        ),
        "done": ActivityFactory.create(
            site=site, owner=carla, person=person, complete=True, date=dt.date(2026, 4, 2), subject="Done"
        ),
    }


def get_url(site: StudySite) -> str:
    return f"/records/{SITE}/{site.uid}/hand-over/"


def open_form(client: Client, url: str) -> Any:
    response = client.get(url)
    assert response.status_code == 200
    return response.context


def send(client: Client, url: str, to: User, *, step: str = "hand_over", seen: str | None = None, **data: Any) -> Any:
    """Fill in the form as it is shown, and send it."""
    context = open_form(client, url)
    sent = {
        "to": str(to.uid),
        "include": [each.api_name for each in context["parts"]],
        "seen": seen if seen is not None else context["seen"],
        "step": step,
    }
    return client.post(url, sent | data)


def owner_of(record: Any) -> User | None:
    found: User | None = type(record).objects.get(pk=record.pk).owner
    return found


def read_messages(client: Client) -> list[str]:
    return [str(each) for each in client.get("/").context["messages"]]


# -- What goes along ------------------------------------------------------------------------------
def test_a_site_goes_to_a_colleague_with_what_is_open_in_one_step(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    response = send(client, get_url(site), bob)
    assert (response.status_code, response.url) == (302, f"/records/{SITE}/{site.uid}/")
    assert {owner_of(each) for each in (site, items["visit"], items["call"])} == {bob}
    assert {owner_of(items["final"]), owner_of(items["done"])} == {carla}
    entries = AuditEntry.objects.filter(reference__startswith="hand-over ", record_uid__isnull=False, action="changed")
    assert {(each.actor, each.source) for each in entries} == {(carla, "page")}
    assert entries.count() == 3
    assert entries.get(record_uid=site.uid).words["owner"]["after"] == "Bob Craig"
    assert any("3 records now belong to Bob Craig." in text and "Undo" in text for text in read_messages(client))


def test_a_hand_over_is_undone_as_a_whole(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    send(client, get_url(site), bob)
    operation = BulkOperation.objects.get()
    response = undo(client, ChangeSet(kind="hand_over", key=str(operation.uid)))
    assert response.url == f"/records/{SITE}/{site.uid}/"
    assert {owner_of(each) for each in (site, items["visit"], items["call"])} == {carla}


def test_what_is_shown_is_named_as_people_name_it(client: Client, site: StudySite, items: dict[str, Any]) -> None:
    parts = {each.api_name: each for each in open_form(client, get_url(site))["parts"]}
    assert [row.name for row in parts[SITE].rows] == [f"04001 · {site.site_name}"]
    assert [row.name for row in parts[VISIT].rows] == [items["visit"].name]
    assert [row.name for row in parts[ACTIVITY].rows] == ["Call 4"]


def test_what_others_own_at_the_site_stays_unless_it_is_ticked(
    client: Client, site: StudySite, carla: User, bob: User
) -> None:
    dora = make_user("dora", site=site)
    hers = ActivityFactory.create(site=site, owner=dora, complete=False)
    nobodys = ActivityFactory.create(site=site, owner=dora, complete=False)
    nobodys.owner = None
    save_record(record=nobodys, actor=build_admin_actor())
    send(client, get_url(site), bob)
    assert (owner_of(hers), owner_of(nobodys)) == (dora, bob)
    send(client, get_url(site), carla, of_everybody="on", step="check")
    operation = BulkOperation.objects.latest("pk")
    assert str(hers.uid) in operation.content


def test_only_what_is_ticked_and_dated_from_a_day_goes_along(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    context = client.post(
        get_url(site), {"step": "show", "include": [VISIT, ACTIVITY], "dated_from": "2026-04-15", "to": ""}
    ).context
    assert {each.api_name: each.number for each in context["parts"]} == {SITE: 1, VISIT: 1, ACTIVITY: 0}
    send(
        client,
        get_url(site),
        bob,
        include=[VISIT, ACTIVITY],
        dated_from="2026-04-15",
        seen=context["seen"],
    )
    assert (owner_of(site), owner_of(items["visit"]), owner_of(items["call"])) == (carla, bob, carla)


def test_from_a_list_the_chosen_ones_that_are_open_go_along_whoever_owns_them(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    dora = make_user("dora", site=site)
    hers = ActivityFactory.create(site=site, owner=dora, complete=False)
    url = f"/records/{ACTIVITY}/hand-over/"
    chosen = {"uids": [str(each.uid) for each in (items["call"], items["done"], hers)]}
    shown = client.post(url, chosen | {"query": "sort=date__v"})
    assert shown.context["asked"].left_out.startswith("1 activity is complete")
    sent = chosen | {
        "query": "sort=date__v",
        "step": "hand_over",
        "to": str(bob.uid),
        "include": [ACTIVITY],
        "seen": shown.context["seen"],
    }
    response: Any = client.post(url, sent)
    assert response.url == f"/records/{ACTIVITY}/?sort=date__v"
    assert {owner_of(each) for each in (items["call"], hers)} == {bob}
    assert owner_of(items["done"]) == carla


def test_medical_activities_are_never_handed_over(client: Client, site: StudySite, carla: User) -> None:
    MedicalActivityFactory.create(site=site, complete=False)
    parts = {each.api_name: each.number for each in open_form(client, get_url(site))["parts"]}
    assert parts[ACTIVITY] == 0


def test_all_that_a_user_owns_goes_to_another_as_far_as_the_asker_sees_it(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    elsewhere = StudySiteFactory.create(owner=carla, name="ELSEWHERE")  # in no hexadecimal number
    dora = make_user("dora", site=site)
    client.force_login(dora)
    url = f"/hand-over/users/{carla.uid}/"
    page = client.get(url)
    assert b"ELSEWHERE" not in page.content
    assert elsewhere.study.name.encode() not in page.content
    response = send(client, url, bob)
    assert response.url == "/"
    assert {owner_of(each) for each in (site, items["visit"], items["call"])} == {bob}
    assert owner_of(elsewhere) == carla


def test_of_a_user_one_study_is_handed_over(client: Client, site: StudySite, carla: User, bob: User) -> None:
    other = StudySiteFactory.create(owner=carla)
    StudyAssignmentFactory.create(user=carla, study=other.study)
    url = f"/hand-over/users/{carla.uid}/"
    context = client.post(url, {"step": "show", "include": list(ALL), "study": str(site.study.uid)}).context
    assert {each.api_name: each.number for each in context["parts"]}[SITE] == 1
    send(client, url, bob, study=str(site.study.uid), seen=context["seen"])
    assert (owner_of(site), owner_of(other)) == (bob, carla)


def test_the_own_profile_leads_to_the_hand_over_of_what_one_owns(client: Client, carla: User) -> None:
    url = f"/hand-over/users/{carla.uid}/"
    assert url in client.get("/profile/").content.decode()
    client.force_login(UserFactory.create())
    assert "/hand-over/users/" not in client.get("/profile/").content.decode()


# -- Who may, and who is refused ------------------------------------------------------------------
def test_a_colleague_who_does_not_see_a_place_is_refused_there_with_the_reason(
    client: Client, site: StudySite, carla: User, bob: User
) -> None:
    other = StudySiteFactory.create(owner=carla, name="05005")
    StudyAssignmentFactory.create(user=carla, study=other.study)
    response = send(client, f"/hand-over/users/{carla.uid}/", bob)
    operation = BulkOperation.objects.get()
    assert response.url == f"/operations/{operation.uid}/"
    preview = client.get(response.url, follow=True)
    assert b"Bob Craig does not see this study, country or site" in preview.content
    assert owner_of(site) == carla
    done = client.post(preview.redirect_chain[-1][0])
    assert done.status_code == 302
    assert (owner_of(site), owner_of(other)) == (bob, carla)


def test_whoever_left_is_offered_to_nobody_and_refused(client: Client, site: StudySite, carla: User) -> None:
    gone = make_user("gone", site=site)
    gone.is_active = False
    gone.save()
    response = send(client, get_url(site), gone)
    assert "is not active" in str(response.context["form"].errors["to"])
    lookup = client.get(open_form(client, get_url(site))["form"].fields["to"].lookup_url)
    assert [each["label"] for each in lookup.json()["results"]] == [
        "Ada Admin (ada.admin@example.org)",
        carla.display_contact,
    ]


def test_who_may_not_edit_hands_nothing_over(client: Client, site: StudySite, carla: User) -> None:
    reader = make_user("reader", site=site)
    profile = reader.security_profile
    assert profile is not None
    profile.permissions = [f"{name}:read" for name in ALL]
    save_record(record=profile, actor=build_admin_actor())
    client.force_login(reader)
    assert client.get(get_url(site)).status_code == 403
    assert client.get(f"/records/{SITE}/hand-over/?uids={site.uid}").status_code == 403
    assert client.get(f"/hand-over/users/{carla.uid}/").status_code == 403
    assert b"Hand over" not in client.get(f"/records/{SITE}/{site.uid}/").content
    assert b"Hand over" not in client.get(f"/records/{SITE}/").content


def test_a_site_of_another_study_is_not_there(client: Client, carla: User) -> None:
    assert client.get(get_url(StudySiteFactory.create())).status_code == 404


def test_an_object_without_owners_has_no_such_page(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    person = PersonFactory.create()
    assert client.get(f"/records/person__sys/{person.uid}/hand-over/").status_code == 404


def test_the_reason_is_asked_where_an_admin_asks_for_it(
    client: Client, site: StudySite, carla: User, bob: User
) -> None:
    save_record(record=ReasonRule(of_object=SITE, field_name="ownerid__v"), actor=build_admin_actor())
    refused = send(client, get_url(site), bob)
    assert refused.context["form"].errors[PARAMETER] == ["Say why Owner is changed."]
    send(client, get_url(site), bob, **{PARAMETER: "Parental leave"})
    assert owner_of(site) == bob
    assert AuditEntry.objects.filter(record_uid=site.uid, reason="Parental leave").exists()


def test_without_a_colleague_the_form_says_what_is_missing(client: Client, site: StudySite, carla: User) -> None:
    response = client.post(get_url(site), {"step": "hand_over", "include": [SITE]})
    assert response.context["form"].errors == {"to": ["Choose the user who gets the records."]}
    response = client.post(get_url(site), {"step": "hand_over", "to": str(carla.uid), "include": [SITE]})
    assert response.context["form"].errors == {"to": ["Carla Craig owns all of this already."]}
    assert not BulkOperation.objects.exists()


# -- What changed meanwhile -----------------------------------------------------------------------
def test_what_changed_since_the_page_was_shown_is_looked_at_first(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    seen = open_form(client, get_url(site))["seen"]
    site.city = "Linz"
    save_record(record=site, actor=build_admin_actor())
    response = send(client, get_url(site), bob, seen=seen)
    assert response.url.startswith("/operations/")
    assert owner_of(site) == carla
    preview = client.get(response.url, follow=True)
    assert b"look at it once more" in preview.content
    assert len(preview.context["rows"]) == 3


def test_a_record_that_somebody_changes_after_the_check_stays_and_is_told(
    client: Client, site: StudySite, items: dict[str, Any], carla: User, bob: User
) -> None:
    url = send(client, get_url(site), bob, step="check").url
    items["call"].subject = "Another call"
    save_record(record=items["call"], actor=build_admin_actor())
    preview = client.get(url, follow=True)
    assert [row.is_outdated for row in preview.context["rows"]] == [False, False, True]
    client.post(preview.redirect_chain[-1][0])
    operation = BulkOperation.objects.get()
    assert (operation.state, operation.message) == ("done", "2 handed over, 1 not handed over.")
    assert (owner_of(site), owner_of(items["visit"]), owner_of(items["call"])) == (bob, bob, carla)


# -- What it costs --------------------------------------------------------------------------------
@pytest.mark.usefixtures("stopped_clock")
def test_the_page_costs_the_same_for_one_item_and_for_fifty(client: Client, site: StudySite, carla: User) -> None:
    person = [PersonFactory.create()]
    place = {"site": site, "study": site.study, "study_country": site.study_country, "owner": carla}
    counts = []
    for number in (1, 50):
        create_activities(number, people=person, complete=False, **place)
        client.get(get_url(site))
        with CaptureQueriesContext(connection) as captured:
            client.get(get_url(site))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_many_are_checked_and_handed_over_by_the_job(
    client: Client, site: StudySite, carla: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctms.records.bulk.runner.CHECKED_AT_ONCE", 5)
    monkeypatch.setattr("ctms.records.bulk.views.hand_over.CHECKED_AT_ONCE", 5)
    place = {"site": site, "study": site.study, "study_country": site.study_country, "owner": carla}
    create_activities(9, people=[PersonFactory.create()], complete=False, **place)
    url = send(client, get_url(site), bob).url
    operation = BulkOperation.objects.get()
    assert operation.state == "checking"
    run_job(operation)
    preview = client.get(url, follow=True)
    client.post(preview.redirect_chain[-1][0])
    run_job(operation)
    assert (operation.state, operation.message) == ("done", "10 handed over.")
    assert set(Activity.objects.values_list("owner", flat=True)) == {bob.pk}
