"""The page *Preview Transfer* of a connection: its states, filters, pages and export."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.jobs import PREVIEW_JOB_KEY
from ctms.audit.models import AuditEntry
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.admin_forms import log_in_admin
from tests.crm_sync.preview.conftest import preview_world
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db
OUT, STUDIES = IntegrationKind.CALL_OUTBOUND, IntegrationKind.STUDY_OUTBOUND


def get_url(world: World) -> str:
    return reverse("admin:connections_connection_preview_transfer", args=(world.connection.pk,))


def read(page: Any) -> str:
    return " ".join(page.content.decode().split())


def read_file(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def waiting(world: World) -> list[Activity]:
    """Sixty activities, one of an unknown person, and a study, none of which was transferred yet."""
    people = create_people(5)
    world.add_accounts(people)
    StudyFactory.create(name="ST-1", study_name="=cmd()")
    ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    return create_activities(59, people=people)


def test_the_page_starts_a_preview_and_then_shows_it(client: Client, world: World, waiting: list[Activity]) -> None:
    log_in_admin(client)
    record = read(client.get(reverse("admin:connections_connection_change", args=(world.connection.pk,))))
    assert get_url(world) in record
    first = read(client.get(get_url(world)))
    assert "Preview now" in first
    assert "Record by record" not in first

    answer = read(client.post(get_url(world), follow=True))
    assert "A preview of NA was started; see Job Status." in answer
    assert "A preview is waiting for a worker." in answer
    again = read(client.post(get_url(world), follow=True))
    assert "is scheduled or running already" in again

    run = JobRun.objects.get(definition__key=PREVIEW_JOB_KEY)
    execute_run(run.pk)
    page = client.get(get_url(world))
    text = read(page)
    assert "Preview again" in text
    assert "Finished at" in text
    assert page.context["state"] is None
    assert page.context["table"]["columns"] == [
        "Clinical Study Outbound",
        "Clinical Site Outbound",
        "CRM Call Outbound",
        "CRM Call Inbound",
    ]
    assert page.context["table"]["rows"] == [
        ("Create", [1, 0, 59, 0]),
        ("Fail", [0, 0, 1, 0]),
        ("Leave unchanged", [0, 0, 0, 0]),
    ]


def test_rows_are_listed_in_pages_and_by_integration_and_outcome(
    client: Client, world: World, waiting: list[Activity]
) -> None:
    preview_world(world)
    log_in_admin(client)

    page = client.get(get_url(world))
    assert (len(page.context["rows"]), page.context["number"]) == (50, 61)
    assert "Page 1 of 2" in read(page)
    assert len(client.get(get_url(world), {"page": "2"}).context["rows"]) == 11

    failing = client.get(get_url(world), {"outcome": "fail"})
    (row,) = failing.context["rows"]
    assert "P-UNKNOWN" in row["row"].reason
    assert "P-UNKNOWN" in read(failing)
    (study,) = client.get(get_url(world), {"integration": STUDIES}).context["rows"]
    assert study["row"].name == "ST-1"
    nothing = client.get(get_url(world), {"integration": STUDIES, "outcome": "fail"})
    assert "No record has this outcome." in read(nothing)
    tabs = dict(failing.context["tabs"])
    assert [(tab["number"], tab["is_chosen"]) for tab in tabs["Outcome"]] == [(61, False), (60, False), (1, True)]
    assert [tab["number"] for tab in tabs["Integration"]] == [1, 1]
    record = reverse("record", args=("crm_activity__v", waiting[0].uid))
    both = read(client.get(get_url(world), {"integration": OUT, "page": "1"}))
    assert f'href="{record}"' in both
    assert f"?integration={OUT}&amp;page=2" in both


def test_the_export_holds_every_field_of_the_chosen_rows_and_runs_no_formula(
    client: Client, world: World, waiting: list[Activity]
) -> None:
    preview_world(world)
    log_in_admin(client)

    answer = client.get(get_url(world), {"integration": STUDIES, "export": "csv"})
    heading, *lines = read_file(answer)

    assert answer["Content-Disposition"] == 'attachment; filename="preview-na.csv"'
    assert heading == ["Integration", "Record", "Outcome", "Reason", "CRM id", "Vault UID", "Field", "Now", "Then"]
    assert {line[6]: line[8] for line in lines}["Study_Name_vod__c"] == "'=cmd()"
    assert {line[1] for line in lines} == {"ST-1"}
    entry = AuditEntry.objects.filter(record_uid=world.connection.uid, action="exported").get()
    assert entry.changes["records"] == [None, 1]
    assert len({line[5] for line in read_file(client.get(get_url(world), {"export": "csv"}))[1:]}) == 61


def test_an_empty_preview_says_so(client: Client, world: World) -> None:
    preview_world(world)
    log_in_admin(client)
    text = read(client.get(get_url(world)))
    assert "The next transfer would change nothing." in text
    assert "Record by record" not in text


def test_errors_and_runs_without_a_result_are_told(client: Client, world: World) -> None:
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    preview = preview_world(world)
    log_in_admin(client)
    text = read(client.get(get_url(world)))
    assert "The transfer would fail." in text
    assert "refused the log-in" in text
    assert "would change nothing" not in text

    preview.delete()
    JobRun.objects.filter(pk=preview.run.pk).update(state=RunState.INTERRUPTED, message="The worker died.")
    assert "The last preview brought no result. The worker died." in read(client.get(get_url(world)))


def test_values_are_escaped(client: Client, world: World) -> None:
    StudyFactory.create(study_name="<b>Bold</b>")
    preview_world(world)
    log_in_admin(client)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in read(client.get(get_url(world)))


def test_reading_connections_is_not_enough(client: Client, world: World) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(get_url(world)).status_code == 403
    assert client.get(get_url(world), {"export": "csv"}).status_code == 403
    assert client.post(get_url(world)).status_code == 403
    assert not JobRun.objects.exists()


def test_the_page_takes_as_many_statements_for_many_rows_as_for_one(
    client: Client, world: World, django_assert_max_num_queries: Any
) -> None:
    log_in_admin(client)
    StudyFactory.create()
    preview_world(world)
    client.get(get_url(world))
    with django_assert_max_num_queries(40) as queries:
        client.get(get_url(world))
    few = len(queries)
    people = create_people(5)
    world.add_accounts(people)
    create_activities(60, people=people)
    preview_world(world)
    client.get(get_url(world))  # which notes the use of the session, if the log-in is a minute ago
    with django_assert_max_num_queries(few):
        client.get(get_url(world))
