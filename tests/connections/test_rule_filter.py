"""The filter of an integration rule."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from connections.models import IntegrationRule
from tests.admin_forms import list_messages, log_in_admin, read_form
from tests.connections.rules_admin_steps import (
    INACTIVE,
    SITES,
    add_condition,
    add_custom_field,
    create_rule,
    get_url,
    post_filter,
    save,
)
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


# -- The filter -------------------------------------------------------------------------------------


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
