"""Outbound records: each has one word, from the rows of the CRM, and what nothing explains can be repaired."""

from __future__ import annotations

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.models import AccountMatch, TransferLink
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from tests.crm_sync.reconciliation.conftest import Reconcile, list_words, repair_all
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.factories.configuration import map_identifiers

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND
OBJECT = "Vault_Clinical_Interaction_vod__c"
KEY = "Vault_External_ID_vod__c"


@pytest.fixture
def sent(world: World) -> list[Activity]:
    """Five activities that the CRM has, of five persons with accounts."""
    people = create_people(6)
    world.add_accounts(people)
    activities = create_activities(5, people=people[:5])
    world.transfer()
    return activities


def change_rows(world: World, where: str, parameters: list[str], **values: object) -> None:
    """Change rows of the CRM's interactions behind everybody's back: neither stamp nor trail."""
    columns = ", ".join(f'"{name}" = ?' for name in values)
    changed = world.crm.organisation.database.execute(
        f'UPDATE "{OBJECT}" SET {columns} WHERE {where}',  # noqa: S608  names of this test
        [*values.values(), *parameters],
    )
    assert changed > 0


def lose_row(world: World, activity: Activity) -> None:
    world.crm.organisation.database.execute(f'DELETE FROM "{OBJECT}" WHERE "{KEY}" = ?', [str(activity.uid)])  # noqa: S608  names of this test
    world.empty_deletion_log()


def get_row(world: World, activity: Activity) -> dict[str, object]:
    (row,) = [row for row in world.list_interactions() if row[KEY] == str(activity.uid)]
    return row


@pytest.mark.every_dialect
def test_after_a_transfer_everything_is_equal_and_nothing_is_unexplained(world: World, reconcile: Reconcile) -> None:
    study = StudyFactory.create(send_to_crm=True, study_name="  Blanks and\r\nlines  ")
    site = StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study), send_to_crm=True)
    people = create_people(3)
    world.add_accounts(people)
    create_activities(3, people=people, study=study, study_country=site.study_country, site=site)
    world.transfer()

    found = reconcile(world)

    assert found.counts["clinical_study_outbound__v"] == {"equal": 1}
    assert found.counts["clinical_site_outbound__v"] == {"equal": 1}
    assert found.counts[OUT] == {"equal": 3}
    assert (found.unexplained, found.is_proof) == (0, True)


