"""Copies of a visit for several sites: looked at first, created together or not at all, and once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.choices import MonitoringEventState, MonitoringEventType
from ctms.clinical.models import MonitoringEvent, StudySite
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import MonitoringEventParticipantFactory, StudyCountryFactory, StudySiteFactory
from tests.records.calendar.visits import day, plan

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _logged_in(client: Client, carla: User) -> None:
    client.force_login(carla)


@pytest.fixture
def others(site: StudySite) -> list[StudySite]:
    """Six other sites of the study, in two countries."""
    austria = site.study_country
    italy = StudyCountryFactory.create(study=site.study, country="IT", name="Italy")
    return [
        StudySiteFactory.create(study_country=italy if number % 2 else austria, name=f"0500{number}")
        for number in range(6)
    ]


@pytest.fixture
def visit(site: StudySite) -> MonitoringEvent:
    """A visit of three days that took place."""
    visit = plan(site, 7, 9, actual_start=day(7), actual_end=day(9), lifecycle_state=MonitoringEventState.FINAL)
    MonitoringEventParticipantFactory.create(monitoring_event=visit, person=site.principal_investigator)
    return visit


def get_url(visit: MonitoringEvent) -> str:
    return reverse("record_copies", args=(visit.object_name, visit.uid))


def ask(client: Client, visit: MonitoringEvent, sites: list[StudySite], date: str = "2026-12-15", **values: str) -> Any:
    typed = {"target": [str(each.uid) for each in sites], "day": date, "step": "preview"}
    return client.post(get_url(visit), {**typed, "expected_version": str(visit.version), **values})


def confirm(client: Client, visit: MonitoringEvent, sites: list[StudySite], preview: Any, **values: str) -> Any:
    version, token = str(preview.context["version"]), preview.context["token"]
    return ask(client, visit, sites, **{"step": "save", "copies_token": token, "expected_version": version, **values})


def list_told(response: Any) -> str:
    return " ".join(str(each) for each in get_messages(response.wsgi_request))


def list_copies(visit: MonitoringEvent) -> list[MonitoringEvent]:
    return list(MonitoringEvent.objects.exclude(pk=visit.pk).order_by("site__name"))


def test_six_sites_get_the_visit_each_in_its_country_with_its_owner(
    client: Client, carla: User, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    owner = UserFactory.create(first_name="Otto", is_superuser=True)
    others[0].owner = owner
    save_record(record=others[0], actor=Actor(user=carla, source="page"))
    own_day = {f"day-{others[5].uid}": "2026-12-22"}
    preview = ask(client, visit, others, **own_day)
    assert MonitoringEvent.objects.count() == 1
    assert "Create 6" in preview.content.decode()
    response = confirm(client, visit, others, preview, **own_day)
    assert response["Location"] == f"/calendar/?view=month&date=2026-12-15&whose={visit.study.uid}"
    assert "6 monitoring events created." in list_told(response)
    copies = list_copies(visit)
    assert [each.site for each in copies] == others
    assert [(each.planned_start, each.planned_end) for each in copies] == [(day(15), day(17))] * 5 + [
        (day(22), day(24))
    ]
    assert {each.study_country for each in copies} == {each.study_country for each in others}
    assert {(each.actual_start, each.actual_end, each.lifecycle_state) for each in copies} == {
        (None, None, MonitoringEventState.EXPECTED)
    }
    assert [each.owner for each in copies] == [owner] + [carla] * 5
    assert {each.name for each in copies} == {
        "Interim Monitoring Visit 2026-12-15",
        "Interim Monitoring Visit 2026-12-22",
    }
    assert all(not each.participants.exists() for each in copies)


def test_the_kind_of_visit_is_copied_and_no_end_that_is_not_there(
    client: Client, site: StudySite, others: list[StudySite]
) -> None:
    visit = plan(site, 7, object_type=MonitoringEventType.CLOSE_OUT_VISIT)
    confirm(client, visit, others[:1], ask(client, visit, others[:1]))
    [made] = list_copies(visit)
    assert (made.object_type, made.planned_start, made.planned_end) == (visit.object_type, day(15), None)


def test_they_are_undone_together(client: Client, visit: MonitoringEvent, others: list[StudySite]) -> None:
    response = confirm(client, visit, others, ask(client, visit, others))
    assert len(list_copies(visit)) == 6
    client.post(list_told(response).partition('formaction="')[2].partition('"')[0])
    assert list_copies(visit) == []


def test_the_form_offers_active_sites_of_the_study_that_the_user_sees_the_own_first(
    client: Client, carla: User, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    hidden = StudySiteFactory.create()
    inactive = StudySiteFactory.create(study_country=visit.study_country, status=RecordStatus.INACTIVE)
    response = client.get(get_url(visit))
    choices = response.context["choices"]
    assert [each.record for each in choices] == [visit.site, *others]
    assert [each.is_own for each in choices] == [True] + [False] * 6
    for each in (hidden, inactive):
        refused = ask(client, visit, [each])
        assert "is not there any more, or is Inactive" in refused.content.decode()
    assert list_copies(visit) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"target": ""}, "tick at least one"),
        ({"day": ""}, "is no day"),
        ({"day": "31.12."}, "is no day"),
        ({"day": "2199-12-31"}, "is a long time from now"),
    ],
)
def test_what_is_wrong_or_unusual_is_said(
    client: Client, visit: MonitoringEvent, others: list[StudySite], values: dict[str, str], problem: str
) -> None:
    assert problem in ask(client, visit, others[:2], **values).content.decode()
    assert list_copies(visit) == []


def test_a_wrong_day_of_one_site_stands_beside_it_and_the_rest_is_kept(
    client: Client, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    response = ask(client, visit, others[:2], **{f"day-{others[1].uid}": "soon"})
    choice = next(each for each in response.context["choices"] if each.record == others[1])
    assert (choice.is_chosen, choice.day) == (True, "soon")
    assert "is no day" in choice.problem
    assert response.context["first_day"] == "2026-12-15"


def test_a_visit_that_is_there_already_is_warned_of(
    client: Client, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    plan(others[0], 15)
    drafts = [row["draft"] for row in ask(client, visit, others[:2]).context["rows"]]
    assert [[each.message for each in draft.questions] for draft in drafts] == [
        ["There is a monitoring event of this type on this day already."],
        [],
    ]


def test_all_or_none_is_created(
    client: Client, visit: MonitoringEvent, others: list[StudySite], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: MonitoringEvent) -> None:
        if record.site == others[3]:
            raise ValidationError({"site": "No visits here."})

    preview = ask(client, visit, others)
    with monkeypatch.context() as patch:
        patch.setattr(MonitoringEvent, "clean", refuse)
        response = confirm(client, visit, others, preview)
    assert "No visits here." in response.content.decode()
    assert "Create 6" not in response.content.decode()
    assert list_copies(visit) == []


def test_what_others_made_impossible_meanwhile_creates_nothing(
    client: Client, visit: MonitoringEvent, others: list[StudySite], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise IntegrityError

    preview = ask(client, visit, others)
    with monkeypatch.context() as patch:
        patch.setattr("ctms.audit.services.write_entries", refuse)
        response = confirm(client, visit, others, preview)
    assert "nothing was created" in response.content.decode()
    assert list_copies(visit) == []
    assert confirm(client, visit, others, response).status_code == HTTPStatus.FOUND
    assert len(list_copies(visit)) == 6


def test_sent_twice_they_are_created_once(client: Client, visit: MonitoringEvent, others: list[StudySite]) -> None:
    preview = ask(client, visit, others)
    confirm(client, visit, others, preview)
    response = confirm(client, visit, others, preview)
    assert "had been created already, and not again" in list_told(response)
    assert len(list_copies(visit)) == 6


def test_what_changed_since_the_preview_is_shown_again(
    client: Client, carla: User, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    preview = ask(client, visit, others)
    visit.planned_end = day(8)
    save_record(record=visit, actor=Actor(user=carla, source="page"))
    response = confirm(client, visit, others, preview)
    assert "was changed since this was shown" in response.content.decode()
    assert list_copies(visit) == []


def test_who_may_not_create_visits_is_refused_and_is_offered_nothing(
    client: Client, carla: User, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    offer = "Copy to several sites"
    pages = (reverse("record", args=(visit.object_name, visit.uid)), reverse("record_list", args=(visit.object_name,)))
    assert all(offer in client.get(page).content.decode() for page in pages)
    carla.security_profile = SecurityProfileFactory.create(
        permissions=["monitoring_event__ctms:read", "site__v:read", "study__v:read"]
    )
    carla.save()
    assert all(offer not in client.get(page).content.decode() for page in pages)
    assert client.get(get_url(visit)).status_code == HTTPStatus.FORBIDDEN
    assert ask(client, visit, others).status_code == HTTPStatus.FORBIDDEN


def test_visits_of_hidden_studies_and_other_objects_are_not_copied(client: Client, site: StudySite) -> None:
    assert client.get(get_url(plan(StudySiteFactory.create(), 7))).status_code == HTTPStatus.NOT_FOUND
    assert client.get(reverse("record_copies", args=("site__v", site.uid))).status_code == HTTPStatus.NOT_FOUND


def test_every_copy_has_its_entry_in_the_audit_trail(
    client: Client, carla: User, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    confirm(client, visit, others, ask(client, visit, others))
    entries = AuditEntry.objects.filter(record_uid__in=[each.uid for each in list_copies(visit)])
    assert {(each.actor, each.action) for each in entries} == {(carla, "created")}
    assert len({each.reference for each in entries}) == 1
    assert len(entries) == 6


@pytest.mark.usefixtures("stopped_clock")
def test_the_number_of_statements_does_not_grow(
    client: Client, visit: MonitoringEvent, others: list[StudySite]
) -> None:
    def count(sites: list[StudySite]) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as shown:
            preview = ask(client, visit, sites)
        with CaptureQueriesContext(connection) as saved:
            assert confirm(client, visit, sites, preview).status_code == HTTPStatus.FOUND
        return len(shown), len(saved)

    count(others[:1])
    assert count(others[:2]) == count(others)
