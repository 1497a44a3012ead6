"""The page of an integration rule, its switches, and who may use them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.models import FieldRule
from ctms.audit.models import AuditEntry
from tests.admin_forms import list_messages, log_in_admin, read_form, submit
from tests.connections.rules_admin_steps import (
    ACTIVE,
    IN,
    INACTIVE,
    SITES,
    add_condition,
    create_rule,
    get_url,
    log_in_with,
    post_filter,
    save,
    switch,
)
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = pytest.mark.django_db


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
    save(FieldRule(rule=rule, source="gone__c", target="Gone__c", position=90, status=INACTIVE))
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
    count()  # which notes the use of the session, if the log-in is a minute ago
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
