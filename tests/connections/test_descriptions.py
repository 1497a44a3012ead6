"""What organisations describe is kept, its changes are told, and what is mapped is checked against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from connections.choices import DescribedAspect, DescriptionOrigin, FieldRuleKind, IntegrationKind
from connections.crmdescription import DescribedField, DescribedObject, NotDescribedError, read_json
from connections.descriptions import (
    list_concerned_rules,
    list_named_objects,
    list_unseen_changes,
    mark_changes_seen,
    store_description,
    store_object_list,
)
from connections.models import Connection, CrmConnectionIdentifierMapping, FieldRule, IntegrationRule
from connections.models.descriptions import read_known_objects
from connections.ruleservices import add_field_rule, check_typed_rule
from ctms.audit.services import save_record
from ctms.configuration.services import set_application_settings
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db
SITE = "Clinical_Site_vod__c"


def build_field(name: str, type_: str = "string", **values: Any) -> DescribedField:
    common: dict[str, Any] = {
        "length": 80,
        "is_createable": True,
        "is_updateable": True,
        "is_filterable": True,
        "is_needed": False,
        "is_external_id": False,
        "is_unique": False,
        "is_case_sensitive": False,
        "refers_to": (),
        "relationship": "",
        "allowed": None,
    }
    return DescribedField(name=name, type=type_, **(common | values))


def build_object(name: str, *fields: DescribedField) -> DescribedObject:
    return DescribedObject(
        name=name,
        is_queryable=True,
        is_createable=True,
        is_updateable=True,
        fields={field.name.lower(): field for field in fields},
    )


def describe(connection: Connection, name: str, *fields: DescribedField) -> list[Any]:
    return store_description(
        connection=connection, name=name, described=build_object(name, *fields), origin=DescriptionOrigin.DAILY
    )


def get_rule(connection: Connection, kind: IntegrationKind = IntegrationKind.SITE_OUTBOUND) -> IntegrationRule:
    return IntegrationRule.objects.select_related("integration__connection").get(
        integration__connection=connection, integration__kind=kind
    )


def add(rule: IntegrationRule, source: str, target: str) -> FieldRule:
    return add_field_rule(rule=rule, kind=FieldRuleKind.COPY, source=source, target=target, actor=build_admin_actor())


# -- What is kept ------------------------------------------------------------------------------------
def test_a_description_is_kept_as_it_was_given() -> None:
    described = build_object(SITE, build_field("Status__c", "picklist", allowed=frozenset({"A", "B"})))
    assert read_json(described.as_json()) == described


def test_what_was_never_described_is_not_known() -> None:
    known = read_known_objects(ConnectionFactory.create())
    with pytest.raises(NotDescribedError):
        known.describe(SITE)


def test_the_objects_that_rules_name_are_described_once_each() -> None:
    assert list_named_objects(ConnectionFactory.create()) == [
        "Account",
        "Call2_vod__c",
        SITE,
        "Clinical_Study_vod__c",
        "Vault_Clinical_Interaction_vod__c",
    ]


# -- What has changed --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"type": "double"}, (DescribedAspect.TYPE, "string", "double")),
        ({"length": 40}, (DescribedAspect.LENGTH, "80", "40")),
        ({"is_needed": True}, (DescribedAspect.NEEDED, "optional", "required")),
        ({"is_unique": True}, (DescribedAspect.UNIQUE, "not unique", "unique")),
        ({"is_updateable": False}, (DescribedAspect.ACCESS, "create and change", "create")),
        ({"allowed": frozenset({"A"})}, (DescribedAspect.VALUES, "any value", "A")),
        ({"refers_to": ("Account",)}, (DescribedAspect.REFERENCE, "nothing", "Account")),
    ],
)
def test_each_change_of_a_field_is_noted_with_what_it_was(changes: dict[str, Any], told: tuple[str, str, str]) -> None:
    connection = ConnectionFactory.create()
    field = build_field("Region__c")
    assert describe(connection, SITE, field) == []
    assert describe(connection, SITE, field) == []
    describe(connection, SITE, replace(field, **changes))
    change = list_unseen_changes(connection).get()
    assert (change.field, (change.aspect, change.before, change.after)) == ("Region__c", told)


def test_a_field_that_is_gone_names_the_rules_that_fill_it_until_somebody_has_seen_it() -> None:
    connection, user = ConnectionFactory.create(), UserFactory.create()
    describe(connection, SITE, build_field("site_name_vod__c"))
    describe(connection, SITE)
    change = list_unseen_changes(connection).get()
    rules = list_concerned_rules(connection=connection, object_name=SITE, field=change.field)
    assert [str(rule) for rule in rules] == ["site_name__v → Site_Name_vod__c"]
    assert mark_changes_seen(connection=connection, user=user, up_to=change.pk - 1) == 0
    assert mark_changes_seen(connection=connection, user=user, up_to=change.pk) == 1
    assert not list_unseen_changes(connection).exists()


def test_an_object_that_is_no_longer_described_is_told_once() -> None:
    connection = ConnectionFactory.create()
    describe(connection, SITE, build_field("Name"))
    for _ in range(2):
        store_description(connection=connection, name=SITE, described=None, origin=DescriptionOrigin.DAILY)
    assert list_unseen_changes(connection).get().after == "no longer described"
    assert read_known_objects(connection).describe(SITE) is None


# -- What is checked ---------------------------------------------------------------------------------
def test_a_name_that_cannot_be_checked_is_taken() -> None:
    assert add(get_rule(ConnectionFactory.create()), "city__v", "Anything__c").pk


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (build_field("Other__c"), "has no field Region__c"),
        (build_field("Region__c", "boolean"), "is of the type boolean, which cannot take"),
        (build_field("Region__c", is_createable=False, is_updateable=False), "may not be filled by the CRM user"),
    ],
    ids=["missing", "type", "access"],
)
def test_what_cannot_work_is_refused_when_it_is_saved_with_the_reason(field: DescribedField, message: str) -> None:
    connection = ConnectionFactory.create()
    describe(connection, SITE, field)
    with pytest.raises(ValidationError) as refusal:
        add(get_rule(connection), "city__v", "Region__c")
    assert message in refusal.value.message_dict["target"][0]
    assert "refresh it if the CRM was changed since" in refusal.value.message_dict["target"][0]


def test_a_rule_that_cannot_work_any_more_can_be_switched_off() -> None:
    connection = ConnectionFactory.create()
    rule = add(get_rule(connection), "city__v", "Region__c")
    describe(connection, SITE, build_field("Name"))
    rule.status = RecordStatus.INACTIVE
    assert save_record(record=rule, actor=build_admin_actor())


def test_what_is_cut_or_may_be_refused_is_warned_of_while_it_is_typed() -> None:
    connection = ConnectionFactory.create()
    describe(connection, SITE, build_field("Region__c", length=10, is_needed=True, is_unique=True))
    checked = check_typed_rule(
        rule=get_rule(connection), typed={"kind": "copy", "source": "city__v", "target": "Region__c"}
    )
    assert [each.is_warning for each in checked.findings] == [True, True, True]
    assert [each.message.split(",")[0] for each in checked.findings] == [
        "Region__c takes 10 characters",
        "Region__c needs a value in the CRM",
        "Region__c is unique in the CRM",
    ]


def test_the_page_says_while_one_types_what_cannot_work(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    describe(connection, SITE, build_field("Region__c", "boolean"))
    url = reverse("admin:connections_integrationrule_check", args=(get_rule(connection).pk,))
    shown = client.get(url, {"kind": "copy", "source": "city__v", "target": "Region__c"}).content.decode()
    assert "Cannot work" in shown
    assert "is of the type boolean" in shown
    assert FieldRule.objects.filter(target="Region__c").count() == 0


def test_fields_of_the_crm_are_chosen_once_they_are_described(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    url = f"{reverse('admin:connections_integrationrule_add_field_rule', args=(get_rule(connection).pk,))}?kind=copy"
    assert not hasattr(client.get(url).context["form"].fields["target"].widget, "choices")
    describe(connection, SITE, build_field("Region__c", label="Region"), build_field("Id", "id", is_updateable=False))
    choices = client.get(url).context["form"].fields["target"].widget.choices
    assert list(choices) == [("", "–"), ("Region__c", "Region (Region__c), string, 80 characters")]


def test_the_rule_s_page_tells_which_rules_cannot_work_any_more(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    rule = get_rule(connection)
    add(rule, "city__v", "Region__c")
    describe(connection, SITE, build_field("Name"))
    page = client.get(reverse("admin:connections_integrationrule_change", args=(rule.pk,)))
    assert "city__v → Region__c" in [row.record.name for row in page.context["broken"]]


def test_an_integration_rule_names_an_external_id_that_is_one() -> None:
    connection = ConnectionFactory.create()
    rule = get_rule(connection)
    describe(connection, SITE, build_field("Code__c"), build_field(rule.deletion_field))
    rule.crm_external_id_field = "Code__c"
    with pytest.raises(ValidationError, match="is no external id"):
        save_record(record=rule, actor=build_admin_actor())


def test_an_object_that_the_organisation_does_not_have_is_refused() -> None:
    connection = ConnectionFactory.create()
    store_object_list(connection=connection, labels={SITE: "Clinical Site"})
    rule = get_rule(connection)
    rule.crm_object = "Gone__c"
    with pytest.raises(ValidationError, match="The CRM has no object Gone__c"):
        save_record(record=rule, actor=build_admin_actor())


# -- Identifiers -------------------------------------------------------------------------------------
def test_identifiers_are_refused_that_cannot_be_any_by_connection_and_for_all() -> None:
    connection = ConnectionFactory.create(name="NA")
    describe(connection, "Account", build_field("Name"), build_field("Code__c", is_unique=True, is_case_sensitive=True))
    mapping = CrmConnectionIdentifierMapping(connection=connection, crm_account_identifier="Name")
    with pytest.raises(ValidationError, match="is not unique"):
        save_record(record=mapping, actor=build_admin_actor())
    common: dict[str, Any] = {"clinical_person_identifier": "npi__v", "enable_global_crm_mapping": True}
    with pytest.raises(ValidationError, match="NA: Name of Account is not unique"):
        set_application_settings(**common, crm_account_identifier="Name", actor=build_admin_actor())
    set_application_settings(**common, crm_account_identifier="Code__c", actor=build_admin_actor())
    with pytest.raises(ValidationError, match="is no text field of Person"):
        set_application_settings(
            **common | {"clinical_person_identifier": "status__v"},
            crm_account_identifier="Code__c",
            actor=build_admin_actor(),
        )


def test_only_fields_that_can_identify_are_offered(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    describe(connection, "Account", build_field("Name"), build_field("Code__c", is_unique=True))
    page = client.get(reverse("admin:connections_connection_change", args=(connection.pk,)))
    form = page.context["inline_admin_formsets"][0].formset.forms[0]
    assert [name for name, _ in form.fields["crm_account_identifier"].widget.choices] == ["", "Code__c"]
    assert list_messages(page) == []


def test_rules_are_named_for_their_direction() -> None:
    rules = IntegrationRule.objects.filter(integration__connection=ConnectionFactory.create())
    assert sorted(rules.values_list("name", flat=True)) == [
        "Call → Medical Activity",
        "Clinical Activity → Vault Clinical Interaction",
        "Study Site → Clinical Site",
        "Study → Clinical Study",
    ]
