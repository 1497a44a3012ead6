"""Fields of the records that a record refers to are sent, and sent again when those records change."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule, IntegrationRule
from connections.ruleservices import add_field_rule
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


def send(world: World, source: str) -> None:
    """Let the subject be filled from another field."""
    rule = IntegrationRule.objects.get(
        integration__connection=world.connection, integration__kind=IntegrationKind.CALL_OUTBOUND
    )
    subject = FieldRule.objects.get(rule=rule, target="Subject_vod__c")
    subject.source = source
    save_record(record=subject, actor=build_admin_actor())


def list_subjects(world: World) -> list[str]:
    return [row["Subject_vod__c"] for row in world.list_interactions()]


def test_the_npi_of_the_person_is_sent_and_sent_again_when_it_changes(world: World) -> None:
    person = PersonFactory.create(npi="1234567893")
    world.add_accounts([person])
    ActivityFactory.create(person=person)
    send(world, "person__v.npi__v")
    world.transfer()
    assert list_subjects(world) == ["1234567893"]

    person.refresh_from_db()
    person.npi = "1987654328"
    save_record(record=person, actor=build_admin_actor())
    run = world.transfer()

    assert list_subjects(world) == ["1987654328"]
    assert world.count(run, IntegrationKind.CALL_OUTBOUND)["updated"] == 1


def test_a_custom_reference_is_sent_as_the_id_that_the_crm_keeps_of_the_record(world: World) -> None:
    field = CustomField(
        of_object="crm_activity__v",
        label="Referred by",
        api_name="referred_by__c",
        kind="reference",
        reference_object="person__sys",
    )
    create_custom_field(field=field, actor=build_admin_actor())
    person, other = PersonFactory.create(), PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, custom_fields={"referred_by__c": str(other.uid)})
    send(world, "referred_by__c")
    world.transfer()
    assert list_subjects(world) == [str(other.uid)]


def test_copying_a_standard_reference_itself_is_refused_with_what_to_choose(world: World) -> None:
    rule = IntegrationRule.objects.get(
        integration__connection=world.connection, integration__kind=IntegrationKind.CALL_OUTBOUND
    )
    with pytest.raises(ValidationError, match=r"Choose one of its fields, such as study__v\.name__v"):
        add_field_rule(rule=rule, kind=FieldRuleKind.COPY, source="study__v", target="Name", actor=build_admin_actor())


# -- Through references among custom fields --------------------------------------------------------
def add_custom_reference(*, of_object: str, api_name: str, to: str) -> None:
    create_custom_field(
        field=CustomField(
            of_object=of_object, label="Monitor", api_name=api_name, kind="reference", reference_object=to
        ),
        actor=build_admin_actor(),
    )


def add_custom_text(*, of_object: str, api_name: str) -> None:
    create_custom_field(
        field=CustomField(of_object=of_object, label="Badge", api_name=api_name, kind="text", max_length=40),
        actor=build_admin_actor(),
    )


def write(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


@pytest.mark.both_databases
def test_the_npi_of_a_custom_reference_is_sent_and_sent_again_when_it_changes(world: World) -> None:
    add_custom_reference(of_object="crm_activity__v", api_name="referred_by__c", to="person__sys")
    person, other = PersonFactory.create(), PersonFactory.create(npi="1234567893")
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, custom_fields={"referred_by__c": str(other.uid)})
    ActivityFactory.create(person=person, custom_fields={})
    send(world, "referred_by__c.npi__v")
    world.transfer()
    assert sorted(filter(None, list_subjects(world))) == ["1234567893"]

    write(other, npi="1987654328")
    run = world.transfer()
    assert sorted(filter(None, list_subjects(world))) == ["1987654328"]
    assert world.count(run, IntegrationKind.CALL_OUTBOUND)["updated"] == 1

    third = PersonFactory.create(npi="1111111112")
    write(activity, custom_fields={"referred_by__c": str(third.uid)})
    world.transfer()
    assert sorted(filter(None, list_subjects(world))) == ["1111111112"]


@pytest.mark.both_databases
def test_a_path_leads_on_through_standard_and_custom_references_to_a_custom_field(world: World) -> None:
    add_custom_reference(of_object="site__v", api_name="monitor__c", to="person__sys")
    add_custom_text(of_object="person__sys", api_name="badge__c")
    first = PersonFactory.create(custom_fields={"badge__c": "M-1"})
    second = PersonFactory.create(custom_fields={"badge__c": "M-2"})
    person = PersonFactory.create()
    world.add_accounts([person])
    site = StudySiteFactory.create(custom_fields={"monitor__c": str(first.uid)})
    ActivityFactory.create(person=person, study=site.study, site=site)
    send(world, "site__v.monitor__c.badge__c")
    world.transfer()
    assert list_subjects(world) == ["M-1"]

    # The site names another monitor, whose record has the same version as the first.
    write(site, custom_fields={"monitor__c": str(second.uid)})
    world.transfer()
    assert list_subjects(world) == ["M-2"]

    write(second, custom_fields={"badge__c": "M-3"})
    world.transfer()
    assert list_subjects(world) == ["M-3"]


@pytest.mark.both_databases
def test_a_custom_reference_is_sent_as_a_reference_of_the_crm_by_external_id(world: World) -> None:
    add_custom_reference(of_object="crm_activity__v", api_name="held_at__c", to="site__v")
    person = PersonFactory.create()
    world.add_accounts([person])
    own, other = StudySiteFactory.create(), StudySiteFactory.create()
    held_at = {"held_at__c": str(other.uid)}
    ActivityFactory.create(person=person, study=own.study, site=own, custom_fields=held_at)
    ActivityFactory.create(person=person, study=own.study, site=own)
    reference = FieldRule.objects.get(
        rule__integration__connection=world.connection,
        rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
        kind=FieldRuleKind.REFERENCE,
        source="site__v",
    )
    reference.source = "held_at__c"
    save_record(record=reference, actor=build_admin_actor())
    run = world.transfer()
    assert world.count(run, IntegrationKind.CALL_OUTBOUND)["created"] == 2
    sites = {row["Id"]: row[reference.reference_field] for row in world.list_sites()}
    named = [row["Clinical_Site_vod__c"] for row in world.list_interactions()]
    assert [sites[each] for each in named if each] == [str(other.uid)]


def test_what_cannot_be_read_through_a_custom_reference_is_refused_with_what_to_choose(world: World) -> None:
    add_custom_reference(of_object="crm_activity__v", api_name="referred_by__c", to="person__sys")
    rules = FieldRule.objects.filter(
        rule__integration__connection=world.connection, rule__integration__kind=IntegrationKind.CALL_OUTBOUND
    )
    for target, kind, source, told in (
        ("Subject_vod__c", FieldRuleKind.COPY, "referred_by__c.nothing__c", "no custom field nothing__c"),
        ("Subject_vod__c", FieldRuleKind.COPY, "nothing__c.npi__v", "no custom field nothing__c"),
        ("Subject_vod__c", FieldRuleKind.FORMATTED_PERSON, "referred_by__c", r"such as referred_by__c\.name__v"),
        ("Account_vod__c", FieldRuleKind.PERSON_ACCOUNT, "referred_by__c", "no standard reference of the record"),
    ):
        rule = rules.get(target=target)
        rule.kind, rule.source = kind, source
        with pytest.raises(ValidationError, match=told):
            save_record(record=rule, actor=build_admin_actor())
