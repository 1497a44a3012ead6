"""Each record that cannot be transferred has one clear exception item until it succeeds."""

from __future__ import annotations

import pytest

from connections.choices import IntegrationKind
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.models import IntegrationRun
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.problems import list_problems
from exceptions_log.selectors import list_open_items
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.factories.configuration import map_identifiers
from tests.factories.connections import IdentifierMappingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND


@pytest.mark.every_dialect
def test_a_person_without_account_fails_until_it_is_corrected_and_then_the_message_goes_inactive(world: World) -> None:
    person = PersonFactory.create(external_id="P-WRONG")
    ActivityFactory.create(person=person)
    world.add_accounts([PersonFactory.build(external_id="P-RIGHT")])

    world.transfer()
    world.transfer()

    (item,) = world.list_exceptions()
    assert (item.error_type, item.attempts) == ("matching__v", 2)
    assert item.error_message == (
        f"No account in NA has the External_ID_vod__c 'P-WRONG', which is the External ID of {person.name}. "
        "Correct the identifier on the person or on the account."
    )
    assert ExceptionMessage.objects.filter(status=RecordStatus.ACTIVE).count() == 1

    person.external_id = "P-RIGHT"
    save_record(record=person, actor=build_admin_actor())
    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert len(world.list_interactions()) == 1
    assert ExceptionMessage.objects.filter(status=RecordStatus.ACTIVE).count() == 0


def test_a_person_without_identifier_and_a_person_with_two_accounts_are_told_apart(world: World) -> None:

    IdentifierMappingFactory.create(
        connection=world.connection, clinical_person_identifier="npi__v", crm_account_identifier="NPI_vod__c"
    )
    world.crm.organisation.insert_records(
        object_name="Account",
        records=[{"LastName": "One", "NPI_vod__c": "42"}, {"LastName": "Two", "NPI_vod__c": "42"}],
    )
    ActivityFactory.create(person=PersonFactory.create(npi=""), subject="none")
    ActivityFactory.create(person=PersonFactory.create(npi="42"), subject="two")

    world.transfer()

    messages = sorted(item.error_message for item in world.list_exceptions())
    assert messages[0].startswith("2 accounts in NA have the NPI_vod__c '42' of ")
    assert "has no value in NPI, by which persons are matched to accounts. Enter it on the person." in messages[1]


def test_a_subject_that_is_too_long_names_the_field_the_value_and_the_remedy(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, subject="y" * 300)
    ActivityFactory.create(person=person, subject="fits")

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert world.count(run, OUT) == {"selected": 2, "sent": 1, "created": 1, "failed": 1}
    assert item.error_type == "rejected__v"
    assert "STRING_TOO_LONG" in item.error_message
    assert "Subject_vod__c is 'yyy" in item.error_message
    assert "(300 characters)" in item.error_message
    assert item.error_message.endswith("Shorten the text.")
    assert item.item_data["Subject_vod__c"] == "y" * 300


def test_one_bad_row_in_two_hundred_costs_one_item_and_no_extra_call(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(9, person=person)
    ActivityFactory.create(person=person, subject="z" * 400)

    run = world.transfer()

    assert world.count(run, OUT) == {"selected": 10, "sent": 9, "created": 9, "failed": 1}
    assert world.crm.request_log.count(method="PATCH", path_contains="Vault_Clinical_Interaction") == 1


@pytest.mark.every_dialect
def test_an_inactive_rule_of_a_required_field_fails_its_integration_and_sends_nothing(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, site=StudySiteFactory.create())
    rule = world.connection.integrations.get(kind=OUT).rule.field_rules.get(target="Channel_vod__c")
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert run.state == RunState.WITH_EXCEPTIONS
    assert item.error_type == "configuration__v"
    assert "“channel__v → Channel_vod__c”" in item.error_message
    assert world.list_interactions() == []
    assert len(world.list_sites()) == 1

    rule.status = RecordStatus.ACTIVE
    save_record(record=rule, actor=build_admin_actor())
    assert world.transfer().state == RunState.SUCCEEDED
    assert (len(world.list_interactions()), world.list_exceptions()) == (1, [])


def test_a_site_whose_study_failed_is_blocked_and_follows_when_the_study_goes(world: World) -> None:
    study = StudyFactory.create(name="S" * 90)
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, site=StudySiteFactory.create(study_country__study=study))

    run = world.transfer()

    assert world.count(run, IntegrationKind.STUDY_OUTBOUND) == {"selected": 1, "failed": 1}
    assert world.count(run, IntegrationKind.SITE_OUTBOUND) == {"selected": 1, "blocked": 1}
    assert world.count(run, OUT) == {"selected": 1, "blocked": 1}
    assert [item.item for item in world.list_exceptions()] == [f"study__v: {study.name}"]

    study.name = "STUDY-1"
    save_record(record=study, actor=build_admin_actor())
    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert (len(world.list_studies()), len(world.list_sites()), len(world.list_interactions())) == (1, 1, 1)


