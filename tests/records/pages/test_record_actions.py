"""The actions of a record page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Study
from ctms.configuration.models import ReasonRule
from ctms.configuration.registry import get_object, register_object
from ctms.configuration.services.object_types import assign_action
from ctms.configuration.snapshot import forget_configuration
from ctms.core.choices import RecordStatus
from ctms.records.pages import actions
from ctms.records.pages.actions import RecordAction, register_action
from tests.admin_forms import fill, read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.pages.record_page_steps import (
    SITES,
    get_address,
    list_related,
    log_in,
    open_page,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, is_staff=True)
    client.force_login(user)
    return user


# -- The Actions menu -----------------------------------------------------------------------------
def test_all_that_the_profile_allows_is_offered(client: Client) -> None:
    site = StudySiteFactory.create()
    log_in(client, *SITES)
    menu = open_page(client, site).menu
    assert [menu.edit_url, menu.clone_url, menu.status_url, menu.delete_url] == [
        get_address(site, step) for step in ("edit", "clone", "status", "delete")
    ]
    log_in(client, "site__v:read")
    menu = open_page(client, site).menu
    assert [menu.edit_url, menu.clone_url, menu.status_url, menu.delete_url, menu.own] == ["", "", "", "", []]


def test_a_medical_activity_says_where_it_comes_from_and_offers_nothing(client: Client, admin: User) -> None:
    activity = MedicalActivityFactory.create()
    content = client.get(get_address(activity)).content.decode()
    page = open_page(client, activity)
    assert (page.type_label, page.origin) == ("Medical Activity", "the Medical CRM")
    assert "This Medical Activity comes from the Medical CRM." in content
    assert ("fact-edit" in content, page.menu.edit_url, page.menu.status_url, page.menu.delete_url) == (
        False,
        "",
        "",
        "",
    )


def test_deactivating_and_activating_is_written_with_an_audit_entry(client: Client) -> None:
    site = StudySiteFactory.create()
    log_in(client, *SITES)
    for status, word, version in (("inactive__v", "Inactive", 1), ("active__v", "Active", 2)):
        response = client.post(get_address(site, "status"), {"status": status, "expected_version": version})
        assert (response.status_code, response.headers["Location"]) == (302, get_address(site))
        told = [str(each) for each in get_messages(response.wsgi_request)][-1]
        assert told.startswith(f"{site} is {word} now. <button")
        site.refresh_from_db()
        assert (site.status, site.version) == (status, version + 1)
    latest = AuditEntry.objects.filter(record_uid=site.uid).first()
    assert latest is not None
    assert latest.changes == {"status": ["inactive__v", "active__v"]}


def test_a_status_is_not_changed_over_somebody_elses_change(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    response = client.post(get_address(site, "status"), {"status": "inactive__v", "expected_version": 7}, follow=True)
    assert "after you opened it (version 1, yours is 7)" in response.content.decode()
    site.refresh_from_db()
    assert site.status == RecordStatus.ACTIVE


@pytest.mark.parametrize("data", [{"status": "asleep__v", "expected_version": 1}, {"status": "inactive__v"}, {}])
def test_a_request_that_no_page_makes_is_refused(client: Client, admin: User, data: dict[str, Any]) -> None:
    site = StudySiteFactory.create()
    assert client.post(get_address(site, "status"), data).status_code == 400
    site.refresh_from_db()
    assert site.version == 1


def test_a_status_is_refused_to_those_who_may_not_change_the_record(client: Client, admin: User) -> None:
    medical = MedicalActivityFactory.create()
    response = client.post(get_address(medical, "status"), {"status": "inactive__v", "expected_version": 1})
    assert response.status_code == 403
    assert "comes from the Medical CRM" in response.content.decode()


# -- An object's own actions ----------------------------------------------------------------------
@pytest.fixture
def with_action() -> Iterator[None]:
    """Register two actions: sites can be moved to Bonn, once; persons can be praised, if an admin assigned it."""
    site, person = get_object("site__v"), get_object("person__sys")
    register_object(replace(site, actions={"move_to_bonn__c": "Move to Bonn"}))
    register_object(replace(person, actions={"praise__c": "Praise"}))

    def move(record: Any, actor: Actor) -> str:

        record.city = "Bonn"
        save_record(record=record, actor=actor)
        return f"{record} is in Bonn now."

    with patch.dict(actions._actions):
        register_action(
            RecordAction(
                object_name="site__v",
                api_name="move_to_bonn__c",
                run=move,
                explain=lambda record, _user: f"{record} is in Bonn already." if record.city == "Bonn" else "",
            )
        )
        register_action(RecordAction(object_name="person__sys", api_name="praise__c", run=lambda *_: "Praised."))
        forget_configuration()
        yield
    register_object(site)
    register_object(person)
    forget_configuration()


def test_an_objects_own_action_is_done_and_then_no_longer_offered(
    client: Client, admin: User, with_action: None
) -> None:
    site = StudySiteFactory.create(city="Berlin")
    [offered] = open_page(client, site).menu.own
    assert (offered.label, offered.url) == ("Move to Bonn", get_address(site, "actions", "move_to_bonn__c"))
    response = client.post(offered.url)
    (message,) = get_messages(response.wsgi_request)
    assert str(message).startswith(f"{site} is in Bonn now. <button")
    assert open_page(client, site).menu.own == []
    refused = client.post(offered.url)
    assert (refused.status_code, f"{site} is in Bonn already." in refused.content.decode()) == (403, True)


def test_an_action_is_offered_on_the_types_to_which_it_is_assigned(
    client: Client, admin: User, with_action: None
) -> None:
    person = InvestigatorFactory.create()
    address = get_address(person, "actions", "praise__c")
    assert (open_page(client, person).menu.own, client.post(address).status_code) == ([], 403)
    assign_action(
        object_name="person__sys",
        object_type=person.object_type,
        action_name="praise__c",
        actor=build_admin_actor(),
    )
    assert [each.label for each in open_page(client, person).menu.own] == ["Praise"]
    assert client.post(address).status_code == 302


def test_an_action_leads_back_to_the_list_that_it_was_done_in(client: Client, admin: User, with_action: None) -> None:
    site = StudySiteFactory.create(city="Graz")
    moved = client.post(get_address(site, "actions", "move_to_bonn__c"), {"query": f"size=50&peek={site.uid}"})
    assert moved.headers["Location"] == f"/records/site__v/?size=50&peek={site.uid}"
    closed = client.post(
        get_address(site, "status"), {"status": "inactive__v", "expected_version": "2", "query": "size=50"}
    )
    assert closed.headers["Location"] == "/records/site__v/?size=50"


def test_the_page_that_asks_for_a_reason_leads_back_to_the_list_too(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    save_record(record=ReasonRule(of_object="site__v", field_name="status__v"), actor=build_admin_actor())
    sent = {"status": "inactive__v", "expected_version": "1", "query": "size=50"}
    page = client.post(get_address(site, "status"), sent)
    typed = fill(read_form(page, form_id="reason-form"), typed={"change_reason": "Closed early"})
    assert client.post(get_address(site, "status"), typed).headers["Location"] == "/records/site__v/?size=50"


def test_what_asks_for_a_value_is_offered_too_while_it_applies(client: Client, admin: User) -> None:
    activity = ActivityFactory.create(complete=False)
    offered = {each.label: each.url for each in open_page(client, activity).menu.quick}
    assert offered["Reschedule"] == get_address(activity, "fields", "date__v")
    assert "Complete" in offered
    assert open_page(client, ActivityFactory.create(complete=True)).menu.quick == []


def test_an_action_of_no_object_does_not_exist(client: Client, admin: User) -> None:
    assert client.post(get_address(StudyFactory.create(), "actions", "move_to_bonn__c")).status_code == 404


def test_actions_are_for_those_who_may_change_the_record(client: Client, with_action: None) -> None:
    site = StudySiteFactory.create()
    log_in(client, "site__v:read")
    assert open_page(client, site).menu.own == []
    assert client.post(get_address(site, "actions", "move_to_bonn__c")).status_code == 403


def test_a_country_of_another_study_is_not_shown(client: Client) -> None:
    user = log_in(client, "study__v:read", "study_country__v:read", sees_all=False)
    study: Study = StudyAssignmentFactory.create(user=user).study
    StudyCountryFactory.create(study=study)
    StudyCountryFactory.create()
    assert list_related(open_page(client, study))["Study Countries"].count == "1"
