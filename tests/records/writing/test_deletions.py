"""Deletion: the confirmation shows what is deleted along and what prevents it; refusals say why."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.bookmarks import list_deleted_uids, read_bookmark
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, Study
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def get_address(record: Any) -> str:
    return f"/records/{record.object_name}/{record.uid}/delete/"


def delete(client: Client, record: Any, **data: Any) -> Any:
    """Post the deletion as the page does."""
    shown = client.get(get_address(record))
    digest = shown.context["parts_digest"] if shown.status_code == 200 else ""
    return client.post(get_address(record), {"expected_version": record.version, "expected_parts": digest, **data})


def list_shown(response: Any, which: str) -> list[tuple[str, int, list[str]]]:
    return [(each.label, each.count, [link.url for link in each.links]) for each in response.context[which]]


@pytest.mark.parametrize("object_name", OBJECTS)
def test_every_object_asks_before_it_deletes(client: Client, object_name: str) -> None:
    record = create_record(object_name)
    response = client.get(get_address(record))
    assert (response.status_code, type(record).objects.filter(pk=record.pk).exists()) == (200, True)


def test_a_deletion_leads_back_to_the_list_and_stays_in_the_audit_trail(client: Client) -> None:
    study = StudyFactory.create()
    response = delete(client, study, reason="  Entered twice ")
    assert (response.status_code, response.headers["Location"]) == (302, "/records/study__v/")
    (message,) = get_messages(response.wsgi_request)
    assert str(message).startswith(f"Study {study} was deleted. <button")
    entry = AuditEntry.objects.get(record_uid=study.uid, action=AuditAction.DELETED)
    assert (entry.reason, entry.changes["name"]) == ("Entered twice", [study.name, None])


def test_a_deletion_reaches_the_crm(client: Client) -> None:
    """The transfer reads these uids and marks their records as deleted in the CRM."""
    activity, _ = ActivityFactory.create_batch(2)
    bookmark = read_bookmark()
    delete(client, activity)
    assert list_deleted_uids(object_name="crm_activity__v", since=bookmark) == [activity.uid]


def test_what_goes_along_is_counted_and_goes(client: Client) -> None:
    event = MonitoringEventFactory.create()
    MonitoringEventParticipantFactory.create_batch(2, monitoring_event=event)
    response = client.get(get_address(event))
    assert list_shown(response, "going_along") == [
        (
            "Monitoring Event Participants",
            2,
            [f"/records/monitoring_event_participant__ctms/?monitoring_event__v={event.uid}"],
        )
    ]
    assert "Delete monitoring event and 2 other records</button>" in response.content.decode()
    delete(client, event)
    assert (MonitoringEvent.objects.count(), MonitoringEventParticipant.objects.count()) == (0, 0)
    assert AuditEntry.objects.filter(action=AuditAction.DELETED).count() == 3


def test_what_came_after_the_page_was_shown_is_asked_about_again(client: Client) -> None:
    event = MonitoringEventFactory.create()
    MonitoringEventParticipantFactory.create(monitoring_event=event)
    shown = client.get(get_address(event)).context["parts_digest"]
    MonitoringEventParticipantFactory.create(monitoring_event=event)
    for digest in (shown, ""):
        response = delete(client, event, expected_parts=digest, reason="Never held")
        content = response.content.decode()
        assert (response.status_code, "is not what you were shown" in content, 'value="Never held"' in content) == (
            200,
            True,
            True,
        )
        assert list_shown(response, "going_along")[0][1] == 2
    assert MonitoringEventParticipant.objects.count() == 2
    assert delete(client, event).status_code == 302


def test_parts_go_along_only_if_the_profile_allows_it(client: Client) -> None:
    event = MonitoringEventParticipantFactory.create().monitoring_event
    permissions = ["monitoring_event__ctms:read", "monitoring_event__ctms:delete"]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    for response in (client.get(get_address(event)), delete(client, event)):
        assert response.status_code == 403
        assert (
            "Monitoring Event Participants go with the monitoring event. Your security profile does not allow you to "
            "delete monitoring event participant records." in response.content.decode()
        )
    assert MonitoringEventParticipant.objects.count() == 1


def log_in_member(client: Client, *, study: Study, permissions: list[str]) -> None:
    """Log a user in who sees one study."""
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=False)
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    client.force_login(user)


def read_refusals(client: Client, person: Person) -> list[str]:
    """Return what each door says about the deletion of a person whom other records name, without drawn values."""
    shown, posted = client.get(get_address(person)), delete(client, person)
    api = client.delete(f"/api/v1/person__sys/{person.uid}/", headers={"If-Match": f'"{person.version}"'})
    assert (shown.status_code, posted.status_code, api.status_code) == (200, 200, 409)
    return [
        re.sub(r'(csrfmiddlewaretoken" value="|nonce="|X-CSRFToken": "|request_id": ")[^"]+', "", each.content.decode())
        for each in (shown, posted, api)
    ]


@pytest.mark.usefixtures("stopped_clock")  # pages say as of which minute they are
def test_a_refusal_is_the_same_whether_or_not_hidden_records_refer_to_the_record(client: Client) -> None:
    person = PersonFactory.create()
    mentor = CustomField(
        of_object="study__v", label="Mentor", api_name="mentor__c", kind="reference", reference_object="person__sys"
    )
    save_record(record=mentor, actor=build_admin_actor())
    own = StudyPersonFactory.create(person=person)
    rights = ["person__sys:read", "person__sys:delete", "study_person__clin:read", "study__v:read"]
    log_in_member(client, study=own.study, permissions=rights)
    alone = read_refusals(client, person)
    StudyPersonFactory.create(person=person)
    ActivityFactory.create(person=person)
    StudyFactory.create(custom_fields={"mentor__c": str(person.uid)})
    assert read_refusals(client, person) == alone
    assert [("Records that you do not see may refer to it, too." in text) for text in alone] == [True] * 3
    assert "it is referred to by 1 study person. Delete" in alone[2]


def test_who_sees_nothing_that_refers_to_a_record_is_told_that_alone(client: Client) -> None:
    person = StudyPersonFactory.create().person
    own = StudyPersonFactory.create(person=person)
    # Who may read the person because they share a study, but not the roles in it.
    log_in_member(client, study=own.study, permissions=["person__sys:read", "person__sys:delete"])
    for text in read_refusals(client, person):
        assert "records that you do not see refer to it" in text
        assert "study pe" not in text.lower()


def test_what_keeps_a_record_is_shown_with_the_lists_to_see_it_in(client: Client) -> None:
    person = InvestigatorFactory.create()
    site = StudySiteFactory.create(principal_investigator=person)
    ActivityFactory.create_batch(2, person=person, site=site)
    response = client.get(get_address(person))
    assert (response.context["is_possible"], list_shown(response, "protecting")) == (
        False,
        [
            ("Activities", 2, [f"/records/crm_activity__v/?person__v={person.uid}"]),
            ("Study Sites", 1, [f"/records/site__v/?principal_investigator__v={person.uid}"]),
        ],
    )
    assert '<button class="button danger"' not in response.content.decode()


def test_a_person_whom_a_custom_field_names_is_kept(client: Client) -> None:
    mentor = CustomField(
        of_object="study__v", label="Mentor", api_name="mentor__c", kind="reference", reference_object="person__sys"
    )
    save_record(record=mentor, actor=build_admin_actor())
    person = PersonFactory.create()
    study = StudyFactory.create(custom_fields={"mentor__c": str(person.uid)})
    response = client.get(get_address(person))
    assert (response.context["is_possible"], list_shown(response, "protecting")) == (
        False,
        [("Studies", 1, [f"/records/study__v/?mentor__c={person.uid}"])],
    )
    refused = client.delete(f"/api/v1/person__sys/{person.uid}/", headers={"If-Match": f'"{person.version}"'})
    assert (refused.status_code, Person.objects.filter(pk=person.pk).exists()) == (409, True)
    assert refused.json()["detail"].endswith("it is referred to by 1 study. Delete or change those first.")

    mentor.status = RecordStatus.INACTIVE
    save_record(record=mentor, actor=build_admin_actor())
    inactive = client.get(get_address(person))
    assert (inactive.context["is_possible"], list_shown(inactive, "protecting")) == (False, [("Studies", 1, [])])

    study.custom_fields = {}
    save_record(record=study, actor=build_admin_actor())
    delete(client, person)
    assert not Person.objects.filter(pk=person.pk).exists()


def test_what_the_user_may_not_read_is_neither_counted_nor_named(client: Client) -> None:
    person = StudyPersonFactory.create().person
    profile = SecurityProfileFactory.create(
        permissions=["person__sys:read", "person__sys:delete"], sees_all_studies=True
    )
    client.force_login(UserFactory.create(security_profile=profile))
    response = client.get(get_address(person))
    assert list_shown(response, "protecting") == []
    assert "records that you do not see refer to it" in response.content.decode()


def test_a_record_that_others_refer_to_stays(client: Client) -> None:
    person = PersonFactory.create()
    ActivityFactory.create(person=person)
    response = delete(client, person)
    assert response.status_code == 200
    assert f"{person} cannot be deleted: it is referred to by 1 activity." in response.content.decode()
    assert Person.objects.filter(pk=person.pk).exists()


def test_who_sees_a_study_does_not_keep_it(client: Client) -> None:
    study = StudyAssignmentFactory.create().study
    response = client.get(get_address(study))
    assert list_shown(response, "going_along") == [("Study Assignments", 1, [])]
    delete(client, study)
    assert Study.objects.filter(pk=study.pk).exists() is False


def test_what_changed_since_the_user_was_asked_is_not_deleted(client: Client) -> None:
    study = StudyFactory.create()
    study.sponsor = "Acme"
    save_record(record=study, actor=build_admin_actor())
    response = client.post(get_address(study), {"expected_version": 1, "reason": "Entered twice"})
    content = response.content.decode()
    assert (response.status_code, Study.objects.filter(pk=study.pk).exists()) == (200, True)
    assert [text in content for text in ("after you opened it", 'value="Entered twice"', 'value="2"')] == [True] * 3


def test_a_deletion_that_no_page_asked_for_is_refused(client: Client) -> None:
    study = StudyFactory.create()
    assert (client.post(get_address(study)).status_code, Study.objects.filter(pk=study.pk).exists()) == (400, True)


def test_medical_activities_and_profiles_without_the_permission_are_refused_with_the_reason(client: Client) -> None:
    medical, study = MedicalActivityFactory.create(), StudyFactory.create()
    for response in (client.get(get_address(medical)), delete(client, medical)):
        assert (response.status_code, "comes from the Medical CRM" in response.content.decode()) == (403, True)
    profile = SecurityProfileFactory.create(permissions=["study__v:read", "study__v:edit"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    for response in (client.get(get_address(study)), delete(client, study)):
        assert (response.status_code, "does not allow you to delete study records" in response.content.decode()) == (
            403,
            True,
        )


def test_a_record_is_deleted_once(client: Client) -> None:
    study = StudyFactory.create()
    assert [delete(client, study).status_code for _ in range(2)] == [302, 404]


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("\x00", "Reason: Null characters are not allowed."),
        ("x" * 501, "Reason: Ensure this value has at most 500 characters (it has 501)."),
    ],
)
def test_a_reason_that_cannot_be_kept_is_asked_for_again(client: Client, reason: str, problem: str) -> None:
    study = StudyFactory.create()
    response = delete(client, study, reason=reason)
    assert (response.status_code, response.context["problem"], Study.objects.count()) == (200, problem, 1)
