"""The page of an integration rule: field rules, switches, added field rules, and the filter."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule, IntegrationRule
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, save_record
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_messages, log_in_admin, read_form, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db
ACTIVE, INACTIVE = RecordStatus.ACTIVE, RecordStatus.INACTIVE
OUT, SITES, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.SITE_OUTBOUND, IntegrationKind.CALL_INBOUND


def create_rule(kind: IntegrationKind = OUT, name: str = "NA") -> IntegrationRule:
    integration = ConnectionFactory.create(name=name).integrations.get(kind=kind)
    return IntegrationRule.objects.select_related("integration").get(integration=integration)


def get_url(rule: IntegrationRule, page: str = "change") -> str:
    return reverse(f"admin:connections_integrationrule_{page}", args=(rule.pk,))


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


def switch(client: Client, rule: IntegrationRule, record: Any, status: str, **typed: Any) -> Any:
    """Press the button of a row, as the page shows it now."""
    what = {"Integration": "integration", "IntegrationRule": "rule", "FieldRule": "field_rule"}[type(record).__name__]
    values = {"what": what, "key": record.pk, "read_version": record.version, "status": status, **typed}
    return client.post(get_url(rule, "switch"), values)


def add_custom_field(of_object: str = "site__v", **values: Any) -> CustomField:
    field = CustomField(
        **{"of_object": of_object, "api_name": "region__c", "label": "Region", "kind": "text", **values}
    )
    save(field)
    return field


def log_in_with(client: Client, *permissions: str) -> Any:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


# -- The page -----------------------------------------------------------------------------------------
def test_the_page_shows_what_goes_where_with_labels_beside_api_names(client: Client) -> None:
    log_in_admin(client)
    page = client.get(get_url(create_rule()))
    rows = [
        (row.source.label, row.source.api_name, row.target.api_name, row.kind, row.record.is_required, row.is_active)
        for row in page.context["rows"]
    ]
    assert rows[:3] == [
        ("Person", "person__v", "Account_vod__c", "Person ↔ Account", True, True),
        ("Date", "date__v", "Interaction_Date_vod__c", "Copy", True, True),
        ("Channel", "channel__v", "Channel_vod__c", "Picklist map", True, True),
    ]
    assert page.context["failing"] == []


def test_what_comes_in_has_its_labels_on_the_other_side_and_no_filter(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule(IN)
    page = client.get(get_url(rule))
    first = page.context["rows"][0]
    assert (first.source.label, first.target.label) == ("", "Person")
    assert "Edit filter" not in page.content.decode()
    assert client.get(get_url(rule, "filter")).status_code == 404


def test_a_field_that_the_vault_does_not_have_is_marked(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    save(FieldRule(rule=rule, source="gone__c", target="Gone__c", position=90))
    save(FieldRule(rule=rule, source="site__v.city__v", target="City__c", position=91))
    gone, city = client.get(get_url(rule)).context["rows"][-2:]
    assert (gone.source.is_missing, city.source.label) == (True, "Site: City")


def test_the_page_asks_as_many_queries_for_many_field_rules_as_for_few(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()

    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            assert client.get(get_url(rule)).status_code == 200
        return len(queries)

    count()
    few = count()
    for number in range(5):
        save(FieldRule(rule=rule, source="subject__v", target=f"Copy_{number}__c", position=90))
    assert count() == few


def test_the_rule_itself_is_edited_in_a_form_of_its_own_and_leads_back(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    response = submit(
        client, get_url(rule, "edit"), form_id="integrationrule_form", name="Activities", deletion_value="Gone"
    )
    rule.refresh_from_db()
    assert (response.url, rule.name, rule.deletion_value) == (get_url(rule), "Activities", "Gone")


def test_a_rule_that_somebody_else_changed_is_not_overwritten(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    opened = read_form(client.get(get_url(rule, "edit")), form_id="integrationrule_form")
    rule.deletion_value = "Gone"
    save(rule)
    response = client.post(get_url(rule, "edit"), {**opened, "name": "Mine"})
    assert "was changed by Ada Admin" in response.content.decode()
    rule.refresh_from_db()
    assert rule.name != "Mine"


# -- Switches ---------------------------------------------------------------------------------------
def test_a_field_rule_is_switched_off_and_on_in_place_and_audited(client: Client) -> None:
    user = log_in_admin(client)
    rule = create_rule()
    field_rule = rule.field_rules.get(source="from__v")

    response = switch(client, rule, field_rule, INACTIVE)

    assert response.url == get_url(rule)
    field_rule.refresh_from_db()
    entry = AuditEntry.objects.order_by("-pk")[0]
    assert (field_rule.status, entry.actor, entry.record_uid) == (INACTIVE, user, field_rule.uid)
    assert entry.changes == {"status": ["active__v", "inactive__v"]}
    assert list_messages(client.get(response.url)) == ["from__v → From_vod__c is Inactive from the next run on."]

    switch(client, rule, field_rule, ACTIVE)
    field_rule.refresh_from_db()
    assert field_rule.status == ACTIVE


def test_the_forms_of_the_page_post_what_the_switch_takes(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    field_rule = rule.field_rules.get(source="from__v")
    row = client.get(get_url(rule)).content.decode().partition(f'id="field-rule-{field_rule.pk}"')[2]
    for part in (
        f'action="{get_url(rule, "switch")}"',
        'name="what" value="field_rule"',
        f'name="key" value="{field_rule.pk}"',
        f'name="read_version" value="{field_rule.version}"',
        'value="inactive__v"',
    ):
        assert part in row.partition("</tr>")[0]


def test_switching_off_a_required_field_rule_asks_first_and_says_what_follows(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    field_rule = rule.field_rules.get(source="person__v")

    page = switch(client, rule, field_rule, INACTIVE)

    field_rule.refresh_from_db()
    assert (page.status_code, field_rule.status) == (200, ACTIVE)
    text = " ".join(page.content.decode().split())
    assert "CRM Call Outbound Integration of NA fails with a user exception in every run, and sends nothing" in text

    confirmed: Any = client.post(
        get_url(rule, "switch"), {**read_form(page, form_id="confirm_form"), "confirmed": "yes"}
    )

    field_rule.refresh_from_db()
    assert field_rule.status == INACTIVE
    [warning] = list_messages(client.get(confirmed.url))
    assert warning == (
        "person__v → Account_vod__c is required and now Inactive: CRM Call Outbound Integration of NA will fail with a "
        "user exception and send nothing until the field rule is Active again."
    )


def test_an_inactive_required_rule_is_marked_on_its_row_its_rule_its_integration_and_the_connection(
    client: Client,
) -> None:
    log_in_admin(client)
    rule = create_rule()
    pages = [
        get_url(rule),
        reverse("admin:connections_integrationrule_changelist"),
        reverse("admin:connections_integration_changelist"),
        reverse("admin:connections_integration_change", args=(rule.integration_id,)),
        reverse("admin:connections_connection_change", args=(rule.integration.connection_id,)),
    ]
    mark = "Required rule inactive"
    assert [mark in client.get(url).content.decode() for url in pages] == [False] * 5

    field_rule = rule.field_rules.get(source="person__v")
    switch(client, rule, field_rule, INACTIVE, confirmed="yes")

    assert [mark in client.get(url).content.decode() for url in pages] == [True] * 5
    [row] = client.get(get_url(rule)).context["failing"]
    assert row.record == field_rule


def test_the_rule_and_its_integration_are_switched_on_the_same_page(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    for record in (rule, rule.integration):
        switch(client, rule, record, INACTIVE)
        record.refresh_from_db()
        assert record.status == INACTIVE
        switch(client, rule, record, ACTIVE)
        record.refresh_from_db()
        assert record.status == ACTIVE


def test_a_switch_over_somebody_elses_change_is_refused_with_the_reason(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    field_rule = rule.field_rules.get(source="from__v")
    stale = FieldRule.objects.get(pk=field_rule.pk)
    field_rule.target = "Author__c"
    save(field_rule)
    response = switch(client, rule, stale, INACTIVE)
    [message] = list_messages(client.get(response.url))
    assert message.startswith("from__v → Author__c was changed by Ada Admin")
    field_rule.refresh_from_db()
    assert field_rule.status == ACTIVE


def test_a_field_rule_of_another_rule_is_not_switched_here(client: Client) -> None:
    log_in_admin(client)
    rule, other = create_rule(), create_rule(name="EU")
    foreign = other.field_rules.get(source="from__v")
    assert switch(client, rule, foreign, INACTIVE).status_code == 404
    assert switch(client, rule, foreign, INACTIVE, key="x").status_code == 404
    assert switch(client, rule, rule, INACTIVE, read_version="").status_code == 404
    foreign.refresh_from_db()
    assert foreign.status == ACTIVE


def test_opening_the_address_of_the_switch_switches_nothing(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    response: Any = client.get(get_url(rule, "switch"))
    assert response.url == get_url(rule)


# -- Rules that admins add ----------------------------------------------------------------------------
def test_a_custom_field_is_copied_by_a_rule_that_an_admin_adds(client: Client) -> None:
    log_in_admin(client)
    add_custom_field()
    rule = create_rule(SITES)
    url = f"{get_url(rule, 'add_field_rule')}?kind=copy"
    offered = dict(client.get(url).context["form"].fields["source"].choices)
    assert ("region__c", "Region (region__c)") in offered["Custom fields"]
    assert ("city__v", "City (city__v)") in offered["Standard fields"]
    assert ("study__v.name__v", "Study: Study number (study__v.name__v)") in offered["Of records referred to"]

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


# -- The filter -------------------------------------------------------------------------------------
def post_filter(client: Client, rule: IntegrationRule, **typed: Any) -> Any:
    page = client.get(get_url(rule, "filter"))
    return client.post(get_url(rule, "filter"), {**read_form(page, form_id="filter_form"), **typed})


def add_condition(client: Client, rule: IntegrationRule, path: str) -> dict[str, Any]:
    """Choose a field and press Add condition; return the form data that the browser would send next."""
    page = post_filter(client, rule, **{"about-top": path, "add": "top"})
    assert page.status_code == 200
    return read_form(page, form_id="filter_form")


def test_a_condition_is_added_in_two_steps_without_scripts_and_saved(client: Client) -> None:
    log_in_admin(client)
    for code in ("DE", "FR"):
        StudySiteFactory.create(study_country=StudyCountryFactory.create(country=code))
    rule = create_rule(SITES)
    row = add_condition(client, rule, "study_country__v.country__v")
    rule.refresh_from_db()
    assert rule.conditions == []

    response: Any = client.post(get_url(rule, "filter"), {**row, "c0-value": ["DE", "AT"], "save": "yes"})

    rule.refresh_from_db()
    assert rule.conditions == [{"field": "study_country__v.country__v", "operator": "is", "values": ["DE", "AT"]}]
    page = client.get(response.url)
    assert list_messages(page) == ["The filter was saved: 1 of 2 records match now."]
    [shown] = page.context["conditions"]
    assert (shown.label, shown.operator, shown.values) == ("Study country: Country", "is", ("Germany", "Austria"))


def test_a_picklist_is_ticked_and_a_saved_filter_is_shown_as_it_is(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    row = add_condition(client, rule, "channel__v")
    typed = {**row, "c0-operator": "is_not", "c0-value": ["phone__v", "email__v"], "save": "yes"}
    client.post(get_url(rule, "filter"), typed)

    shown = read_form(client.get(get_url(rule, "filter")), form_id="filter_form")

    assert shown["condition"] == ["channel__v"]
    assert (shown["c0-operator"], shown["c0-value"]) == (["is_not"], ["phone__v", "email__v"])


def test_records_are_found_by_name_or_uid_and_ticked_from_then_on(client: Client) -> None:
    log_in_admin(client)
    first, second = StudyFactory.create(name="VX-1"), StudyFactory.create(name="VX-2")
    rule = create_rule(SITES)
    row = add_condition(client, rule, "study__v")
    client.post(get_url(rule, "filter"), {**row, "c0-entry__text": f"vx-1, {second.uid}", "save": "yes"})
    rule.refresh_from_db()
    assert rule.conditions[0]["values"] == [str(first.uid), str(second.uid)]

    page = client.get(get_url(rule, "filter"))
    shown = read_form(page, form_id="filter_form")
    assert shown["c0-value"] == [str(first.uid), str(second.uid)]
    assert "VX-1 · Study VX-1" in page.content.decode()

    client.post(get_url(rule, "filter"), {**shown, "c0-value": [str(second.uid)], "save": "yes"})
    rule.refresh_from_db()
    assert rule.conditions[0]["values"] == [str(second.uid)]


def test_a_name_of_no_record_or_of_several_is_refused_beside_its_condition(client: Client) -> None:
    log_in_admin(client)
    for name in ("0001", "0001", "0002"):
        StudySiteFactory.create(name=name)
    rule = create_rule()
    row = add_condition(client, rule, "site__v")
    page = client.post(get_url(rule, "filter"), {**row, "c0-entry__text": "0001, 0003", "save": "yes"})
    [form] = page.context["form"].rows
    remedy = "Choose one from the list, or type its exact name or external ID."
    assert form.errors == [
        "Several match “0001”. Choose one from the list, or type its external ID.",
        f"There is no study site “0003” that you can see. {remedy}",
    ]
    assert "0001, 0003" in page.content.decode()


def test_what_cannot_be_asked_is_said_beside_the_condition_and_nothing_is_saved(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    row = add_condition(client, rule, "date__v")
    page = client.post(get_url(rule, "filter"), {**row, "c0-value": "soon", "save": "yes"})
    [form] = page.context["form"].rows
    assert form.errors == ["'soon' is no day. Enter it as year-month-day, e.g. 2026-03-31."]
    rule.refresh_from_db()
    assert rule.conditions == []


def test_several_conditions_keep_what_was_typed_while_another_is_added_and_one_is_removed(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    row = add_condition(client, rule, "subject__v")
    typed = {**row, "c0-value": "Visit", "c0-operator": "contains", "about-top": "complete__v", "add": "top"}
    both = read_form(client.post(get_url(rule, "filter"), typed), form_id="filter_form")
    assert (both["condition"], both["c0-value"]) == (["subject__v", "complete__v"], ["Visit"])

    client.post(get_url(rule, "filter"), {**both, "c1-value": "true", "save": "yes"})
    rule.refresh_from_db()
    assert rule.conditions == [
        {"field": "subject__v", "operator": "contains", "values": ["Visit"]},
        {"field": "complete__v", "operator": "is", "values": ["true"]},
    ]

    remaining = read_form(post_filter(client, rule, remove="0"), form_id="filter_form")
    client.post(get_url(rule, "filter"), {**remaining, "save": "yes"})
    rule.refresh_from_db()
    assert rule.conditions == [{"field": "complete__v", "operator": "is", "values": ["true"]}]


def test_a_filter_that_cannot_be_applied_is_marked_and_mended_by_removing_the_condition(client: Client) -> None:
    log_in_admin(client)
    field = add_custom_field()
    rule = create_rule(SITES)
    rule.conditions = [{"field": "region__c", "operator": "is", "values": ["EMEA"]}]
    save(rule)
    field.status = INACTIVE
    save(field)

    [problem] = client.get(get_url(rule)).context["filter_problems"]
    assert problem == (
        "The filter asks about region__c, which Study Site does not have (any more). Remove the condition, or make the "
        "field Active again."
    )
    page = client.get(get_url(rule, "filter"))
    assert "which Study Site does not have (any more)" in page.content.decode()
    refused = post_filter(client, rule, save="yes")
    assert (refused.status_code, IntegrationRule.objects.get(pk=rule.pk).version) == (200, rule.version)

    remaining = read_form(post_filter(client, rule, remove="0"), form_id="filter_form")
    client.post(get_url(rule, "filter"), {**remaining, "save": "yes"})
    rule.refresh_from_db()
    assert rule.conditions == []


def test_a_filter_over_somebody_elses_change_is_refused_with_what_was_typed(client: Client) -> None:
    log_in_admin(client)
    rule = create_rule()
    row = add_condition(client, rule, "subject__v")
    rule.deletion_value = "Gone"
    save(rule)
    page = client.post(get_url(rule, "filter"), {**row, "c0-value": "Visit", "save": "yes"})
    assert "was changed by Ada Admin" in page.context["form"].error
    assert read_form(page, form_id="filter_form")["c0-value"] == ["Visit"]


# -- Who may ------------------------------------------------------------------------------------------
RULES = "integration_rule__sys:read"


def test_who_may_only_read_rules_sees_them_and_changes_nothing(client: Client) -> None:
    rule = create_rule()
    field_rule = rule.field_rules.get(source="from__v")
    log_in_with(client, RULES)
    page = client.get(get_url(rule))
    assert page.status_code == 200
    assert [
        word for word in ("Deactivate", "Edit filter", "Edit rule", "Copy a field") if word in page.content.decode()
    ] == []
    for record in (rule, rule.integration, field_rule):
        assert switch(client, rule, record, INACTIVE).status_code == 403
    assert client.post(get_url(rule, "add_field_rule"), {"source": "from__v", "target": "X__c"}).status_code == 403
    for method in (client.get, client.post):
        assert method(get_url(rule, "filter")).status_code == 403


def test_who_may_not_read_rules_gets_none_of_their_pages(client: Client) -> None:
    rule = create_rule()
    log_in_with(client, "study__v:read")
    for page in ("change", "edit", "switch", "add_field_rule", "filter"):
        for method in (client.get, client.post):
            assert method(get_url(rule, page)).status_code == 403


def test_manage_connections_is_enough_for_all_of_it(client: Client) -> None:
    rule = create_rule()
    log_in_with(client, "admin:connections")
    switch(client, rule, rule.field_rules.get(source="from__v"), INACTIVE)
    client.post(f"{get_url(rule, 'add_field_rule')}?kind=constant", {"constant": "Vault", "target": "Origin__c"})
    row = add_condition(client, rule, "subject__v")
    client.post(get_url(rule, "filter"), {**row, "c0-value": "Visit", "save": "yes"})
    rule.refresh_from_db()
    assert rule.field_rules.get(source="from__v").status == INACTIVE
    assert (rule.field_rules.filter(target="Origin__c").count(), len(rule.conditions)) == (1, 1)


def test_records_of_foreign_studies_are_neither_found_nor_named(client: Client) -> None:
    foreign = StudyFactory.create(name="CANARY")
    rule = create_rule(SITES)
    rule.conditions = [{"field": "study__v", "operator": "is", "values": [str(foreign.uid)]}]
    save(rule)
    user = log_in_with(client, "admin:connections", "study__v:read")
    StudyAssignmentFactory.create(user=user)

    for page in ("change", "filter"):
        assert "CANARY" not in client.get(get_url(rule, page)).content.decode()
    for typed, refusal in (
        ("CANARY", "There is no study “CANARY” that you can see."),
        (str(foreign.uid), "This study does not exist, or you cannot see it."),
    ):
        page = post_filter(client, rule, save="yes", **{"c0-entry__text": typed})
        assert refusal in page.content.decode()
    # A record chosen by a user who may see it is kept.
    assert post_filter(client, rule, save="yes").status_code == 302
    rule.refresh_from_db()
    assert rule.conditions[0]["values"] == [str(foreign.uid)]
