"""An admin maps fields: a CRM object is described when it is chosen, and what cannot work is said while one types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from connections.choices import IntegrationKind
from connections.models import FieldRule, IntegrationRule
from connections.models.descriptions import read_known_objects
from crm_sync.sandbox.serving.running import RunningSandbox
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.connections.test_descriptions import SITE, build_field, describe
from tests.crm_sync.world import World, build_world
from tests.factories.accounts import UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox:
        yield build_world(crm=sandbox["na"])


@pytest.fixture
def rule() -> IntegrationRule:
    """A rule of sites whose CRM object was described with a field of each difficulty."""
    rule = find_rule(ConnectionFactory.create(name="North America"))
    describe(
        rule.integration.connection,
        SITE,
        build_field("Short__c", length=10, label="Short text"),
        build_field("Key__c", is_unique=True, is_needed=True, label="Key"),
        build_field("Opened__c", "date", label="Opened"),
        build_field("Roomy__c", length=32_000, label="Roomy text"),
    )
    return rule


def find_rule(connection: Any) -> IntegrationRule:
    return IntegrationRule.objects.get(
        integration__connection=connection, integration__kind=IntegrationKind.SITE_OUTBOUND
    )


def open_page(page: Page, rule: IntegrationRule, name: str) -> None:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    enter_as(page, "ada")
    page.goto(reverse(f"admin:connections_integrationrule_{name}", args=(rule.pk,)))


def choose(page: Page, name: str, words: str) -> None:
    """Choose in a searchable select by keyboard: open it, type, Enter."""
    box = page.locator(f"#id_{name} + .select2 .select2-selection")
    box.focus()
    box.press("Enter")
    page.locator(".select2-container--open .select2-search__field").press_sequentially(words)
    page.keyboard.press("Enter")


def find_told(page: Page) -> Locator:
    return page.locator(".vault-mapping-check")


def test_type_length_required_and_unique_are_said_while_a_field_is_chosen_by_keyboard(
    page: Page, rule: IntegrationRule
) -> None:
    open_page(page, rule, "add_field_rule")
    choose(page, "source", "site_name__v")
    choose(page, "target", "Roomy")
    expect(find_told(page)).to_contain_text("Fits")

    choose(page, "target", "Short")
    expect(find_told(page)).to_contain_text("Short__c takes 10 characters")
    choose(page, "target", "Key__c")
    expect(find_told(page)).to_contain_text("Key__c is unique in the CRM")
    choose(page, "source", "site_number__v") if page.locator(
        '#id_source option[value="site_number__v"]'
    ).count() else None
    assert find_violations(page, within="form") == []

    choose(page, "source", "site_name__v")
    choose(page, "target", "Opened")
    expect(find_told(page)).to_contain_text("is of the type date, which cannot take what the field rule")
    page.get_by_role("button", name="Add field rule").press("Enter")
    expect(page.get_by_role("alert").get_by_text("So says the CRM's description")).to_be_visible()
    assert not FieldRule.objects.filter(rule=rule, target="Opened__c").exists()

    choose(page, "target", "Roomy")
    expect(find_told(page)).to_contain_text("Fits")
    page.get_by_role("button", name="Add field rule").press("Enter")
    expect(page.get_by_text("The field rule was added.")).to_be_visible()
    assert FieldRule.objects.filter(rule=rule, source="site_name__v", target="Roomy__c").exists()


def test_an_object_is_described_when_it_is_typed_and_then_chosen_from_a_list(page: Page, world: World) -> None:
    rule = find_rule(world.connection)
    open_page(page, rule, "edit")
    box = page.locator("#id_crm_object")
    box.fill("Clinical_Study_vod__c")
    box.press("Tab")
    told = page.locator(".vault-object-choice")
    expect(told).to_contain_text("fields, as the CRM has just described it")
    assert page.locator('#id_crm_external_id_field-choices option[value="Vault_External_ID_vod__c"]').count() == 1
    assert read_known_objects(world.connection).find("Clinical_Study_vod__c") is not None

    page.reload()
    choose(page, "crm_object", "Account")
    expect(told).to_contain_text("Account has")
    expect(told).to_contain_text("Choose again what it does not have")
    assert find_violations(page, within="form") == []


def test_a_crm_that_does_not_answer_is_said_in_place_and_the_rule_is_saved_all_the_same(
    page: Page, world: World
) -> None:
    rule = find_rule(world.connection)
    open_page(page, rule, "edit")
    world.misbehave(rules=[{"match": {}, "effect": {"status": 500}}])
    box = page.locator("#id_crm_object")
    box.fill("Site__c")
    box.press("Tab")
    expect(page.locator(".vault-object-choice")).to_contain_text("can be saved all the same")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile("/change/$"))
    rule.refresh_from_db()
    assert rule.crm_object == "Site__c"
