"""Field rules that admins add, and those that must not be."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records
from tests.admin_forms import list_messages, log_in_admin, submit
from tests.connections.rules_admin_steps import (
    ACTIVE,
    IN,
    INACTIVE,
    OUT,
    SITES,
    add_custom_field,
    create_rule,
    get_url,
    log_in_with,
    save,
    switch,
)
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db


# -- Rules that admins add ----------------------------------------------------------------------------
def test_a_custom_field_is_copied_by_a_rule_that_an_admin_adds(client: Client) -> None:
    log_in_admin(client)
    add_custom_field()
    rule = create_rule(SITES)
    url = f"{get_url(rule, 'add_field_rule')}?kind=copy"
    offered = dict(client.get(url).context["form"].fields["source"].choices)
    assert ("region__c", "Region (region__c)") in offered["Custom fields"]
    assert ("city__v", "City (city__v)") in offered["Standard fields"]
    assert ("study__v.name__v", "Study: Study number (study__v.name__v)") in offered["Of the study: Study"]

    response: Any = client.post(url, {"source": "region__c", "target": "Region__c"})

    assert response.url == get_url(rule)
    added = rule.field_rules.last()
    assert added is not None
    assert (added.name, added.kind, added.is_required) == ("region__c → Region__c", FieldRuleKind.COPY, False)
    assert added.position == max(rule.field_rules.values_list("position", flat=True))
    assert [row.is_custom for row in client.get(get_url(rule)).context["rows"]][-2:] == [False, True]


def test_a_constant_is_set_by_a_rule_that_an_admin_adds(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    url = f"{get_url(rule, 'add_field_rule')}?kind=constant"
    client.post(url, {"constant": "Vault", "target": "Origin__c"})
    added = rule.field_rules.get(target="Origin__c")
    assert (added.kind, added.constant, added.source) == (FieldRuleKind.CONSTANT, "Vault", "")
    assert client.get(get_url(rule)).context["rows"][-1].source.label == "“Vault”"


def test_what_comes_in_fills_a_field_of_the_vault_that_can_be_filled(client: Client) -> None:
    log_in_admin(client)
    add_custom_field("crm_activity__v")
    rule = create_rule(IN)
    url = f"{get_url(rule, 'add_field_rule')}?kind=copy"
    offered = {name for name, _ in client.get(url).context["form"].fields["target"].choices}
    assert "subject__v" in offered
    assert {"region__c", "study__v", "status__v", "created_date__v", "object_type__v"} & offered == set()
    client.post(url, {"source": "Call_Objective__c", "target": "subject__v"})
    assert rule.field_rules.filter(source="Call_Objective__c", target="subject__v").exists()


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"source": "", "target": "X__c"}, {"source": ["This field is required."]}),
        (
            {"source": "from__v", "target": "no name"},
            {"target": ["Use the API name in the CRM: letters, digits, underscores."]},
        ),
        (
            {"source": "from__v", "target": "Subject_vod__c"},
            {"__all__": ["Another field rule fills this target field."]},
        ),
    ],
)
def test_a_field_rule_that_cannot_be_is_refused_with_what_was_typed(
    client: Client, typed: dict[str, str], errors: dict[str, list[str]]
) -> None:
    log_in_admin(client)
    rule = create_rule()
    number = rule.field_rules.count()
    page = client.post(f"{get_url(rule, 'add_field_rule')}?kind=copy", typed)
    assert page.context["form"].errors == errors
    assert typed["target"] in page.content.decode()
    assert rule.field_rules.count() == number


def test_only_rules_that_admins_added_are_deleted_and_that_is_asked_first(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    client.post(f"{get_url(rule, 'add_field_rule')}?kind=constant", {"constant": "Vault", "target": "Origin__c"})
    added, delivered = rule.field_rules.get(target="Origin__c"), rule.field_rules.get(source="from__v")
    rows = {row.record: row.can_be_deleted for row in client.get(get_url(rule)).context["rows"]}
    assert [each for each, can_be_deleted in rows.items() if can_be_deleted] == [added]

    delete = reverse("admin:connections_fieldrule_delete", args=(added.pk,))
    assert client.get(delete).status_code == 200
    response: Any = client.post(delete, {"post": "yes"})
    assert response.url == get_url(rule)
    assert not FieldRule.objects.filter(pk=added.pk).exists()

    for kept in (delivered, rule.field_rules.get(source="person__v")):
        url = reverse("admin:connections_fieldrule_delete", args=(kept.pk,))
        assert client.post(url, {"post": "yes"}).status_code == 403


def test_a_field_rule_is_edited_on_its_own_page_and_leads_back_to_its_rule(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    field_rule = rule.field_rules.get(source="from__v")
    url = reverse("admin:connections_fieldrule_change", args=(field_rule.pk,))
    response = submit(client, url, form_id="fieldrule_form", target="Author__c", status=INACTIVE)
    field_rule.refresh_from_db()
    assert (response.url, field_rule.name, field_rule.status) == (get_url(rule), "from__v → Author__c", ACTIVE)


# -- Rules that must not be -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("Vault_External_ID_vod__c", "The transfer finds its records by Vault_External_ID_vod__c"),
        ("vault_external_id_VOD__c", "The transfer finds its records by vault_external_id_VOD__c"),
        ("Id", "The CRM alone fills Id"),
        ("SystemModstamp", "The CRM alone fills SystemModstamp"),
        ("Clinical_Study_vod__r", "leads to another record"),
        ("Account_vod__r.Name", "leads to another record"),
        (
            "subject_VOD__c",
            "The field rule for Subject_vod__c fills the same field of the CRM, where names ignore case",
        ),
    ],
)
def test_what_a_field_rule_may_not_fill_is_refused_while_it_is_typed(client: Client, target: str, told: str) -> None:
    log_in_admin(client)
    rule = create_rule()
    for kind, typed in (("copy", {"source": "notes__v"}), ("constant", {"constant": "x"})):
        page = client.post(f"{get_url(rule, 'add_field_rule')}?kind={kind}", {**typed, "target": target})
        (error,) = page.context["form"].errors["target"]
        assert told in error
    assert not rule.field_rules.filter(target=target).exists()


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (
            OUT,
            {"target": "Account_vod__c", "source": "site__v"},
            "no reference to a Person",
        ),
        (
            OUT,
            {"kind": "person_account", "source": "person__v", "reference_object": "Account"},
            "The field rule for Account_vod__c gives the record its account already",
        ),
        (OUT, {"kind": "formatted_person", "source": "subject__v"}, "no reference to a person or user"),
        (OUT, {"kind": "copy", "source": "gone__v"}, "has no field 'gone__v'"),
        (OUT, {"kind": "copy", "source": "gone__v.name__v"}, "has no field 'gone__v'"),
        (IN, {"target": "date__v", "kind": "constant", "constant": "tomorrow"}, "“tomorrow” does not fit Date"),
        (IN, {"target": "crm_id__v", "kind": "copy", "source": "Name"}, "The Vault alone fills"),
        (IN, {"target": "object_type__v", "kind": "copy", "source": "Name"}, "The Vault alone fills"),
        (IN, {"target": "study__v", "kind": "copy", "source": "Name"}, "refers to a record, and the CRM sends none"),
        (IN, {"target": "complete__v", "kind": "formatted_person", "source": "CreatedBy"}, "takes no text"),
        (IN, {"target": "subject__v", "kind": "record_link"}, "is for what is sent to the CRM"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_its_field(
    kind: IntegrationKind, values: dict[str, Any], told: str
) -> None:
    rule = create_rule(kind)
    field_rule = rule.field_rules.filter(target=values.get("target")).first() or FieldRule(rule=rule, target="New__c")
    for name, value in values.items():
        setattr(field_rule, name, value)
    with pytest.raises(ValidationError) as refused:
        save(field_rule)
    ((field, (message,)),) = refused.value.message_dict.items()
    assert field in ("source", "target")
    assert told in message


def test_a_rule_that_must_not_be_can_be_switched_off_and_not_on_again(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    odd = FieldRule(rule=rule, source="notes__v", target="Vault_External_ID_vod__c", position=90)
    create_records(records=[odd], actor=build_admin_actor())
    switch(client, rule, odd, INACTIVE)
    odd.refresh_from_db()
    assert odd.status == INACTIVE
    assert "The transfer finds its records by" in " ".join(
        list_messages(client.get(switch(client, rule, odd, ACTIVE).url))
    )
    odd.refresh_from_db()
    assert odd.status == INACTIVE


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("crm_external_id_field", "from_vod__c", "The field rule “from__v → From_vod__c” fills it"),
        ("crm_external_id_field", "Id", "Name the external id field in which the CRM keeps the Vault's ids"),
        ("deletion_field", "vault_external_id_vod__c", "The transfer finds its records by"),
        ("vault_object", "gone__v", "No object 'gone__v' is registered"),
        ("vault_object_type", "gone__v", "has the types"),
        ("vault_filter_field", "subject__v", "is no Yes/No field"),
    ],
)
def test_an_integration_rule_that_cannot_be_followed_is_refused_beside_its_field(
    client: Client, name: str, value: str, told: str
) -> None:
    log_in_admin(client)
    rule = create_rule()
    page = submit(client, get_url(rule, "edit"), form_id="integrationrule_form", **{name: value})
    (error,) = page.context["adminform"].form.errors[name]
    assert told in error


@pytest.mark.both_databases
def test_the_database_keeps_two_rules_from_filling_one_field_in_different_case() -> None:
    rule = create_rule()
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(
            records=[FieldRule(rule=rule, source="notes__v", target="SUBJECT_vod__c")], actor=build_admin_actor()
        )


def test_restoring_the_standard_rules_asks_first_and_leaves_added_ones(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    added = FieldRule(rule=rule, source="notes__v", target="Notes__c", position=90)
    save(added)
    changed = rule.field_rules.get(target="Channel_vod__c")
    changed.picklist_map, changed.status = {"*": "Other_vod"}, INACTIVE
    save(changed)
    moved = rule.field_rules.get(target="From_vod__c")
    moved.target = "Author__c"
    save(moved)
    assert "Restore standard rules" in client.get(get_url(rule)).content.decode()
    page = client.get(get_url(rule, "restore"))
    assert "8 field rules that the Vault delivers" in page.content.decode()
    changed.refresh_from_db()
    assert changed.status == INACTIVE

    response = client.post(get_url(rule, "restore"), follow=True)

    assert list_messages(response) == ["Standard rules restored: 2 field rules changed."]
    changed.refresh_from_db()
    assert (changed.status, len(changed.picklist_map)) == (ACTIVE, 6)
    assert rule.field_rules.get(target="From_vod__c").source == "from__v"
    assert rule.field_rules.filter(target__in=("Author__c", "Notes__c"), status=ACTIVE).count() == 2
    entries = AuditEntry.objects.filter(reason="Restore standard rules")
    assert entries.count() == 2
    assert list_messages(client.post(get_url(rule, "restore"), follow=True)) == [
        "Standard rules restored: 0 field rules changed."
    ]


def test_who_may_not_change_field_rules_restores_none(client: Client) -> None:
    log_in_with(client, "admin:console", "integration_rule__sys:read", "field_rule__sys:read")
    rule = create_rule()
    assert client.get(get_url(rule, "restore")).status_code == 403
    assert client.post(get_url(rule, "restore")).status_code == 403
