"""A CRA saves an activity and looks at its page, which says within seconds that the CRM has it, without being reloaded.

Worker, scheduler, Redis and PostgreSQL are real ones.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from connections.choices import Pace
from crm_sync.live import waking
from ctms.audit.services import save_record
from ctms.jobs import queue
from ctms.records.addresses import get_record_url
from tests.browser.accessibility import find_violations
from tests.browser.conftest import (  # noqa: F401  fixtures
    _database_beside_event_loop,
    base_url,
    browser_context_args,
    browser_type_launch_args,
    page,
    page_problems,
)
from tests.browser.sessions import enter_as
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.reliability.processes import Installation
from tests.reliability.simultaneous import hold

pytestmark = [pytest.mark.postgresql, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_a_cra_saves_is_in_the_crm_while_she_looks_at_it(
    installation: Installation,
    world: World,
    page: Page,  # noqa: F811  a fixture
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waking, "current_app", vars(queue)["current_app"])
    activity = ActivityFactory.create(subject="As it was")
    world.add_accounts([activity.person])
    world.transfer()
    world.connection.pace = Pace.AS_IT_HAPPENS
    save_record(record=world.connection, actor=build_admin_actor())
    profile = SecurityProfileFactory.create(
        permissions=["crm_activity__v:read", "crm_activity__v:edit", "person__sys:read", "study__v:read"],
        sees_all_studies=True,
    )
    UserFactory.create(username="cra", security_profile=profile)
    installation.start(workers=1, beats=1, queues="ticks,celery,transfers,live")

    enter_as(page, "cra")
    page.goto(f"{get_record_url(activity)}edit/")
    page.get_by_label("Subject").fill("Seen at once")
    places = page.get_by_role("list", name="Where this record is")
    # Until the page was looked at, the worker cannot write down that the CRM has it.
    with hold("LOCK TABLE crm_sync_transferlink IN SHARE MODE"):
        page.get_by_role("button", name="Save", exact=True).click()
        expect(places).to_contain_text("waiting for the transfer as it happens, within seconds")
        page.evaluate("window.wasNotReloaded = true")
        assert find_violations(page) == []
    expect(places).not_to_contain_text("waiting")
    assert page.evaluate("window.wasNotReloaded")
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Seen at once"]
    expect(places).not_to_have_attribute("data-moving", "")
    assert Activity.objects.get().subject == "Seen at once"
