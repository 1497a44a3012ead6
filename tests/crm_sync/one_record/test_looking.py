"""Looking at one record says what a transfer would do with it and why, shows the request, and writes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule, IntegrationProgress, IntegrationRule
from connections.services import save_connection
from crm_sync.crm.exchanges import MASK
from crm_sync.models import TransferLink
from crm_sync.one_record.findings import OneRecordOutcome
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobRun
from ctms.records.fields.comparing.operators import Operator
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionItem
from tests.crm_sync.one_record.conftest import SITES, STUDIES, delete, edit, list_writes, look, send, set_filter
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
INTERACTION = "Vault_Clinical_Interaction_vod__c"


def test_a_new_record_is_shown_with_the_request_exactly_as_it_is_sent_then(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    ActivityFactory.create(person=person)
    entries = AuditEntry.objects.count()

    found = look(world, activity)

    assert found.finding is not None
    assert (found.finding.outcome, found.finding.label) == (OneRecordOutcome.CREATE, "Would be created")
    assert found.finding.fields["Subject_vod__c"] == [None, activity.subject]
    (request,) = found.writes
    assert not request.was_sent
    assert request.method == "PATCH"
    assert request.url.startswith("https://na.crm.test/services/data/")
    assert request.headers["Authorization"] == f"Bearer {MASK}"
    assert [row["Vault_External_ID_vod__c"] for row in json.loads(request.body)["records"]] == [str(activity.uid)]
    # Nothing is written on either side.
    assert list_writes(world) == []
    assert not TransferLink.objects.exists()
    assert not JobRun.objects.exists()
    assert AuditEntry.objects.count() == entries
    assert not IntegrationProgress.objects.exclude(bookmark="").exists()

    (sent,) = send(world, activity).writes
    assert (sent.method, sent.url, sent.body) == (request.method, request.url, request.body)
    assert {**sent.headers} == {**request.headers}


def test_a_change_and_a_deletion_are_shown_with_what_the_crm_has(world: World, person: Person) -> None:
    changed, deleted = ActivityFactory.create_batch(2, person=person)
    old = changed.subject
    world.transfer()
    edit(changed, subject="Another subject")
    delete(deleted)

    update, deletion = look(world, changed), look(world, deleted)

    assert update.finding is not None
    assert update.finding.outcome == OneRecordOutcome.UPDATE
    assert update.finding.fields == {"Subject_vod__c": [old, "Another subject"]}
    assert deletion.finding is not None
    assert deletion.finding.outcome == OneRecordOutcome.DELETE
    (request,) = deletion.writes
    assert deletion.finding.crm_id in request.body


def test_a_record_that_the_crm_has_needs_no_request(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()

    found = look(world, activity)

    assert found.finding is not None
    assert found.finding.outcome == OneRecordOutcome.UNCHANGED
    assert found.finding.crm_id in found.finding.sentence
    assert found.writes == []


def test_what_of_the_rule_leaves_a_record_out_is_named(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person, channel="phone__v")
    rule = set_filter(world, ("channel__v", Operator.IS, ["video__v"]), ("subject__v", Operator.NOT_EMPTY, []))
    found = look(world, activity).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.LEFT_OUT
    assert found.sentence == f"The filter of the rule “{rule}” leaves it out. It asks for Channel: Video."

    set_filter(world)
    edit(activity, status=RecordStatus.INACTIVE)
    found = look(world, activity).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.LEFT_OUT
    assert "It is Inactive and NA never had it" in found.sentence


def test_a_mark_that_is_no_and_another_object_type_are_named(world: World) -> None:
    study = StudyFactory.create()
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=STUDIES)
    edit(study, send_to_crm=False)
    found = look(world, study, STUDIES).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.LEFT_OUT
    asked = "sends only records in which Send to Medical CRM is Yes; here it is No."
    assert found.sentence == f"The rule “{rule}” {asked}"

    found = look(world, MedicalActivityFactory.create(connection=world.connection)).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.LEFT_OUT
    assert "sends records of the type" in found.sentence


def test_a_child_waits_for_its_parent_by_name(world: World, person: Person) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(person=person, site=site, study=site.study)
    found = look(world, activity).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.WAIT
    assert found.sentence.startswith(f"{site.study.name} has to be in the CRM first")

    waiting = send(world, activity)
    assert waiting.finding is not None
    assert waiting.finding.outcome == OneRecordOutcome.WAIT
    assert list_writes(world) == []
    assert world.list_studies() == []
    for record, kind in ((site.study, STUDIES), (site, SITES)):
        assert send(world, record, kind).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]
    assert look(world, activity).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]


def test_a_person_without_an_account_is_named_with_the_remedy(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    found = look(world, activity)
    assert found.finding is not None
    assert (found.finding.outcome, found.finding.label) == (OneRecordOutcome.UNMATCHED, "Unmatched person")
    assert "P-UNKNOWN" in found.finding.sentence
    assert "Correct the identifier on the person or on the account." in found.finding.sentence
    assert found.writes == []


def test_a_look_up_of_accounts_that_the_crm_refuses_is_told(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.misbehave(match={"object": "Account"}, effect={"status": 500})
    found = look(world, activity)
    assert found.finding is None
    assert "na.crm.test" in found.error
    assert {each.status for each in found.exchanges if "Account" in each.url} == {500}
    assert not ExceptionItem.objects.exists()


def test_a_record_that_a_crm_user_deleted_is_left_alone(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()
    world.delete_in_crm(INTERACTION, TransferLink.objects.get(record_uid=activity.uid).crm_id)
    edit(activity, subject="Another")
    found = look(world, activity).finding
    assert found is not None
    assert (found.outcome, found.label) == (OneRecordOutcome.GONE, "Deleted in the CRM")
    assert "Undelete it in NA" in found.sentence


def test_a_dismissed_failure_is_told_with_its_reason(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    world.transfer()
    item = ExceptionItem.objects.get(record_uid=activity.uid)
    dismiss_items(keys=[item.pk], reason="Not ours", actor=build_admin_actor())
    found = look(world, activity).finding
    assert found is not None
    assert found.outcome == OneRecordOutcome.DISMISSED
    assert "Not ours" in found.sentence


def test_rules_that_are_wrong_and_a_refused_log_in_are_told(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    rule = FieldRule.objects.filter(
        rule__integration__connection=world.connection, rule__integration__kind=IntegrationKind.CALL_OUTBOUND
    ).first()
    assert rule is not None
    edit(rule, is_required=True, status=RecordStatus.INACTIVE)
    assert "is required but inactive" in look(world, activity).error
    edit(rule, status=RecordStatus.ACTIVE, is_required=False)
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    assert "refused the log-in" in look(world, activity).error


def test_a_call_back_session_is_a_placeholder_where_it_would_be(world: World, person: Person) -> None:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    connection: Any = world.connection
    connection.refresh_from_db()
    connection.authorized_connection_user, connection.callback_header = user, "X-Vault-Session"
    save_connection(connection=connection, actor=build_admin_actor())
    rule = FieldRule.objects.get(
        rule__integration__connection=connection,
        rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
        target="From_vod__c",
    )
    rule.kind, rule.source, rule.is_required = FieldRuleKind.CALLBACK_SESSION, "", False
    save_record(record=rule, actor=build_admin_actor())
    activity = ActivityFactory.create(person=person)

    (request,) = look(world, activity).writes
    assert json.loads(request.body)["records"][0]["From_vod__c"] == MASK
    assert request.headers["X-Vault-Session"] == MASK

    (sent,) = send(world, activity).writes
    (row,) = world.list_interactions()
    assert str(row["From_vod__c"]).startswith("vault_session_")
    assert json.loads(sent.body)["records"][0]["From_vod__c"] == MASK
    assert sent.headers["X-Vault-Session"] == MASK
    assert "vault_session_" not in repr([vars_of(each) for each in [sent, request]])


def vars_of(exchange: Any) -> dict[str, Any]:
    return {name: getattr(exchange, name) for name in exchange.__slots__}
