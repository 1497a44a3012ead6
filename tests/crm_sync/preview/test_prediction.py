"""A preview predicts: the transfer that follows does with each record what its row says, and with no other."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress, IntegrationRule
from crm_sync.models import TransferAttempt, TransferLink
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.records.fields.comparing.operators import Operator
from tests.crm_sync.preview.conftest import check_prediction, list_outcomes, preview_world
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
STUDY, INTERACTION, CALL = "Clinical_Study_vod__c", "Vault_Clinical_Interaction_vod__c", "Call2_vod__c"
SITES, OUT = IntegrationKind.SITE_OUTBOUND, IntegrationKind.CALL_OUTBOUND


def edit(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def delete(record: Any) -> None:
    record.refresh_from_db()
    delete_record(record=record, actor=build_admin_actor())


def set_filter(world: World, kind: IntegrationKind, *conditions: Any) -> None:
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=kind)
    edit(rule, conditions=[{"field": name, "operator": each, "values": values} for name, each, values in conditions])


def find_crm_id(world: World, activity: Activity) -> str:
    return TransferLink.objects.get(integration__connection=world.connection, record_uid=activity.uid).crm_id


@pytest.fixture
def person(world: World) -> Person:
    person = PersonFactory.create()
    world.add_accounts([person])
    return person


# -- First and later transfers ------------------------------------------------------------------------
def test_a_first_transfer_with_children_of_what_it_creates_and_with_unknown_persons(world: World) -> None:
    person = PersonFactory.create()
    accounts = world.add_accounts([person, PersonFactory.build(external_id="P-ELSEWHERE")])
    known, unknown = world.add_calls(accounts)
    site = StudySiteFactory.create()
    ActivityFactory.create_batch(3, person=person, site=site, study=site.study)
    ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))

    preview, _ = check_prediction(world)

    assert sorted(preview.rows.values_list("outcome", flat=True)) == ["create"] * 5 + ["fail"] * 2 + ["receive"]
    assert set(preview.rows.filter(outcome="receive").values_list("crm_id", flat=True)) == {known}
    failed = preview.rows.get(crm_id=unknown)
    assert "P-ELSEWHERE" in failed.reason


def test_changes_and_deletions_of_both_sides_are_foreseen_with_their_values(world: World, person: Person) -> None:
    (account,) = [row["Id"] for row in world.crm.organisation.list_records(object_name="Account")]
    kept, changed, gone, purged = world.add_calls([account] * 4)
    site = StudySiteFactory.create()
    _, edited, deleted = ActivityFactory.create_batch(3, person=person, site=site, study=site.study)
    subject = edited.subject
    world.transfer()
    edit(edited, subject="Another subject")
    edit(site.study, study_name="Another name")
    delete(deleted)
    world.change_in_crm(CALL, changed, Call_Channel_vod__c="Video_vod")
    world.delete_in_crm(CALL, gone)
    world.purge_in_crm(purged)

    preview, _ = check_prediction(world)

    assert sorted(list_outcomes(preview)) == sorted(
        [
            (str(edited), "update"),
            (str(site.study), "update"),
            (str(deleted), "delete"),
            (str(Activity.objects.get(crm_id=changed)), "change"),
            (str(Activity.objects.get(crm_id=gone)), "deactivate"),
            (str(Activity.objects.get(crm_id=purged)), "deactivate"),
        ]
    )
    assert preview.rows.get(name=str(edited)).fields["Subject_vod__c"] == [subject, "Another subject"]
    assert preview.rows.get(crm_id=changed).fields == {"Channel": ["Phone", "Video"]}
    assert preview.rows.get(crm_id=gone).fields == {"Status": ["Active", "Inactive"]}
    assert kept not in set(preview.rows.values_list("crm_id", flat=True))


def test_a_call_that_both_sides_deleted_is_looked_at_once(world: World, person: Person) -> None:
    (account,) = [row["Id"] for row in world.crm.organisation.list_records(object_name="Account")]
    (call,) = world.add_calls([account])
    world.transfer()
    world.delete_in_crm(CALL, call)
    delete(Activity.objects.get(crm_id=call))

    preview, _ = check_prediction(world)

    assert list_outcomes(preview) == []


def test_nothing_is_foreseen_where_nothing_changed(world: World, person: Person) -> None:
    ActivityFactory.create(person=person)
    world.transfer()
    preview, _ = check_prediction(world)
    assert list_outcomes(preview) == []


def test_what_a_filter_leaves_out_is_not_foreseen(world: World, person: Person) -> None:
    ActivityFactory.create(person=person, channel="phone__v")
    video = ActivityFactory.create(person=person, channel="video__v")
    set_filter(world, OUT, ("channel__v", Operator.IS_NOT, ["phone__v"]))
    preview, _ = check_prediction(world)
    assert list_outcomes(preview) == [(str(video), "create")]


def test_a_record_waits_for_a_parent_that_would_fail(world: World, person: Person) -> None:
    site = StudySiteFactory.create()
    child = ActivityFactory.create(person=person, site=site, study=site.study)
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=SITES)
    required = rule.field_rules.get(target="Site_Name_vod__c")
    edit(required, is_required=True)
    edit(site, site_name="")

    preview, _ = check_prediction(world)

    waiting = preview.rows.get(outcome="wait")
    assert (waiting.record_uid, waiting.reason) == (
        child.uid,
        f"{site.name} has to be in the CRM first, and would not be sent.",
    )


def test_a_call_that_comes_twice_is_foreseen_once(world: World, person: Person) -> None:
    (account,) = [row["Id"] for row in world.crm.organisation.list_records(object_name="Account")]
    calls = world.add_calls([account] * 4)
    rules = [{"match": {"object": CALL}, "effect": {"rows": "overlapping", "page_size": 2}}]
    world.misbehave(rules=rules)

    preview, _ = check_prediction(world)

    assert sorted(preview.rows.values_list("crm_id", flat=True)) == sorted(calls)


# -- Identifiers that moved ---------------------------------------------------------------------------
def test_records_that_would_move_with_an_identifier_are_foreseen_in_both_directions(world: World) -> None:
    people = PersonFactory.create_batch(2)
    first, second = world.add_accounts(people)
    activity = ActivityFactory.create(person=people[0])
    (call,) = world.add_calls([first])
    world.transfer()
    world.change_in_crm("Account", first, External_ID_vod__c="in between")
    world.change_in_crm("Account", second, External_ID_vod__c=people[0].external_id)
    world.change_in_crm("Account", first, External_ID_vod__c=people[1].external_id)

    preview, _ = check_prediction(world)

    assert preview.rows.get(record_uid=activity.uid).fields == {"Account_vod__c": [first, second]}
    moved = preview.rows.get(crm_id=call)
    assert (moved.outcome, moved.fields) == ("change", {"Person": [people[0].external_id, people[1].external_id]})


def test_calls_of_a_person_whose_identifier_changed_here_are_foreseen(world: World) -> None:
    people = PersonFactory.create_batch(2)
    first, _ = world.add_accounts(people)
    world.add_calls([first] * 2)
    world.transfer()
    world.misbehave(settings={"clock_skew_seconds": 3600})
    world.add_calls(world.add_accounts([PersonFactory.create()]))
    world.transfer()  # from now on calls are read that changed after the first two
    taken = people[0].external_id
    edit(people[0], external_id="P-NEW")
    edit(people[1], external_id=taken)

    preview, _ = check_prediction(world)

    assert list(preview.rows.values_list("outcome", flat=True)) == ["change"] * 2


# -- What CRM users deleted and undeleted -------------------------------------------------------------
def test_a_record_that_the_crm_deleted_is_left_alone_and_a_hidden_one_fails(world: World, person: Person) -> None:
    gone, purged, hidden = ActivityFactory.create_batch(3, person=person)
    world.transfer()
    world.delete_in_crm(INTERACTION, find_crm_id(world, gone))
    world.purge_in_crm(find_crm_id(world, purged))
    world.hide_in_crm(find_crm_id(world, hidden))
    for each in (gone, purged, hidden):
        edit(each, subject="Edited")

    preview = preview_world(world)
    world.transfer()

    assert list_outcomes(preview) == [(str(hidden), "fail")]
    assert preview.counts[OUT]["unchanged"] == 2
    assert [item.record_uid for item in world.list_exceptions()] == [hidden.uid]


def test_children_of_a_parent_that_the_crm_deleted_would_go_without_it(world: World, person: Person) -> None:
    study = StudyFactory.create()
    before = ActivityFactory.create(person=person, study=study)
    world.transfer()
    (row,) = world.list_studies()
    world.delete_in_crm(STUDY, row["Id"])
    edit(before, subject="Edited")
    after = ActivityFactory.create(person=person, study=study)

    preview, run = check_prediction(world)

    assert dict(preview.rows.values_list("record_uid", "outcome")) == {before.uid: "update", after.uid: "create"}
    attempts = TransferAttempt.objects.filter(run=run).exclude(outcome="refused")
    assert [each.values["Clinical_Study_vod__c"] for each in attempts] == [None, None]


def test_what_the_crm_has_again_is_foreseen_with_its_children_and_deletions(world: World, person: Person) -> None:
    study = StudyFactory.create()
    ActivityFactory.create(person=person, study=study)
    edited, deleted = ActivityFactory.create_batch(2, person=person)
    world.transfer()
    (row,) = world.list_studies()
    ids = [row["Id"], find_crm_id(world, edited), find_crm_id(world, deleted)]
    for name, crm_id in zip((STUDY, INTERACTION, INTERACTION), ids, strict=True):
        world.delete_in_crm(name, crm_id)
    for each in (study, edited, deleted):
        edit(each, **({"study_name": "Edited"} if each is study else {"subject": "Edited"}))
    child = ActivityFactory.create(person=person, study=study)
    world.transfer()
    delete(deleted)
    for crm_id in ids:
        world.undelete_in_crm(crm_id)

    preview, _ = check_prediction(world)

    outcomes = dict(preview.rows.values_list("record_uid", "outcome"))
    assert outcomes[deleted.uid] == "delete"
    assert {outcomes[study.uid], outcomes[edited.uid], outcomes[child.uid]} == {"update"}
    assert preview.rows.get(record_uid=child.uid).fields == {"Clinical_Study_vod__c": [None, str(study.uid)]}


# -- After an interrupted run -------------------------------------------------------------------------
def test_what_an_interrupted_run_left_without_links_is_foreseen(world: World, person: Person) -> None:
    study = StudyFactory.create()
    lost, edited, deleted, gone = ActivityFactory.create_batch(4, person=person, study=study)
    world.transfer()
    world.delete_in_crm(INTERACTION, find_crm_id(world, gone))
    TransferLink.objects.filter(integration__connection=world.connection).delete()
    IntegrationProgress.objects.filter(integration__connection=world.connection).update(
        outcome_unknown=True, bookmark=""
    )
    edit(edited, subject="Edited")
    delete(deleted)

    preview, _ = check_prediction(world)

    outcomes = dict(preview.rows.values_list("record_uid", "outcome"))
    assert outcomes == {study.uid: "update", lost.uid: "update", edited.uid: "update", deleted.uid: "delete"}


def test_a_record_with_an_external_id_that_the_crm_has_already_would_be_updated(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    (crm_id,) = world.crm.organisation.insert_records(
        object_name=INTERACTION, records=[{"Vault_External_ID_vod__c": str(activity.uid), "Subject_vod__c": "By hand"}]
    )

    preview, _ = check_prediction(world)

    row = preview.rows.get(record_uid=activity.uid)
    assert (row.outcome, row.crm_id, row.fields["Subject_vod__c"]) == ("update", crm_id, ["By hand", activity.subject])


def test_an_external_id_that_was_changed_in_the_crm_would_be_put_back(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()
    crm_id = find_crm_id(world, activity)
    world.change_in_crm(INTERACTION, crm_id, Vault_External_ID_vod__c="another")
    edit(activity, subject="Edited")

    preview = preview_world(world)
    world.transfer()

    assert preview.rows.get().fields["Vault_External_ID_vod__c"] == ["another", str(activity.uid)]
    assert [row["Vault_External_ID_vod__c"] for row in world.list_interactions()] == [str(activity.uid)]


def test_what_a_run_receives_is_not_looked_up_again_when_the_crms_clock_went_back(world: World) -> None:
    """Every call that was received before is looked up by id then; the preview cannot count those that are new."""
    accounts = world.add_accounts(create_people(2))
    world.add_calls(accounts)
    world.transfer()
    world.add_calls(accounts)
    world.crm.misbehaviour.clock_skew_seconds = -7200.0
    _, run = check_prediction(world)
    assert world.count(run, IntegrationKind.CALL_INBOUND) == {
        "selected": 6,
        "received": 2,
        "created": 2,
        "unchanged": 4,
    }


def test_the_only_call_is_not_counted_twice_when_it_was_deleted_before_the_crms_clock_went_back(world: World) -> None:
    """Once the query has shown that it is deleted, no received call is left to be looked up by id."""
    (account,) = world.add_accounts(create_people(1))
    (call,) = world.add_calls([account])
    world.transfer()
    world.delete_in_crm(CALL, call)
    world.crm.misbehaviour.clock_skew_seconds = -7200.0

    _, run = check_prediction(world)

    assert world.count(run, IntegrationKind.CALL_INBOUND) == {"selected": 1, "received": 1, "deleted": 1}
