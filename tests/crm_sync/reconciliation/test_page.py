"""The page *Reconciliation* of a connection as an admin uses it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from crm_sync.jobs import RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY, build_lease_key
from ctms.audit.models import AuditEntry
from ctms.core.models import allow_record_writes
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.admin_forms import log_in_admin
from tests.crm_sync.reconciliation.conftest import Reconcile
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.bulk import create_activities, create_people

pytestmark = pytest.mark.django_db
OBJECT = "Vault_Clinical_Interaction_vod__c"


@pytest.fixture
def sent(world: World) -> list[Activity]:
    people = create_people(5)
    world.add_accounts(people)
    activities = create_activities(60, people=people)
    world.transfer()
    return activities


def get_url(world: World) -> str:
    return reverse("admin:connections_connection_reconciliation", args=(world.connection.pk,))


def corrupt(world: World, activities: list[Activity]) -> None:
    """Alter the first activity here, and lose the rows of all others there."""
    keep = str(activities[0].uid)
    world.crm.organisation.database.execute(
        f'DELETE FROM "{OBJECT}" WHERE "Vault_External_ID_vod__c" <> ?',  # noqa: S608  a name of this test
        [keep],
    )
    world.empty_deletion_log()
    with allow_record_writes():
        Activity.objects.filter(pk=activities[0].pk).update(subject="<b>Altered</b>")


def read(page: Any) -> str:
    return " ".join(page.content.decode().split())


@pytest.mark.every_dialect
def test_the_page_starts_a_reconciliation_and_then_shows_its_proof(
    client: Client, world: World, sent: list[Activity]
) -> None:
    log_in_admin(client)
    record = client.get(reverse("admin:connections_connection_change", args=(world.connection.pk,))).content.decode()
    assert get_url(world) in record
    assert "Compare now" in read(client.get(get_url(world)))

    answer = client.post(get_url(world), {"do": "reconcile"}, follow=True)
    run = JobRun.objects.get(definition__key=RECONCILIATION_JOB_KEY)
    assert "A reconciliation of NA was started; see Job Status." in read(answer)
    execute_run(run.pk)

    text = read(client.get(get_url(world)))
    assert "0 unexplained" in text
    assert "Compare again" in text
    assert "What nothing explains" not in text


def test_differences_are_listed_in_pages_and_by_word(
    client: Client, world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    corrupt(world, sent)
    reconcile(world)
    log_in_admin(client)

    page = client.get(get_url(world))
    assert [each["number"] for each in page.context["words"]] == [59, 1]
    assert len(page.context["rows"]) == 50
    assert "60 unexplained" in read(page)
    assert "Page 1 of 2" in read(page)
    assert len(client.get(get_url(world), {"page": "2"}).context["rows"]) == 10

    differing = client.get(get_url(world), {"word": "differs"})
    assert "<code>Subject_vod__c</code> &lt;b&gt;Altered&lt;/b&gt; here, Activity 0 there" in read(differing)
    (row,) = differing.context["rows"]
    assert row["url"] == reverse("record", args=("crm_activity__v", sent[0].uid))


def test_one_or_all_of_a_word_are_repaired_by_a_transfer_that_is_started(
    client: Client, world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    corrupt(world, sent)
    found = reconcile(world)
    log_in_admin(client)

    one = found.differences.get(word="differs")
    answer = client.post(get_url(world), {"do": "repair", "difference": one.pk}, follow=True)
    assert "1 repaired: a transfer was started that sends or reads them again." in read(answer)
    assert found.differences.filter(is_repaired=True).get() == one
    run = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, state="queued").get()

    answer = client.post(get_url(world), {"do": "repair", "word": "missing_there"}, follow=True)
    assert "59 repaired: the next transfer sends or reads them again." in read(answer)
    entries = AuditEntry.objects.filter(record_uid=world.connection.uid, action="event").order_by("pk")
    assert [entry.reason for entry in entries] == [
        "Repaired after a reconciliation: 1 differs",
        "Repaired after a reconciliation: 59 missing there",
    ]
    execute_run(run.pk)
    assert reconcile(world).is_proof


def test_nothing_is_repaired_while_a_transfer_runs(
    client: Client, world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    corrupt(world, sent)
    found = reconcile(world)
    acquire_lease(key=build_lease_key(world.connection), run=None)
    log_in_admin(client)

    answer = client.post(get_url(world), {"do": "repair"}, follow=True)

    assert "A transfer or reconciliation of NA is running." in read(answer)
    assert not found.differences.filter(is_repaired=True).exists()


@pytest.mark.every_dialect
def test_reading_connections_is_not_enough(client: Client, world: World) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))

    assert client.get(get_url(world)).status_code == 403
    assert client.post(get_url(world), {"do": "reconcile"}).status_code == 403
    assert not JobRun.objects.exists()


def test_the_list_of_connections_shows_what_is_unexplained(
    client: Client, world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    log_in_admin(client)
    url = reverse("admin:connections_connection_changelist")
    assert "Not compared" in read(client.get(url))
    corrupt(world, sent)
    reconcile(world)

    assert f"<a class='vault-link' href='{get_url(world)}'>60</a>" in read(client.get(url))


def test_the_list_tells_the_counts_of_each_reconciliation_in_words(
    client: Client, world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    log_in_admin(client)
    corrupt(world, sent)
    found = reconcile(world)
    page = client.get(reverse("admin:crm_sync_reconciliation_change", args=(found.pk,))).content.decode()
    assert "<div>CRM Call Outbound Integration: 59 missing there, 1 differs</div>" in page
