"""An admin decides what a connection transfers: by switches and a filter, without scripts, on any screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from connections.choices import IntegrationKind
from connections.models import IntegrationRule
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db(transaction=True)
WIDTHS = [390, 768, 1440]


@pytest.fixture
def rule() -> IntegrationRule:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    integration = ConnectionFactory.create(name="North America").integrations.get(kind=IntegrationKind.CALL_OUTBOUND)
    return IntegrationRule.objects.get(integration=integration)


@pytest.fixture
def plain_page(browser: Browser, base_url: str) -> Iterator[Page]:
    """A page in which no script runs."""
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    yield context.new_page()
    context.close()


def get_path(rule: IntegrationRule, page: str = "change") -> str:
    return reverse(f"admin:connections_integrationrule_{page}", args=(rule.pk,))


def open_page(page: Page, path: str) -> None:
    enter_as(page, "ada")
    page.goto(path)


def fill_rule(rule: IntegrationRule) -> None:
    """A filter of every kind of condition, one of which cannot be applied, and an inactive required field rule."""
    study = StudyFactory.create()
    rule.conditions = [
        {"field": "channel__v", "operator": "is", "values": ["phone__v", "email__v"]},
        {"field": "study__v", "operator": "is_not", "values": [str(study.uid)]},
        {"field": "study_country__v.country__v", "operator": "is", "values": ["US", "CA"]},
        {"field": "date__v", "operator": "from", "values": ["2026-01-01"]},
        {"field": "complete__v", "operator": "is", "values": ["true"]},
        {"field": "gone__c", "operator": "is", "values": ["x"]},
    ]
    field_rule = rule.field_rules.get(source="date__v")
    field_rule.status = RecordStatus.INACTIVE
    for record in (rule, field_rule):
        save_record(record=record, actor=build_admin_actor())


def test_a_required_field_rule_is_switched_off_after_a_warning_and_on_again_without_scripts(
    plain_page: Page, rule: IntegrationRule
) -> None:
    page = plain_page
    open_page(page, get_path(rule))
    page.get_by_role("button", name="Deactivate channel__v → Channel_vod__c").click()
    expect(page.get_by_text("fails with a user exception in every run, and")).to_be_visible()
    page.get_by_role("button", name="Deactivate all the same").click()
    expect(page.get_by_role("alert").get_by_text("Required rule inactive")).to_be_visible()

    page.get_by_role("button", name="Activate channel__v → Channel_vod__c", exact=True).click()
    expect(page.get_by_text("channel__v → Channel_vod__c is Active from the next run on.")).to_be_visible()
    expect(page.get_by_text("Required rule inactive")).to_have_count(0)


def test_a_filter_is_set_up_without_scripts(plain_page: Page, rule: IntegrationRule) -> None:
    page = plain_page
    StudyFactory.create(name="VX-9")
    open_page(page, get_path(rule))
    page.get_by_role("link", name="Edit filter").click()
    page.get_by_label("Field of another condition", exact=True).select_option("channel__v")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("Video").check()
    page.get_by_label("Field of another condition", exact=True).select_option("study__v")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("Study: operator").select_option("is_not")
    page.get_by_label("Study: record to add").fill("VX-9")
    page.get_by_label("Study: record to add").press("Enter")

    expect(page.get_by_text("The filter was saved: 0 of 0 records match now.")).to_be_visible()
    rows = page.locator(".vault-conditions li").all_inner_texts()
    assert [" ".join(row.split()) for row in rows] == [
        "Channel is Video",
        "Study is not VX-9 · Study VX-9",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_a_rule(page: Page, rule: IntegrationRule, scheme: str) -> None:
    fill_rule(rule)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_page(page, get_path(rule))
    found = {}
    for path in (get_path(rule), get_path(rule, "filter")):
        page.goto(path)
        found[path] = find_violations(page, within=".vault-stack, .vault-card")
    page.goto(get_path(rule))
    page.get_by_role("button", name="Deactivate channel__v").click()
    found["confirm"] = find_violations(page, within=".vault-card")
    assert [path for path, violations in found.items() if violations] == [], found


def test_nothing_is_wider_than_the_window_and_the_switches_are_in_sight(page: Page, rule: IntegrationRule) -> None:
    fill_rule(rule)
    open_page(page, get_path(rule))
    widest = {}
    for path in (get_path(rule, "filter"), get_path(rule)):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            widest[path, width] = page.evaluate("document.documentElement.scrollWidth")
            if path == get_path(rule):
                box = page.get_by_role("button", name="Deactivate channel__v").bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= width
    assert widest == {(path, width): width for path, width in widest}
