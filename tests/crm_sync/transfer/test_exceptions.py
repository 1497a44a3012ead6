"""What cannot be transferred: one clear item each, kept until it succeeds."""

from __future__ import annotations

import pytest

from connections.choices import IntegrationKind
from crm_sync.models import IntegrationRun
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from exceptions_log.models import ExceptionMessage
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.factories.configuration import map_identifiers
from tests.factories.connections import IdentifierMappingFactory

pytestmark = pytest.mark.django_db
OUT = IntegrationKind.CALL_OUTBOUND


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


def test_a_failed_record_that_is_deleted_leaves_the_log(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create())
    world.transfer()
    assert len(world.list_exceptions()) == 1

    delete_record(record=activity, actor=build_admin_actor())
    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])


def test_a_deleted_study_is_marked_deleted_in_vault_clinical(world: World) -> None:
    study = StudyFactory.create()
    world.transfer()
    assert [row["Status_vod__c"] for row in world.list_studies()] == ["Active"]

    delete_record(record=study, actor=build_admin_actor())
    world.transfer()

    assert [row["Status_vod__c"] for row in world.list_studies()] == ["Deleted in Vault Clinical"]


def test_without_identifier_mapping_the_connection_fails_with_one_exception(world: World) -> None:

    map_identifiers(person_field="", account_field="")

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.FAILED, "configuration__v")
    assert "has no Clinical Person Identifier and no CRM Account Identifier" in item.error_message


def test_every_integration_run_counts_each_selected_record_once(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(3, person=person)
    ActivityFactory.create(person=PersonFactory.create())
    world.transfer()

    for part in IntegrationRun.objects.all():
        assert part.selected == part.sent + part.received + part.unchanged + part.failed + part.blocked
