"""The worklist of unmatched persons and accounts: who is on it, how they are matched, and what the next run does."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from crm_sync.choices import LinkState
from crm_sync.models import TransferLink
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Person
from tests.admin_forms import list_messages, log_in_admin
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def build_url(world: World, page: str = "") -> str:
    return f"{reverse('admin:connections_connection_unmatched', args=(world.connection.pk,))}{page}"


def read(page: Any) -> str:
    return " ".join(page.content.decode().split())


@pytest.fixture
def account(world: World) -> str:
    """An account Grace Hopper with the identifier P-9, whose two calls find no person."""
    (account,) = world.add_accounts([PersonFactory.build(first_name="Grace", last_name="Hopper", external_id="P-9")])
    world.change_in_crm("Account", account, PersonEmail="grace@navy.test")
    world.add_calls([account, account])
    return account


def test_a_person_without_an_account_is_listed_with_the_records_that_wait(client: Client, world: World) -> None:
    log_in_admin(client)
    person = PersonFactory.create(first_name="Ada", last_name="Lovelace", external_id="p-1")
    ActivityFactory.create(person=person)
    ActivityFactory.create(person=person)
    world.transfer()
    page = client.get(build_url(world))
    assert [(row.person, row.identifier, row.records) for row, _ in page.context["person_rows"]] == [(person, "p-1", 2)]
    assert build_url(world, f"persons/{person.uid}/") in read(page)


def test_a_person_is_given_the_identifier_of_an_account_of_the_same_name(client: Client, world: World) -> None:
    user = log_in_admin(client)
    person = PersonFactory.create(first_name="Ada", last_name="Lovelace", external_id="wrong")
    activity = ActivityFactory.create(person=person)
    world.add_accounts([PersonFactory.build(first_name="Ada", last_name="Lovelace", external_id="P-1")])
    world.transfer()
    url = build_url(world, f"persons/{person.uid}/")
    found = client.post(url, {"do": "look"})
    assert [(each.name, each.identifier, each.same) for each in found.context["candidates"]] == [
        ("Ada Lovelace", "P-1", ("name",))
    ]
    answer = client.post(url, {"do": "enter", "identifier": "P-1", "version": person.version}, follow=True)
    assert "Ada Lovelace has the External ID P-1 now" in list_messages(answer)[0]
    world.transfer()
    assert client.get(build_url(world)).context["person_rows"] == []
    assert TransferLink.objects.get(record_uid=activity.uid).state == LinkState.LIVE
    assert AuditEntry.objects.filter(record_uid=person.uid, actor=user).exists()


def test_an_identifier_that_another_person_has_is_refused(client: Client, world: World) -> None:
    log_in_admin(client)
    other = PersonFactory.create(external_id="P-1")
    person = PersonFactory.create(external_id="wrong")
    ActivityFactory.create(person=person)
    world.transfer()
    answer = client.post(build_url(world, f"persons/{person.uid}/"), {"do": "enter", "identifier": "P-1"})
    assert f"External ID: {other} has 'P-1' already" in list_messages(answer)[0]
    person.refresh_from_db()
    assert person.external_id == "wrong"


def test_a_person_is_created_from_an_account_and_the_next_run_receives_its_calls(
    client: Client, world: World, account: str
) -> None:
    log_in_admin(client)
    world.transfer()
    listed = client.get(build_url(world)).context["account_rows"]
    assert [(row.account_id, row.identifier, row.calls) for row, _ in listed] == [(account, "P-9", 2)]
    url = build_url(world, f"accounts/{account}/")
    asked = client.post(url, {"do": "look"})
    typed = {"first_name__sys": "Grace", "last_name__sys": "Hopper", "email__sys": "grace@navy.test"}
    assert asked.context["typed"] == typed
    client.post(url, {"do": "create", "object_type": "investigator__v", **typed})
    person = Person.objects.get(external_id="P-9")
    assert (person.full_name, person.email, person.object_type) == (
        "Grace Hopper",
        "grace@navy.test",
        "investigator__v",
    )
    world.transfer()
    assert Activity.objects.filter(person=person).count() == 2
    assert client.get(build_url(world)).context["account_rows"] == []


def test_a_person_who_may_be_the_account_is_offered_and_given_its_identifier(
    client: Client, world: World, account: str
) -> None:
    log_in_admin(client)
    person = PersonFactory.create(first_name="Grace", last_name="Hopper", email="grace@navy.test", external_id="")
    world.transfer()
    url = build_url(world, f"accounts/{account}/")
    asked = client.post(url, {"do": "look"})
    assert [each.record for each in asked.context["candidates"]] == [person]
    client.post(url, {"do": "match", "person": str(person.uid), "version": person.version})
    person.refresh_from_db()
    assert person.external_id == "P-9"


def test_the_worklist_is_exported_and_no_cell_is_run_as_a_formula(client: Client, world: World) -> None:
    log_in_admin(client)
    person = PersonFactory.create(first_name="=cmd()", last_name="Lovelace", external_id="p-1")
    ActivityFactory.create(person=person)
    world.transfer()
    answer: Any = client.get(build_url(world), {"export": "csv"})
    lines = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert lines[1][:4] == ["Person", "'=cmd() Lovelace", "p-1", "1"]
    workbook: Any = client.get(build_url(world), {"export": "xlsx"})
    assert b"".join(workbook.streaming_content)[:2] == b"PK"
    assert AuditEntry.objects.filter(action="exported").count() == 2


def test_who_may_read_no_persons_sees_no_worklist(client: Client, world: World) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read", "connection__sys:edit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(build_url(world)).status_code == 403
