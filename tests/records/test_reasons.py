"""Where an admin asks why a field is changed, no door lets a change through without the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import TokenScope, User
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.api_tokens import create_token
from ctms.audit.models import AuditEntry
from ctms.audit.reasons import ReasonRequiredError
from ctms.audit.services import delete_record, save_record, update_records
from ctms.clinical.models import StudySite
from ctms.configuration.models import ReasonRule
from ctms.configuration.registry import get_object, register_object
from ctms.configuration.snapshot import forget_configuration
from ctms.core.choices import RecordStatus
from ctms.records.access import open_object
from ctms.records.bulk.runner import perform_operation
from ctms.records.pages import actions
from ctms.records.pages.actions import RecordAction, register_action
from ctms.records.pages.timeline import read_timeline
from tests.admin_forms import fill, list_errors, list_focused, log_in_admin, read_form, submit
from tests.factories.base import build_admin_actor
from tests.factories.clinical import MonitoringEventParticipantFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def ask_for(of_object: str, field_name: str = "") -> None:
    save_record(record=ReasonRule(of_object=of_object, field_name=field_name), actor=build_admin_actor())


@pytest.fixture
def site() -> StudySite:
    ask_for("site__v", "city__v")
    return StudySiteFactory.create(city="Berlin")


@pytest.fixture
def user(client: Client) -> User:
    return log_in_admin(client)


def read(site: StudySite) -> tuple[str, str]:
    """Return the city as it is stored, and the reason of the last entry."""
    site.refresh_from_db()
    return site.city, AuditEntry.objects.filter(record_uid=site.uid).latest("id").reason


# -- The writer, for doors that nobody thought of -------------------------------------------------
def test_the_writer_refuses_a_change_without_a_reason(site: StudySite) -> None:
    site.city = "Bonn"
    with pytest.raises(ReasonRequiredError, match="say why City is changed"):
        save_record(record=site, actor=build_admin_actor())
    with pytest.raises(ReasonRequiredError):
        update_records(records=[site], actor=build_admin_actor())
    with pytest.raises(ReasonRequiredError):
        save_record(record=site, actor=build_admin_actor(), reason="  ")
    assert read(site) == ("Berlin", "")
    site.city = "Bonn"
    save_record(record=site, actor=build_admin_actor(), reason="Moved")
    assert read(site) == ("Bonn", "Moved")


def test_other_fields_and_new_records_need_none(site: StudySite) -> None:
    site.site_name = "Clinic"
    save_record(record=site, actor=build_admin_actor())
    StudySiteFactory.create(city="Hamburg")


def test_jobs_that_write_as_the_system_need_none(site: StudySite) -> None:
    site.city = "Bonn"
    save_record(record=site, actor=build_system_actor(source="job", reference="run 7"))
    assert read(site) == ("Bonn", "")


def test_a_rule_for_the_object_stands_for_every_field_and_the_deletion() -> None:
    ask_for("study__v")
    study = StudyFactory.create()
    study.sponsor = "Acme"
    with pytest.raises(ReasonRequiredError):
        save_record(record=study, actor=build_admin_actor())
    study.refresh_from_db()
    with pytest.raises(ReasonRequiredError):
        delete_record(record=study, actor=build_admin_actor())
    delete_record(record=study, actor=build_admin_actor(), reason="Entered twice")


def test_what_follows_the_name_of_a_renamed_record_is_not_asked_about() -> None:
    ask_for("study_country__v")
    site = StudySiteFactory.create()
    study = site.study
    study.name = "RENAMED"
    save_record(record=study, actor=build_admin_actor())


# -- The doors ------------------------------------------------------------------------------------
def test_the_form_asks(client: Client, user: User, site: StudySite) -> None:
    address = f"/records/site__v/{site.uid}/edit/"
    page = client.get(address)
    assert "Needed for City." in page.content.decode()
    typed = fill(read_form(page, form_id="record-form"), typed={"city__v": "Bonn"})
    refused = client.post(address, typed)
    assert (refused.status_code, read(site)) == (200, ("Berlin", ""))
    assert "say why City is changed.</p>" in refused.content.decode()
    assert list_focused(refused) == ["change_reason"]
    assert client.post(address, typed | {"change_reason": "Moved"}).status_code == 302
    assert read(site) == ("Bonn", "Moved")
    timeline = read_timeline(access=open_object(user=user, object_name="site__v"), record=site)
    assert timeline.entries[0].reason == "Moved"


def test_the_form_asks_why_a_child_record_is_removed(client: Client, user: User) -> None:
    ask_for("monitoring_event_participant__ctms")
    participant = MonitoringEventParticipantFactory.create()
    event = participant.monitoring_event
    address = f"/records/monitoring_event__ctms/{event.uid}/edit/"
    page = client.get(address)
    assert "Needed for Participants." in page.content.decode()
    typed = {**fill(read_form(page, form_id="record-form"), typed={}), "participants": []}
    assert "Reason for change: say why it is changed" in client.post(address, typed).content.decode()
    assert event.participants.count() == 1
    assert client.post(address, typed | {"change_reason": "Did not come"}).status_code == 302
    assert event.participants.count() == 0


def test_editing_in_place_asks(client: Client, user: User, site: StudySite) -> None:
    address = f"/records/site__v/{site.uid}/fields/city__v/"
    assert 'name="change_reason"' in client.get(address).content.decode()
    assert 'name="change_reason"' not in client.get(address.replace("city__v", "site_name__v")).content.decode()
    typed = {"city__v": "Bonn", "expected_version": str(site.version)}
    assert "say why City is changed" in client.post(address, typed).content.decode()
    assert client.post(address, typed | {"change_reason": "Moved"}).status_code == 302
    assert read(site) == ("Bonn", "Moved")


def test_activating_asks_on_a_page_of_its_own(client: Client, user: User) -> None:
    ask_for("site__v", "status__v")
    site = StudySiteFactory.create()
    typed = {"status": "inactive__v", "expected_version": str(site.version)}
    asked = client.post(f"/records/site__v/{site.uid}/status/", typed)
    assert (asked.status_code, "Needed for Status." in asked.content.decode()) == (200, True)
    assert list_focused(asked) == ["change_reason"]
    site.refresh_from_db()
    assert site.status == RecordStatus.ACTIVE
    again = fill(read_form(asked, form_id="reason-form"), typed={"change_reason": "Closed"})
    assert client.post(f"/records/site__v/{site.uid}/status/", again).status_code == 302
    site.refresh_from_db()
    assert (site.status, read(site)[1]) == (RecordStatus.INACTIVE, "Closed")


def test_what_was_changed_while_the_reason_was_typed_is_not_overwritten(client: Client, user: User) -> None:
    ask_for("site__v", "status__v")
    site = StudySiteFactory.create()
    address = f"/records/site__v/{site.uid}/status/"
    asked = client.post(address, {"status": "inactive__v", "expected_version": str(site.version)})
    site.site_name = "Clinic"
    save_record(record=site, actor=build_admin_actor())
    client.post(address, fill(read_form(asked, form_id="reason-form"), typed={"change_reason": "Closed"}))
    site.refresh_from_db()
    assert site.status == RecordStatus.ACTIVE


def test_an_action_of_the_object_asks(client: Client, user: User, site: StudySite) -> None:
    def move(record: Any, actor: Actor) -> str:
        record.city = "Bonn"
        save_record(record=record, actor=actor)
        return "Moved."

    vault_object = get_object("site__v")
    register_object(replace(vault_object, actions={"move__c": "Move to Bonn"}))
    forget_configuration()
    try:
        with patch.dict(actions._actions):
            register_action(RecordAction(object_name="site__v", api_name="move__c", run=move))
            address = f"/records/site__v/{site.uid}/actions/move__c/"
            asked = client.post(address)
            assert (asked.status_code, "Needed for City." in asked.content.decode()) == (200, True)
            assert read(site) == ("Berlin", "")
            again = fill(read_form(asked, form_id="reason-form"), typed={"change_reason": "Moved"})
            assert client.post(address, again).status_code == 302
    finally:
        register_object(vault_object)
        forget_configuration()
    assert read(site) == ("Bonn", "Moved")


def test_a_bulk_edit_asks(client: Client, user: User, site: StudySite) -> None:
    address = reverse("record_bulk", args=("site__v",))
    typed = {"uids": str(site.uid), "step": "preview", "change": "city__v", "city__v": "Bonn"}
    asked = client.post(address, typed)
    assert "Say why City is changed." in asked.content.decode()
    assert list_focused(asked) == ["change_reason"]
    assert list_focused(client.post(address, typed | {"city__v": ""})) == ["city__v"]
    answer = client.post(address, typed | {"change_reason": "Moved"}, follow=True)
    operation = answer.context["operation"]
    client.post(reverse("record_bulk_preview", args=("site__v", operation.uid)))
    perform(operation)
    assert read(site) == ("Bonn", "Moved")


def test_an_import_asks(client: Client, user: User, site: StudySite) -> None:
    def upload(**more: str) -> Any:
        file = SimpleUploadedFile("sites.csv", f"uid__sys,city__v\n{site.uid},Bonn\n".encode())
        typed = {"file": file, "key": "uid__sys", "update_existing": "on", **more}
        return client.post(reverse("record_import", args=("site__v",)), typed, follow=True)

    asked = upload()
    assert "Say why City is changed in records that exist already." in asked.content.decode()
    assert list_focused(asked) == ["change_reason"]
    operation = upload(change_reason="Moved").context["operation"]
    client.post(reverse("record_import_preview", args=("site__v", operation.uid)))
    perform(operation)
    assert read(site) == ("Bonn", "Moved")


def perform(operation: Any) -> None:
    operation.refresh_from_db()
    perform_operation(operation)
    operation.refresh_from_db()
    assert operation.state == "done", operation.message


def test_the_api_asks_in_a_header(site: StudySite) -> None:
    actor = build_admin_actor()
    actor.user.is_active = True
    actor.user.save()
    _, token = create_token(name="program", days=1, actor=actor, scope=TokenScope.WRITE)
    address = f"/api/v1/site__v/{site.uid}/"

    def patch(**headers: str) -> Any:
        return Client().patch(
            address,
            {"city__v": "Köln"},
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}", "If-Match": "*", **headers},
        )

    refused = patch()
    assert refused.status_code == 400
    assert "X-Change-Reason" in refused.content.decode()
    assert patch(**{"X-Change-Reason": quote("Umgezogen nach Köln")}).status_code == 200
    assert read(site) == ("Köln", "Umgezogen nach Köln")


def test_the_deletion_page_asks(client: Client, user: User) -> None:
    ask_for("site__v")
    site = StudySiteFactory.create()
    address = f"/records/site__v/{site.uid}/delete/"
    assert "It is needed" in client.get(address).content.decode()
    typed = {"expected_version": str(site.version)}
    assert "Reason for change" in client.post(address, typed).content.decode()
    assert client.post(address, typed | {"reason": "Entered twice"}).status_code == 302


def test_the_console_asks(client: Client, user: User) -> None:
    ask_for("study__v", "sponsor__v")
    study = StudyFactory.create()
    url = reverse("admin:clinical_study_change", args=(study.pk,))
    refused = submit(client, url, form_id="study_form", sponsor="Acme")
    assert "say why Sponsor is changed" in list_errors(refused)["__all__"][0]
    assert submit(client, url, form_id="study_form", sponsor="Acme", change_reason="Sold").status_code == 302
    study.refresh_from_db()
    assert study.sponsor == "Acme"


# -- The rules ------------------------------------------------------------------------------------
def test_an_admin_adds_and_deletes_a_rule(client: Client, user: User) -> None:
    add = reverse("admin:configuration_reasonrule_add")
    assert submit(client, add, form_id="reasonrule_form", what="site__v.city__v").status_code == 302
    rule = ReasonRule.objects.get()
    assert (rule.of_object, rule.field_name) == ("site__v", "city__v")
    again = submit(client, add, form_id="reasonrule_form", what="site__v.city__v")
    assert "asked for already" in str(list_errors(again))
    assert "City" in client.get(reverse("admin:configuration_reasonrule_changelist")).content.decode()


def test_one_rule_a_field() -> None:
    ask_for("site__v", "city__v")
    with pytest.raises(ValidationError):
        ask_for("site__v", "city__v")


def test_the_reason_of_the_request_is_that_of_the_actor() -> None:
    actor = Actor(user=build_admin_actor().user, source="page", reason="Moved")
    site = StudySiteFactory.create()
    site.city = "Bonn"
    save_record(record=site, actor=actor)
    assert read(site) == ("Bonn", "Moved")
