"""Rare cases in which a record could be lost, created again after its deletion, or never sent."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import create_records, save_record
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run
from tests.crm_sync.world import World, enter_credentials
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.factories.configuration import map_identifiers

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
INTERACTION = "Vault_Clinical_Interaction_vod__c"


def save(record: object) -> None:
    save_record(record=record, actor=build_admin_actor())  # type: ignore[type-var]


def test_a_record_that_the_crm_neither_has_nor_remembers_is_an_exception_and_not_given_up(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    (interaction,) = world.list_interactions()
    # As if the CRM user could not see the record: its update is refused and no query returns it.
    world.crm.misbehaviour.add_rule(
        match={"method": "PATCH"}, effect={"row_errors": {interaction["Id"]: "INVALID_CROSS_REFERENCE_KEY"}}
    )
    activity.subject = "Corrected"
    save(activity)
    world.transfer()
    assert [item.error_type for item in world.list_exceptions()] == ["rejected__v"]

    world.crm.misbehaviour.clear()
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Corrected"]


def test_what_arrived_without_an_answer_and_was_made_inactive_here_is_shown_as_deleted(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="Visit")
    world.crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"drop": "after"})
    world.transfer()
    world.crm.misbehaviour.clear()
    activity.status = RecordStatus.INACTIVE
    save(activity)

    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Visit Deleted"]


@pytest.mark.every_dialect
def test_children_of_an_inactive_parent_that_was_never_sent_go_without_it_and_get_it_later(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    study = StudyFactory.create(status=RecordStatus.INACTIVE)
    ActivityFactory.create(person=person, site=StudySiteFactory.create(study_country__study=study))

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert [row["Clinical_Study_vod__c"] for row in world.list_interactions()] == [None]

    study.status = RecordStatus.ACTIVE
    save(study)
    world.transfer()

    assert [row["Clinical_Study_vod__c"] for row in world.list_interactions()] == [world.list_studies()[0]["Id"]]


@pytest.mark.every_dialect
def test_a_failed_call_that_was_unmarked_is_not_received_later(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.build(external_id="P-LATE")])
    (call,) = world.add_calls([account])
    world.transfer()
    assert len(world.list_exceptions()) == 1

    world.change_in_crm("Call2_vod__c", call, Send_to_Vault_Clinical_vod__c=False)
    PersonFactory.create(external_id="P-LATE")
    world.transfer()
    assert (Activity.objects.count(), world.list_exceptions()) == (0, [])

    world.change_in_crm("Call2_vod__c", call, Send_to_Vault_Clinical_vod__c=True)
    world.transfer()
    assert Activity.objects.count() == 1


@pytest.mark.parametrize("value", ["HCP-1", "1234567890"])
def test_a_custom_field_identifies_persons_both_ways(world: World, value: str) -> None:
    save(CustomField(of_object="person__sys", api_name="register_number__c", label="Register number"))
    map_identifiers(person_field="register_number__c", account_field="NPI_vod__c")
    person = PersonFactory.create(custom_fields={"register_number__c": value})
    PersonFactory.create(custom_fields={"register_number__c": None})
    (account,) = world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Register", "NPI_vod__c": value}]
    )
    world.add_calls([account])
    ActivityFactory.create(person=person)

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED, run.log
    assert [row["Account_vod__c"] for row in world.list_interactions()] == [account]
    assert Activity.objects.exclude(crm_id="").get().person == person


@pytest.mark.every_dialect
def test_a_corrected_filter_field_brings_the_calls_that_it_marks_whatever_the_watermark(world: World) -> None:
    accounts = world.add_accounts([PersonFactory.create()])
    world.add_calls(accounts, Send_to_Vault_Clinical_vod__c=False, SystemModstamp="2020-01-01T00:00:00.000+0000")
    world.add_calls(accounts)
    world.transfer()
    assert Activity.objects.count() == 1

    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_INBOUND).rule
    rule.crm_filter_field = ""
    save(rule)
    world.transfer()

    assert Activity.objects.count() == 2


@pytest.mark.every_dialect
def test_a_rule_that_fills_no_field_of_the_object_fails_its_integration_alone(world: World) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_INBOUND).rule
    # As if stored before such rules were refused.
    odd = FieldRule(rule=rule, kind=FieldRuleKind.COPY, source="Name", target="study__v.name__v", position=9)
    create_records(records=[odd], actor=build_admin_actor())
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person)

    world.transfer()

    (item,) = world.list_exceptions()
    assert item.error_type == "configuration__v"
    assert "fills 'study__v.name__v', which is no field of activity that can be filled" in item.error_message
    assert len(world.list_interactions()) == 1


@pytest.mark.every_dialect
@pytest.mark.parametrize("target", ["Vault_External_ID_vod__c", "vault_external_id_VOD__c", "Account_vod__r"])
def test_a_stored_rule_that_would_relabel_records_fails_its_integration_before_anything_is_sent(
    world: World, target: str
) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    odd = FieldRule(rule=rule, source="subject__v", target=target, position=9)
    create_records(records=[odd], actor=build_admin_actor())
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person)

    world.transfer()

    (item,) = world.list_exceptions()
    assert item.error_type == "configuration__v"
    assert "cannot be followed, so nothing was transferred" in item.error_message
    assert target in item.error_message
    assert world.list_interactions() == []


def test_an_optional_field_without_text_that_the_crm_leaves_empty_is_left_alone(world: World) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_INBOUND).rule
    save(FieldRule(rule=rule, kind=FieldRuleKind.COPY, source="Name", target="notes__v", position=9))
    complete = rule.field_rules.get(target="complete__v")
    complete.picklist_map, complete.is_required = {"Submitted_vod": "true", "Planned_vod": "false"}, False
    save(complete)
    accounts = world.add_accounts([PersonFactory.create()])
    world.add_calls(accounts, Status_vod__c=None)

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert Activity.objects.get().complete is False


def test_a_run_that_was_queued_before_its_connection_was_switched_off_transfers_nothing(world: World) -> None:
    run = create_run(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(world.connection), user=None
    )
    JobRun.objects.filter(pk=run.pk).update(trigger=RunTrigger.SCHEDULE)
    world.connection.status = RecordStatus.INACTIVE
    save(world.connection)

    finished = execute_run(run.pk)

    assert finished is not None
    assert finished.state == RunState.SKIPPED
    assert world.crm.request_log.count() == 0


def test_a_connection_that_leads_to_another_organisation_is_refused_and_leaves_its_links_alone(
    world: World, sandbox: RunningSandbox, settings: Any
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    other = sandbox["emea"]
    authorization = world.connection.authorization
    assert authorization is not None
    origins = settings.CRM_SANDBOX_ORIGINS
    settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": other.base_url}
    enter_credentials(authorization=authorization, crm=other)
    activity.subject = "Corrected"
    save(activity)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.FAILED, "configuration__v")
    assert "but its records are in 00D" in item.error_message
    assert other.organisation.count_records(object_name=INTERACTION) == 0

    settings.CRM_SANDBOX_ORIGINS = origins
    enter_credentials(authorization=authorization, crm=world.crm)
    world.transfer()
    assert ([row["Subject_vod__c"] for row in world.list_interactions()], world.list_exceptions()) == (
        ["Corrected"],
        [],
    )
