"""Cases in which the CRM could keep a wrong value, or the Vault a record twice, without an exception item."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.identity.account_matching import AccountDirectory
from crm_sync.engine.outbound.records import read_records
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_uptime
from ctms.jobs import leases
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobRun
from ctms.jobs.queue import take_over_interrupted
from ctms.jobs.services import execute_run
from tests.crm_sync.world import World, build_world
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import InvestigatorFactory, PersonFactory, StudySiteFactory
from tests.factories.configuration import map_identifiers
from tests.factories.connections import IdentifierMappingFactory
from tests.jobs.handlers import let_leases_run_out

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


@pytest.mark.every_dialect
def test_a_value_seen_through_two_references_follows_when_the_second_leads_to_another_record(world: World) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    subject = rule.field_rules.get(target="Subject_vod__c")
    subject.source = "site__v.principal_investigator__v.name__v"
    save(subject)
    before, after = InvestigatorFactory.create(), InvestigatorFactory.create()
    before.email = "edited@example.org"
    save(before)  # one version ahead of the other
    site = StudySiteFactory.create(principal_investigator=before)
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, site=site)
    world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == [before.name]

    site.principal_investigator = after
    save(site)
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == [after.name]


@pytest.mark.every_dialect
def test_an_identifier_that_changes_while_a_run_is_at_work_never_leaves_the_old_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create(external_id="HCP-OLD")
    old, new = world.add_accounts([person, PersonFactory.build(external_id="HCP-NEW")])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    assert [row["Account_vod__c"] for row in world.list_interactions()] == [old]
    finish = AccountDirectory.finish

    def look_up_before_somebody_corrects_the_person(directory: AccountDirectory) -> None:
        finish(directory)
        monkeypatch.setattr(AccountDirectory, "finish", finish)
        person.external_id = "HCP-NEW"
        save(person)

    monkeypatch.setattr(AccountDirectory, "finish", look_up_before_somebody_corrects_the_person)
    activity.subject = "Edited"
    save(activity)
    world.transfer()
    world.transfer()

    assert [row["Account_vod__c"] for row in world.list_interactions()] == [new]


@pytest.mark.every_dialect
def test_an_identifier_that_moves_to_another_account_takes_the_activities_along(world: World, settings: Any) -> None:
    person = PersonFactory.create()
    wrong, right = world.add_accounts([person, PersonFactory.build(external_id="unused")])
    ActivityFactory.create(person=person, subject="Old")
    world.transfer()
    world.change_in_crm("Account", wrong, External_ID_vod__c=None)
    world.change_in_crm("Account", right, External_ID_vod__c=person.external_id)
    ActivityFactory.create(person=person, subject="New")

    settings.CRM_ACCOUNT_RECHECK_SECONDS = 0  # a day later
    world.transfer()
    world.transfer()

    shown = {row["Subject_vod__c"]: row["Account_vod__c"] for row in world.list_interactions()}
    assert shown == {"Old": right, "New": right}


def test_a_second_address_of_the_same_organisation_brings_no_call_twice(world: World) -> None:
    alias = build_world(crm=world.crm, name="ALIAS")
    world.add_calls(world.add_accounts([PersonFactory.create()]))
    assert world.transfer().state == RunState.SUCCEEDED

    run = alias.transfer()

    assert Activity.objects.count() == 1
    (item,) = alias.list_exceptions()
    assert (run.state, item.error_type) == (RunState.FAILED, "configuration__v")
    assert "leads to the same CRM organisation as NA" in item.error_message


def test_names_of_the_crm_are_understood_in_any_case(world: World) -> None:
    map_identifiers(account_field="external_id_VOD__C")
    inbound = world.connection.integrations.get(kind=IntegrationKind.CALL_INBOUND).rule
    for rule in inbound.field_rules.all():
        rule.source = rule.source.lower()
        save(rule)
    inbound.crm_filter_field = inbound.crm_filter_field.lower()
    save(inbound)
    outbound = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    outbound.crm_external_id_field = outbound.crm_external_id_field.upper()
    outbound.deletion_field = outbound.deletion_field.lower()
    save(outbound)
    for rule in outbound.field_rules.exclude(reference_object=""):
        rule.reference_object = rule.reference_object.lower()
        save(rule)
    person = PersonFactory.create()
    (account,) = world.add_accounts([person])
    world.add_calls([account])
    activity = ActivityFactory.create(person=person, subject="Visit", site=StudySiteFactory.create())
    world.crm.misbehaviour.add_rule(match={"method": "PATCH", "count": 9}, effect={"drop": "after"})
    world.transfer()
    world.crm.misbehaviour.clear()

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, []), run.log
    (received,) = Activity.objects.exclude(pk=activity.pk)
    assert (received.person, received.channel, received.complete) == (person, "phone__v", True)
    assert received.from_text
    (interaction,) = world.list_interactions()
    assert interaction["Account_vod__c"] == account
    assert interaction["Clinical_Study_vod__c"] == world.list_studies()[0]["Id"]

    activity.status = RecordStatus.INACTIVE
    save(activity)
    world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Visit Deleted"]


@pytest.mark.every_dialect
def test_a_worker_that_slept_through_its_lease_does_not_overwrite_what_its_successor_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    activity.subject = "Read before the sleep"
    save(activity)

    def read_and_sleep(**options: Any) -> Any:
        if not options["keys"]:
            return read_records(**options)
        monkeypatch.setattr("crm_sync.engine.outbound.run.read_records", read_records)
        rows = list(read_records(**options))
        activity.subject = "Sent by the successor"
        save(activity)
        let_leases_run_out()
        assert take_over_interrupted() == 1
        execute_run(JobRun.objects.get(trigger=RunTrigger.TAKEOVER).pk)
        woken_at = get_uptime() + timedelta(hours=1).total_seconds()
        monkeypatch.setattr(leases, "get_uptime", lambda: woken_at)
        return rows

    monkeypatch.setattr("crm_sync.engine.outbound.run.read_records", read_and_sleep)
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Sent by the successor"]


@pytest.mark.every_dialect
def test_a_subject_that_is_mapped_no_longer_is_not_lost_when_the_activity_is_deleted(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    deleted, inactive = (ActivityFactory.create(person=person, subject=text) for text in ("Visit", "Call"))
    world.transfer()
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    subject = rule.field_rules.get(target="Subject_vod__c")
    subject.status = RecordStatus.INACTIVE
    save(subject)
    world.transfer()

    delete_record(record=deleted, actor=build_admin_actor())
    inactive.status = RecordStatus.INACTIVE
    save(inactive)
    world.transfer()
    shown = {row["Vault_External_ID_vod__c"]: row["Subject_vod__c"] for row in world.list_interactions()}
    assert shown == {str(deleted.uid): "Visit Deleted", str(inactive.uid): "Call Deleted"}

    inactive.status = RecordStatus.ACTIVE
    save(inactive)
    world.transfer()
    shown = {row["Vault_External_ID_vod__c"]: row["Subject_vod__c"] for row in world.list_interactions()}
    assert shown == {str(deleted.uid): "Visit Deleted", str(inactive.uid): "Call"}


@pytest.mark.every_dialect
@pytest.mark.parametrize(
    "value",
    [
        'O\'Brien \\ "x"',
        "İstanbul-ß",
        "a%b_c",
        "é",
        "tab\tin it",
        "x" * 255,
        "ACC\\'); DELETE",
        "nul-\\u0000",
    ],
)
def test_any_text_identifies_a_person_both_ways_and_no_other_does(world: World, value: str) -> None:
    person = PersonFactory.create(external_id=value)
    PersonFactory.create(external_id=value.swapcase() + "."[: 255 - len(value)])
    (account,) = world.add_accounts([person])
    world.add_calls([account])
    activity = ActivityFactory.create(person=person)

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED, (run.log, [item.error_message for item in world.list_exceptions()])
    assert [row["Account_vod__c"] for row in world.list_interactions()] == [account]
    assert Activity.objects.exclude(pk=activity.pk).get().person == person


def test_an_account_whose_identifier_differs_in_case_is_not_the_persons(world: World) -> None:
    IdentifierMappingFactory.create(connection=world.connection, crm_account_identifier="NPI_vod__c")
    person = PersonFactory.create(external_id="AB-1")
    # The CRM ignores the case of this field, so it answers with this account when it is asked for the person's.
    account = {"LastName": "Other", "NPI_vod__c": "Ab-1"}
    world.crm.organisation.insert_records(object_name="Account", records=[account])
    ActivityFactory.create(person=person)

    world.transfer()

    assert world.list_interactions() == []
    (item,) = world.list_exceptions()
    assert "There is one with 'Ab-1', which differs in case." in item.error_message
