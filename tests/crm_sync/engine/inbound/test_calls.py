"""Inbound: calls that CRM users mark Send to Vault Clinical become Medical Activities."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType, Channel
from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.models import TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field, set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory
from tests.factories.connections import IdentifierMappingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
IN = IntegrationKind.CALL_INBOUND


def test_a_marked_call_becomes_a_medical_activity_with_its_author(world: World) -> None:
    person = PersonFactory.create()
    (account,) = world.add_accounts([person])
    (call,) = world.add_calls([account])
    world.add_calls([account], Send_to_Vault_Clinical_vod__c=False)

    run = world.transfer()

    activity = Activity.objects.get()
    rep = world.crm.user
    assert world.count(run, IN) == {"selected": 1, "received": 1, "created": 1}
    assert (activity.object_type, activity.person, activity.date, activity.channel, activity.complete) == (
        ActivityType.MEDICAL,
        person,
        dt.date(2026, 3, 4),
        Channel.PHONE,
        True,
    )
    assert activity.from_text == f"{rep.first_name} {rep.last_name} ({rep.email})"
    assert (activity.connection, activity.crm_id) == (world.connection, call)
    assert activity.created_by.username == "system"


@pytest.mark.every_dialect
def test_planned_and_saved_calls_are_not_complete(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.create()])
    world.add_calls([account], Status_vod__c="Planned_vod")
    world.add_calls([account], Status_vod__c="Saved_vod")

    world.transfer()

    assert list(Activity.objects.values_list("complete", flat=True)) == [False, False]


@pytest.mark.every_dialect
def test_a_changed_call_changes_its_medical_activity_and_leaves_a_trail(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.create()])
    (call,) = world.add_calls([account], Status_vod__c="Planned_vod")
    world.transfer()

    world.change_in_crm("Call2_vod__c", call, Status_vod__c="Submitted_vod")
    run = world.transfer()

    activity = Activity.objects.get()
    assert world.count(run, IN) == {"selected": 1, "received": 1, "updated": 1}
    assert (activity.complete, activity.version) == (True, 2)
    entry = AuditEntry.objects.filter(record_uid=activity.uid, action="changed").get()
    assert (entry.changes, entry.actor_name, entry.source) == ({"complete": [False, True]}, "System", "job")


@pytest.mark.every_dialect
@pytest.mark.django_db(transaction=True)
def test_a_run_without_changes_receives_nothing_and_writes_nothing(world: World) -> None:
    world.add_calls(world.add_accounts(create_people(3)))
    world.transfer()
    entries = AuditEntry.objects.count()

    with CaptureQueriesContext(database) as captured:
        run = world.transfer()

    assert world.count(run, IN) == {"selected": 3, "unchanged": 3}
    assert AuditEntry.objects.count() == entries
    writes = [each["sql"] for each in captured if each["sql"].startswith(("INSERT", "UPDATE"))]
    assert [sql for sql in writes if TransferLink._meta.db_table in sql] == []


def test_a_call_that_was_committed_late_is_received_although_its_stamp_is_before_the_watermark(world: World) -> None:
    first, late, too_late = world.add_accounts(create_people(3))
    organisation = world.crm.organisation
    overlap = dt.timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
    world.add_calls([first])
    world.transfer()

    organisation.clock_skew = dt.timedelta(seconds=10) - overlap
    (received,) = world.add_calls([late])
    organisation.clock_skew = -2 * overlap
    (passed_over,) = world.add_calls([too_late])
    organisation.clock_skew = dt.timedelta()
    run = world.transfer()

    assert world.count(run, IN) == {"selected": 2, "received": 1, "created": 1, "unchanged": 1}
    assert Activity.objects.filter(crm_id=received).exists()
    assert not Activity.objects.filter(crm_id=passed_over).exists()


@pytest.mark.every_dialect
def test_a_call_deleted_in_the_crm_makes_its_medical_activity_inactive(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.create()])
    (call,) = world.add_calls([account])
    world.transfer()

    world.delete_in_crm("Call2_vod__c", call)
    run = world.transfer()
    again = world.transfer()

    assert Activity.objects.get().status == RecordStatus.INACTIVE
    assert world.count(run, IN) == {"selected": 1, "received": 1, "deleted": 1}
    assert world.count(again, IN) == {"selected": 1, "unchanged": 1}


@pytest.mark.every_dialect
def test_a_call_that_was_unmarked_stays_and_its_deletion_still_arrives(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.create()])
    (call,) = world.add_calls([account])
    world.transfer()

    world.change_in_crm("Call2_vod__c", call, Send_to_Vault_Clinical_vod__c=False)
    world.transfer()
    assert Activity.objects.get().status == RecordStatus.ACTIVE

    world.delete_in_crm("Call2_vod__c", call)
    world.transfer()
    assert Activity.objects.get().status == RecordStatus.INACTIVE


@pytest.mark.every_dialect
def test_a_medical_activity_deleted_in_the_vault_is_not_brought_back_by_its_call(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.create()])
    (call,) = world.add_calls([account], Status_vod__c="Planned_vod")
    world.transfer()
    delete_record(record=Activity.objects.get(), actor=build_admin_actor())

    world.change_in_crm("Call2_vod__c", call, Status_vod__c="Submitted_vod")
    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert Activity.objects.count() == 0


@pytest.mark.every_dialect
def test_a_call_of_an_unknown_account_waits_as_an_exception_and_arrives_once_the_person_is_there(world: World) -> None:
    stranger = PersonFactory.build(external_id="P-STRANGER")
    world.add_calls(world.add_accounts([stranger]))

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert run.state == RunState.WITH_EXCEPTIONS
    assert item.error_type == "matching__v"
    assert "No person in the Vault has the External ID 'P-STRANGER'" in item.error_message

    PersonFactory.create(external_id="P-STRANGER")
    run = world.transfer()

    assert world.list_exceptions() == []
    assert world.count(run, IN)["created"] == 1
    assert Activity.objects.count() == 1


@pytest.mark.every_dialect
def test_identifiers_that_differ_in_case_do_not_match(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.build(external_id="Ab-1")])
    PersonFactory.create(external_id="AB-1")
    world.add_calls([account])

    world.transfer()

    (item,) = world.list_exceptions()
    assert (item.error_type, Activity.objects.count()) == ("matching__v", 0)


@pytest.mark.every_dialect
def test_an_inactive_object_type_takes_no_calls_and_says_where_to_activate_it(world: World) -> None:
    world.add_calls(world.add_accounts([PersonFactory.create()]))
    set_object_type_status(
        object_name="crm_activity__v",
        object_type=ActivityType.MEDICAL,
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )

    world.transfer()

    (item,) = world.list_exceptions()
    assert (item.error_type, Activity.objects.count()) == ("configuration__v", 0)
    assert "Activate it under Configuration > Objects > Activity > Object Types." in item.error_message


def test_many_calls_with_one_stamp_arrive_over_several_short_pages(world: World) -> None:
    people = create_people(7)
    accounts = world.add_accounts(people)
    world.add_calls(accounts * 30)
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 13})

    run = world.transfer()

    assert world.count(run, IN) == {"selected": 210, "received": 210, "created": 210}
    assert world.count(world.transfer(), IN) == {"selected": 210, "unchanged": 210}


def test_the_person_is_matched_by_the_connections_own_mapping_before_the_global_one(world: World) -> None:

    person = PersonFactory.create(npi="1234567890", external_id="P-1")
    IdentifierMappingFactory.create(
        connection=world.connection, clinical_person_identifier="npi__v", crm_account_identifier="NPI_vod__c"
    )
    (account,) = world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Other", "NPI_vod__c": "1234567890"}]
    )
    world.add_calls([account])

    world.transfer()

    assert Activity.objects.get().person == person


@pytest.mark.every_dialect
def test_a_medical_activity_keeps_what_the_rule_of_from_withholds(world: World) -> None:
    rule = world.connection.integrations.get(kind=IN).rule.field_rules.get(target="from__v")
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())
    world.add_calls(world.add_accounts([PersonFactory.create()]))

    world.transfer()

    assert Activity.objects.get().from_text == ""


def test_characters_that_no_database_stores_are_left_out_of_what_the_crm_says(world: World) -> None:
    world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Nul", "External_ID_vod__c": "P\x00-1"}]
    )
    (account,) = [row["Id"] for row in world.crm.organisation.list_records(object_name="Account")]
    world.add_calls([account])

    world.transfer()

    (item,) = world.list_exceptions()
    assert "No person in the Vault has the External ID 'P-1'" in item.error_message


def test_what_the_crm_does_not_send_has_the_default_of_its_custom_field(world: World) -> None:
    field = CustomField(of_object="crm_activity__v", label="Source", api_name="source__c")
    create_custom_field(field=field, actor=build_admin_actor(), default="as usual")
    (account,) = world.add_accounts([PersonFactory.create()])
    world.add_calls([account])

    world.transfer()

    assert Activity.objects.get().custom_fields == {"source__c": "as usual"}