def test_what_the_transfer_still_has_to_do_or_may_not_do_is_no_difference(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    stranger, *_ = create_people(1, prefix="STRANGER")
    create_activities(1, people=[stranger])
    create_activities(1, people=[sent[0].person], subject="x" * 300)
    world.transfer()
    sent[1].subject = "Changed since"
    save_record(record=sent[1], actor=build_admin_actor())
    create_activities(1, people=[sent[0].person], status=RecordStatus.INACTIVE)
    delete_record(record=sent[2], actor=build_admin_actor())
    StudyFactory.create(send_to_crm=False)

    found = reconcile(world)

    assert found.counts[OUT] == {"equal": 3, "pending": 2, "failed": 1, "unmatched": 1, "inactive_here": 1}
    assert found.counts["clinical_study_outbound__v"] == {"filtered_out": 1}
    assert found.is_proof
    world.transfer()
    assert reconcile(world).counts[OUT] == {"equal": 5, "failed": 1, "unmatched": 1, "inactive_here": 1}


def test_a_lost_row_is_missing_there_and_is_sent_again(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    lose_row(world, sent[0])

    found = reconcile(world)

    assert list_words(found) == {str(sent[0].uid): "missing_there"}
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert len(world.list_interactions()) == 5


@pytest.mark.parametrize("here", [True, False])
def test_a_value_altered_behind_the_back_differs_field_by_field(
    world: World, sent: list[Activity], reconcile: Reconcile, here: bool
) -> None:
    if here:
        with allow_record_writes():
            Activity.objects.filter(pk=sent[0].pk).update(subject="Altered")
        expected = ["Altered", "Activity 0"]
    else:
        change_rows(world, f'"{KEY}" = ?', [str(sent[0].uid)], Subject_vod__c="Altered")
        expected = ["Activity 0", "Altered"]

    found = reconcile(world)

    difference = found.differences.get()
    assert (difference.record_uid, difference.word) == (sent[0].uid, "differs")
    assert difference.fields == {"Subject_vod__c": expected}
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert get_row(world, sent[0])["Subject_vod__c"] == expected[0]


def test_a_row_on_another_account_differs_although_link_and_match_agree_with_it(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    accounts = {
        row["External_ID_vod__c"]: row["Id"] for row in world.crm.organisation.list_records(object_name="Account")
    }
    wrong = accounts[sent[1].person.external_id]
    change_rows(world, f'"{KEY}" = ?', [str(sent[0].uid)], Account_vod__c=wrong)
    AccountMatch.objects.filter(person=sent[0].person).update(account_id=wrong)

    found = reconcile(world)

    difference = found.differences.get()
    assert difference.fields == {"Account_vod__c": [sent[0].person.external_id, sent[1].person.external_id]}
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert get_row(world, sent[0])["Account_vod__c"] == accounts[sent[0].person.external_id]


@pytest.mark.every_dialect
@pytest.mark.parametrize("is_on_the_second", [False, True])
def test_a_person_with_two_accounts_is_unmatched_on_either_until_the_crm_is_put_right(
    world: World, sent: list[Activity], reconcile: Reconcile, is_on_the_second: bool
) -> None:
    person, row = sent[0].person, get_row(world, sent[0])
    (second,) = world.add_accounts([person])
    ids = sorted([str(row["Account_vod__c"]), second])
    if is_on_the_second:
        world.change_in_crm(OBJECT, str(row["Id"]), Account_vod__c=second)
        row = get_row(world, sent[0])

    found = reconcile(world)

    difference = found.differences.get()
    assert (difference.record_uid, difference.word) == (sent[0].uid, "unmatched")
    explained = (
        f"2 accounts in NA have the External_ID_vod__c {person.external_id!r} of {person} ({', '.join(ids)}). "
        "Correct all but one in the CRM."
    )
    assert difference.fields["Account_vod__c"] == [person.external_id, explained]
    # A repair lets the transfer say so: it sends nothing, and its item explains the word from then on.
    repair_all(world, found)
    assert [item.error_message for item in world.list_exceptions()] == [explained]
    assert get_row(world, sent[0]) == row
    again = reconcile(world)
    assert (again.counts[OUT], again.is_proof) == ({"equal": 4, "unmatched": 1}, True)

    world.change_in_crm("Account", second, External_ID_vod__c="of somebody else")
    world.transfer()

    assert reconcile(world).counts[OUT] == {"equal": 5}
    assert sorted([str(get_row(world, sent[0])["Account_vod__c"]), second]) == ids


@pytest.mark.every_dialect
def test_two_persons_with_one_identifier_are_unmatched_although_their_rows_are_on_its_account(
    world: World, reconcile: Reconcile
) -> None:
    map_identifiers(person_field="npi__v")
    person = PersonFactory.create(external_id="4711", npi="4711")
    world.add_accounts([person])
    (activity,) = create_activities(1, people=[person])
    world.transfer()
    PersonFactory.create(npi="4711")

    found = reconcile(world)

    assert list_words(found) == {str(activity.uid): "unmatched"}
    assert "2 persons in the Vault have the " in found.differences.get().fields["Account_vod__c"][1]


@pytest.mark.parametrize("is_far_away", [False, True])
def test_a_second_row_of_a_record_is_orphaned_and_is_shown_as_deleted(
    world: World, sent: list[Activity], reconcile: Reconcile, is_far_away: bool
) -> None:
    row = get_row(world, sent[0])
    (double,) = world.crm.organisation.insert_records(
        object_name=OBJECT, records=[{name: value for name, value in row.items() if name != "Id"}]
    )

    if is_far_away:  # on another page, and no link tells the two apart
        TransferLink.objects.filter(record_uid=sent[0].uid).delete()
        world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 1})

    found = reconcile(world)

    assert list_words(found) == {double: "orphaned"}
    assert found.counts[OUT] == {"equal": 5, "orphaned": 1}
    repair_all(world, found)
    assert reconcile(world).counts[OUT] == {"equal": 6}
    shown = {row["Id"]: row["Subject_vod__c"] for row in world.list_interactions()}
    assert (shown[double], shown[row["Id"]]) == ("Activity 0 Deleted", "Activity 0")


def test_a_row_that_belongs_to_no_record_is_orphaned(world: World, sent: list[Activity], reconcile: Reconcile) -> None:
    row = get_row(world, sent[0])
    strangers = world.crm.organisation.insert_records(
        object_name=OBJECT,
        records=[
            {**row, "Id": None, KEY: "not-a-uid"},
            {**row, "Id": None, KEY: "5a0f6c0e-0000-4000-8000-000000000000"},
        ],
    )

    found = reconcile(world)

    assert sorted(found.differences.values_list("crm_id", "word")) == sorted((each, "orphaned") for each in strangers)
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert get_row(world, sent[0])["Subject_vod__c"] == "Activity 0"


def test_a_deletion_that_was_unmarked_in_the_crm_is_orphaned_and_marked_again(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    uid = str(sent[0].uid)
    delete_record(record=sent[0], actor=build_admin_actor())
    world.transfer()
    assert reconcile(world).counts[OUT] == {"equal": 5}
    change_rows(world, f'"{KEY}" = ?', [uid], Subject_vod__c="Revived")

    found = reconcile(world)

    assert list_words(found) == {uid: "orphaned"}
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert {row[KEY]: row["Subject_vod__c"] for row in world.list_interactions()}[uid] == "Revived Deleted"


@pytest.mark.every_dialect
def test_a_row_deleted_there_is_not_created_again_and_is_explained_once_the_transfer_knows(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    world.delete_in_crm(OBJECT, str(get_row(world, sent[0])["Id"]))

    found = reconcile(world)

    assert list_words(found) == {str(sent[0].uid): "deleted_on_one_side"}
    repair_all(world, found)
    again = reconcile(world)
    assert again.counts[OUT] == {"equal": 4, "deleted_on_one_side": 1}
    assert again.is_proof
    assert len(world.list_interactions()) == 4


def test_a_row_undeleted_there_is_deleted_on_one_side_and_lives_again_on_both(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    crm_id = str(get_row(world, sent[0])["Id"])
    world.delete_in_crm(OBJECT, crm_id)
    repair_all(world, reconcile(world))
    change_rows(world, '"Id" = ?', [crm_id], IsDeleted=0)

    found = reconcile(world)

    assert list_words(found) == {str(sent[0].uid): "deleted_on_one_side"}
    repair_all(world, found)
    assert reconcile(world).counts[OUT] == {"equal": 5}


def test_a_row_whose_external_id_was_changed_gets_it_back(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    crm_id = str(get_row(world, sent[0])["Id"])
    for value in ("relabelled", None):
        change_rows(world, '"Id" = ?', [crm_id], **{KEY: value})

        found = reconcile(world)

        assert found.differences.get().fields == {KEY: [str(sent[0].uid), value]}
        repair_all(world, found)
        assert reconcile(world).counts[OUT] == {"equal": 5}
        assert get_row(world, sent[0])["Id"] == crm_id


@pytest.mark.every_dialect
@pytest.mark.parametrize("is_alone", [False, True])
def test_links_that_were_exchanged_are_put_right_both_or_one_at_a_time(
    world: World, sent: list[Activity], reconcile: Reconcile, is_alone: bool
) -> None:
    one, other = (TransferLink.objects.get(record_uid=each.uid) for each in sent[:2])
    TransferLink.objects.filter(pk=one.pk).update(crm_id="")
    TransferLink.objects.filter(pk=other.pk).update(crm_id=one.crm_id)
    TransferLink.objects.filter(pk=one.pk).update(crm_id=other.crm_id)

    found = reconcile(world)

    assert set(list_words(found).values()) == {"differs"}
    assert found.unexplained == 2
    if is_alone:
        found.differences.filter(record_uid=other.record_uid).delete()
    repair_all(world, found)
    assert reconcile(world).is_proof
    assert TransferLink.objects.get(pk=one.pk).crm_id == one.crm_id
    assert TransferLink.objects.get(pk=other.pk).crm_id == other.crm_id


def test_it_reads_a_page_for_every_2000_rows_and_200_persons_and_writes_nothing_there(
    world: World, sent: list[Activity], reconcile: Reconcile
) -> None:
    begun = len(world.crm.request_log)

    reconcile(world)

    calls = [(entry.method, entry.path.rpartition("/")[2]) for entry in list(world.crm.request_log)[begun:]]
    described = [("GET", "sobjects"), *[("GET", "describe")] * 5]
    assert calls == [("POST", "token"), *[("GET", "queryAll")] * 5, *described]
