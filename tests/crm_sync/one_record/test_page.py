"""The page *Test One Record* of a connection: what it offers, shows and sends, and to whom."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from crm_sync.actions.pausing import pause_connection
from crm_sync.jobs import ONE_RECORD_JOB_KEY
from crm_sync.models import TransferLink
from ctms.clinical.models import Person
from ctms.jobs.models import JobRun
from tests.admin_forms import log_in_admin
from tests.crm_sync.one_record.conftest import OUT, STUDIES, delete, list_sent, list_writes, name_all
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db


def get_url(world: World) -> str:
    return reverse("admin:connections_connection_test_one_record", args=(world.connection.pk,))


def read(page: Any) -> str:
    return html.unescape(" ".join(page.content.decode().split()))


def act(client: Client, world: World, record: Any, do: str = "look", kind: str = OUT) -> Any:
    return client.post(get_url(world), {"integration": kind, "record": record.uid, "do": do})


@pytest.fixture
def activity(world: World, person: Person) -> Activity:
    return ActivityFactory.create(person=person, subject="Call <b>about</b> dosing")


def test_it_offers_new_records_and_those_that_fail_and_finds_others(
    client: Client, world: World, activity: Activity
) -> None:
    log_in_admin(client)
    failing = ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    study = StudyFactory.create(name="ST-77")
    world.transfer()
    url = get_url(world)
    assert url in read(client.get(reverse("admin:connections_connection_page", args=(world.connection.pk,))))

    page = client.get(url, {"integration": OUT})
    lists = dict(page.context["lists"])
    assert [each.uid for each in lists["With an exception"]] == [failing.uid]
    assert {each.uid for each in lists["Newest"]} == {failing.uid, activity.uid}
    assert "P-UNKNOWN" in read(page)

    def find(query: str, kind: str = OUT) -> list[Any]:
        found = client.get(url, {"integration": kind, "q": query})
        return [each.uid for each in dict(found.context["lists"])["Found"]]

    crm_id = TransferLink.objects.get(record_uid=activity.uid).crm_id
    assert find(str(activity.uid)) == find(crm_id) == find(crm_id[:15]) == find(activity.name) == [activity.uid]
    assert find("st-77", STUDIES) == [study.uid]
    assert find("nothing like it") == find(str(study.uid)) == []
    assert "Search by its name, number, UID or CRM id." in read(client.get(url, {"integration": OUT, "q": "nothing"}))

    delete(activity)
    (gone,) = dict(client.get(url, {"integration": OUT, "q": str(activity.uid)}).context["lists"])["Found"]
    assert (gone.name, gone.is_deleted) == (str(activity), True)


def test_looking_shows_outcome_fields_and_request_and_sending_the_answer(
    client: Client, world: World, activity: Activity
) -> None:
    log_in_admin(client)
    other = ActivityFactory.create(person=activity.person)

    look = act(client, world, activity)
    text = read(look)
    assert "Would be created" in text
    assert "Request, not sent" in text
    assert "Send this record" in text
    assert "https://na.crm.test/services/data/" in text
    assert f'"Vault_External_ID_vod__c":"{activity.uid}"' in text
    assert "Bearer [removed]" in text
    assert "Call &lt;b&gt;about&lt;/b&gt; dosing" in look.content.decode()
    assert list_writes(world) == []

    sent = read(act(client, world, activity, "send"))
    assert "NA created the record" in sent
    assert "Status <strong>200</strong>" in sent
    assert '"success": true' in sent
    assert "Send this record" not in sent
    run = JobRun.objects.get(definition__key=ONE_RECORD_JOB_KEY)
    assert reverse("admin:jobs_jobrun_change", args=(run.pk,)) in sent
    assert list_sent(world) == name_all(activity)

    again = read(act(client, world, activity, "send"))
    assert "nothing to send" in again
    history = read(client.get(reverse("admin:jobs_jobrun_changelist")))
    assert "Test One Record" in history
    record = read(client.get(reverse("admin:jobs_jobrun_change", args=(run.pk,))))
    assert "1 sent, 0 received, 0 failed" in record
    assert str(other.uid) not in sent


def test_no_secret_is_on_any_of_the_pages(client: Client, world: World, activity: Activity) -> None:
    log_in_admin(client)
    authorization = world.connection.authorization
    assert authorization is not None
    pages = [client.get(get_url(world)), act(client, world, activity), act(client, world, activity, "send")]
    tokens = [row[0] for row in world.crm.organisation.database.fetch_all("SELECT token FROM sandbox_sessions")]
    assert tokens
    for secret in (
        *tokens,
        authorization.password.reveal(),
        authorization.consumer_key.reveal(),
        authorization.consumer_secret.reveal(),
    ):
        assert not any(secret in read(page) for page in pages)


def test_a_paused_connection_may_be_looked_at_and_refuses_to_send(
    client: Client, world: World, activity: Activity
) -> None:
    log_in_admin(client)
    pause_connection(connection=world.connection, reason="Migration", actor=build_admin_actor())
    look = read(act(client, world, activity))
    assert "NA is paused (Migration), so nothing is sent. Resume it first." in look
    assert "Would be created" in look
    assert "Send this record" not in look
    assert "Not sent" in read(act(client, world, activity, "send"))
    assert list_writes(world) == []


def test_what_is_asked_of_an_unknown_record_or_integration_is_said(client: Client, world: World) -> None:
    log_in_admin(client)
    for uid in ("nothing", "00000000-0000-4000-8000-000000000000"):
        page = client.post(get_url(world), {"integration": OUT, "record": uid, "do": "send"})
        assert "Record: it does not exist, or you may not see it." in read(page)
    page = client.get(get_url(world), {"integration": "crm_call_inbound__v"})
    assert page.context["integration"].kind == STUDIES  # calls are received, and not sent
    assert not JobRun.objects.exists()


def test_reading_connections_is_not_enough_and_records_are_those_that_the_user_sees(
    client: Client, world: World, activity: Activity
) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(get_url(world)).status_code == 403
    assert act(client, world, activity).status_code == 403
    assert act(client, world, activity, "send").status_code == 403

    may_change = ["connection__sys:read", "connection__sys:edit"]
    client.force_login(
        UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create(permissions=may_change))
    )
    page = act(client, world, activity, "send")
    assert page.status_code == 200
    assert "profile does not" in read(page)
    assert activity.subject not in page.content.decode()
    assert list_writes(world) == []
    assert not JobRun.objects.exists()


def test_the_page_takes_as_many_statements_for_many_records_as_for_one(
    client: Client, world: World, activity: Activity, django_assert_max_num_queries: Any
) -> None:
    log_in_admin(client)
    client.get(get_url(world), {"integration": OUT})
    with django_assert_max_num_queries(60) as few:
        client.get(get_url(world), {"integration": OUT})
    ActivityFactory.create_batch(8, person=activity.person)
    with django_assert_max_num_queries(len(few)):
        client.get(get_url(world), {"integration": OUT})