def test_equal_causes_are_one_problem_whatever_the_values_of_the_records(world: World) -> None:
    known = PersonFactory.create(external_id="P-1")
    world.add_accounts([known])
    for number in range(2):
        ActivityFactory.create(person=PersonFactory.create(external_id=f"NOBODY-{number}"))
        ActivityFactory.create(person=known, subject="y" * (300 + number))
        ActivityFactory.create(person=PersonFactory.create(external_id=""))
    world.add_calls(world.add_accounts([PersonFactory.build(external_id=f"CRM-{number}") for number in range(2)]))

    world.transfer()

    assert sorted((problem.count, problem.cause) for problem in list_problems(list_open_items())) == [
        (2, "No account has the person's External ID as its External_ID_vod__c."),
        (
            2,
            (
                "No person in the Vault has the External ID …, which is the External_ID_vod__c of the account in NA. "
                "Create the person, or correct the identifier on either side; case counts."
            ),
        ),
        (2, "STRING_TOO_LONG in Subject_vod__c"),
        (2, "The person has no value in External ID."),
    ]


@pytest.mark.every_dialect
def test_an_item_keeps_its_address_from_run_to_run(world: World) -> None:
    ActivityFactory.create_batch(3)
    world.transfer()
    before = {(item.pk, item.uid, item.first_failed_at) for item in world.list_exceptions()}
    for _ in range(2):
        world.transfer()
    items = world.list_exceptions()
    assert {(item.pk, item.uid, item.first_failed_at) for item in items} == before
    assert ({item.attempts for item in items}, ExceptionItem.objects.count()) == ({3}, 3)


@pytest.mark.every_dialect
def test_a_failed_record_that_is_deleted_leaves_the_log(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create())
    world.transfer()
    assert len(world.list_exceptions()) == 1

    delete_record(record=activity, actor=build_admin_actor())
    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])


@pytest.mark.every_dialect
def test_a_deleted_study_is_marked_deleted_in_vault_clinical(world: World) -> None:
    study = StudyFactory.create()
    world.transfer()
    assert [row["Status_vod__c"] for row in world.list_studies()] == ["Active"]

    delete_record(record=study, actor=build_admin_actor())
    world.transfer()

    assert [row["Status_vod__c"] for row in world.list_studies()] == ["Deleted in Vault Clinical"]


@pytest.mark.every_dialect
def test_without_identifier_mapping_the_connection_fails_with_one_exception(world: World) -> None:

    map_identifiers(person_field="", account_field="")

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.FAILED, "configuration__v")
    assert "has no Clinical Person Identifier and no CRM Account Identifier" in item.error_message


@pytest.mark.every_dialect
def test_every_integration_run_counts_each_selected_record_once(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(3, person=person)
    ActivityFactory.create(person=PersonFactory.create())
    world.transfer()

    for part in IntegrationRun.objects.all():
        assert part.selected == part.sent + part.received + part.unchanged + part.failed + part.blocked


def test_a_duplicate_rule_of_the_crm_is_told_with_the_choice_to_allow_duplicates(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    (interaction,) = world.list_interactions()
    world.crm.misbehaviour.add_rule(
        match={"method": "PATCH"}, effect={"row_errors": {interaction["Id"]: "DUPLICATES_DETECTED"}}
    )
    activity.subject = "Changed"
    save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    (item,) = world.list_exceptions()
    assert "if the rule only warns, choose Allow duplicates in the integration rule" in item.error_message

    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    rule.allow_duplicates = True
    save_record(record=rule, actor=build_admin_actor())
    assert compile_integration(integration=rule.integration).allow_duplicates
