"""Edits of a single field in place on the record page."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils.html import escape, strip_tags

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.core.models import SAME_NUMBERS
from ctms.records.pages.views import inline_edit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, first_name="Carla", last_name="Craig")
    client.force_login(user)
    return user


def get_page(record: Any) -> str:
    return f"/records/{record.object_name}/{record.uid}/"


def get_address(record: Any, field: str) -> str:
    return f"{get_page(record)}fields/{field}/"


def save(client: Client, record: Any, field: str, value: Any, *, version: int | None = None, htmx: bool = True) -> Any:
    data = {field: value, "expected_version": record.version if version is None else version}
    return client.post(get_address(record, field), data, headers=HTMX if htmx else {})


def read_errors(response: Any) -> list[str]:
    form = response.context["form"]
    return [text for texts in form.errors.values() for text in texts]


def list_told(response: Any) -> list[str]:
    return [strip_tags(str(each)) for each in get_messages(response.wsgi_request)]


# -- Opening --------------------------------------------------------------------------------------
def test_a_field_opens_with_its_value_as_a_part_of_the_page_or_as_a_page(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    part, whole = (client.get(get_address(site, "city__v"), headers=headers) for headers in (HTMX, {}))
    assert ("<html" in part.content.decode(), "<html" in whole.content.decode()) == (False, True)
    for answer in (part, whole):
        content = answer.content.decode()
        assert ('value="Berlin"' in content, 'name="expected_version" value="1"' in content) == (True, True)
        assert answer.headers["Vary"] == "HX-Request, Cookie"


def test_a_field_closes_as_it_is_stored(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    address = f"{get_address(site, 'city__v')}?shown"
    content = client.get(address, headers=HTMX).content.decode()
    assert ("Berlin" in content, "<form" in content, "<html" in content) == (True, False, False)
    assert client.get(address).headers["Location"] == f"{get_page(site)}#field-city__v"


@pytest.mark.parametrize("field", ["no_such_field__v", "uid__sys"])
def test_what_is_no_field_or_not_on_the_page_is_not_found(client: Client, field: str) -> None:
    assert client.get(f"{get_address(StudyFactory.create(), field)}?shown", headers=HTMX).status_code == 404


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("created_by__v", "is filled by the Vault and cannot be set."),
        ("name__v", "is filled by the Vault and cannot be set."),
        ("object_type__v", "is filled by the Vault and cannot be set."),
        ("activity_update_required__v", "is not a field of Interim Monitoring Visit."),
    ],
)
def test_what_nobody_sets_is_refused_with_the_reason(client: Client, field: str, reason: str) -> None:
    event = MonitoringEventFactory.create()
    for response in (client.get(get_address(event, field)), save(client, event, field, "x")):
        assert (response.status_code, reason in response.content.decode()) == (403, True)
    event.refresh_from_db()
    assert event.version == 1


def test_medical_activities_and_profiles_are_asked_again_when_it_is_saved(client: Client) -> None:
    medical, clinical = MedicalActivityFactory.create(), ActivityFactory.create(subject="Before")
    assert client.get(get_address(medical, "subject__v")).status_code == 403
    assert save(client, medical, "subject__v", "x").status_code == 403
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    assert save(client, clinical, "subject__v", "x").status_code == 403
    clinical.refresh_from_db()
    assert clinical.subject == "Before"


# -- Saving ---------------------------------------------------------------------------------------
def test_saving_draws_what_changed_anew(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    response = save(client, site, "city__v", "Bonn")
    content = response.content.decode()
    site.refresh_from_db()
    assert (site.city, site.version) == ("Bonn", 2)
    assert json.loads(response.headers["HX-Trigger"]) == {"record:saved": {"was": 1, "is": 2}}
    parts = ("record-marks", "record-actions", "record-notices", "record-timeline", "field-name__v", "record-status")
    for part in (f'id="{name}"' for name in parts):
        assert content.count(part) == 1, part
    [own] = [line for line in content.split("<div") if 'id="field-city__v"' in line]
    assert "hx-swap-oob" not in own
    assert "City was saved." in content


def test_the_title_and_the_caption_are_edited_where_they_stand(client: Client) -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité")
    for name, label in (("name__v", "Site number"), ("site_name__v", "Site name")):
        form = client.get(get_address(site, name), headers={"HX-Request": "true"}).content.decode()
        assert f'id="field-{name}"' in form
        assert f"{label}</label>" in form
        assert "<dt>" not in form  # they stand in no list of definitions
    content = save(client, site, "name__v", "0143").content.decode()
    assert "<h1>0143</h1>" in content
    assert content.count('id="field-name__v"') == 1
    cancelled = client.get(f"{get_address(site, 'name__v')}?shown", headers={"HX-Request": "true"}).content.decode()
    assert "<h1>0143</h1>" in cancelled


def test_other_open_fields_go_on_from_the_users_own_version(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    activity = ActivityFactory.create(subject="Before", notes="Before")
    read_record, reads = inline_edit._read_record, []

    def read_after_another_save(**options: Any) -> Any:
        reads.append(options)
        if len(reads) == 2:  # when the page is loaded again
            theirs = Activity.objects.get()
            theirs.notes = "Theirs"
            save_record(record=theirs, actor=build_admin_actor())
        return read_record(**options)

    monkeypatch.setattr(inline_edit, "_read_record", read_after_another_save)
    response = save(client, activity, "subject__v", "Mine")
    assert json.loads(response.headers["HX-Trigger"]) == {"record:saved": {"was": 1, "is": 2}}
    assert Activity.objects.get().version == 3


def test_what_a_choice_fills_is_drawn_anew_too(client: Client) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create()
    content = save(client, activity, "site__v", str(site.uid)).content.decode()
    activity.refresh_from_db()
    assert (activity.site, activity.study) == (site, site.study)
    assert f">{site.study.name}</a>" in content


@pytest.mark.parametrize("htmx", [True, False])
def test_who_does_not_see_the_record_any_more_is_led_to_the_list(client: Client, *, htmx: bool) -> None:
    activity = ActivityFactory.create(study=StudyFactory.create())
    profile = SecurityProfileFactory.create(
        permissions=["crm_activity__v:read", "crm_activity__v:edit", "study__v:read"], sees_all_studies=False
    )
    member = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=member, study=activity.study)
    client.force_login(member)
    response = save(client, activity, "study__v", "", htmx=htmx)
    assert response.headers["HX-Redirect" if htmx else "Location"].startswith("/records/crm_activity__v/")
    assert list_told(response) == [f"Study of {activity} was saved. Undo"]
    assert client.get(get_page(activity)).status_code == 404


def test_without_javascript_saving_leads_back_to_the_field(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    response = save(client, site, "city__v", "Bonn", htmx=False)
    assert (response.status_code, response.headers["Location"]) == (302, f"{get_page(site)}#field-city__v")
    assert list_told(response) == [f"City of {site} was saved. Undo"]


def test_every_kind_of_field_is_saved(client: Client) -> None:
    for label, kind in (("Score", "number"), ("Seen", "datetime"), ("Buddy", "reference")):
        create_custom_field(
            field=CustomField(of_object="crm_activity__v", label=label, kind=kind),
            actor=build_admin_actor(),
            add_to_layouts=True,
        )
    activity, person = ActivityFactory.create(), PersonFactory.create()
    for field, typed in {
        "date__v": "2026-05-06",
        "channel__v": "video__v",
        "complete__v": "on",
        "subject__v": "New",
        "notes__v": "One\nTwo",
        "person__v": str(person.uid),
        "status__v": "inactive__v",
        "score__c": "4.5",
        "seen__c": "2026-05-06T07:08",
        "buddy__c": str(person.uid),
    }.items():
        activity.refresh_from_db()
        assert save(client, activity, field, typed).context["saved"].api_name == field
    activity.refresh_from_db()
    assert (activity.date, activity.channel, activity.complete) == (dt.date(2026, 5, 6), Channel.VIDEO, True)
    assert (activity.subject, activity.notes, activity.person) == ("New", "One\nTwo", person)
    assert (activity.status, activity.version) == (RecordStatus.INACTIVE, 11)
    assert activity.custom_fields == {
        "score__c": 4.5,
        "seen__c": "2026-05-06T07:08:00+00:00",
        "buddy__c": str(person.uid),
    }


def test_an_unticked_box_is_no(client: Client) -> None:
    activity = ActivityFactory.create(complete=True)
    client.post(get_address(activity, "complete__v"), {"expected_version": 1}, headers=HTMX)
    activity.refresh_from_db()
    assert activity.complete is False


def test_saving_the_same_writes_nothing(client: Client) -> None:
    inactive = InvestigatorFactory.create()
    site = StudySiteFactory.create(city="Berlin", principal_investigator=inactive)
    inactive.status = RecordStatus.INACTIVE
    save_record(record=inactive, actor=build_admin_actor())
    assert "saved" in save(client, site, "city__v", "Berlin").context
    assert "saved" in save(client, site, "principal_investigator__v", str(inactive.uid)).context
    site.refresh_from_db()
    assert site.version == 1


# -- Refusals -------------------------------------------------------------------------------------
def test_errors_stand_beside_the_field_with_what_was_typed(client: Client) -> None:
    activity = ActivityFactory.create()
    response = save(client, activity, "date__v", "31 February")
    assert (response.status_code, read_errors(response)) == (
        200,
        ["This is no date. Write it as 2026-03-31 or 31 Mar 2026."],
    )
    content = response.content.decode()
    assert ('value="31 February"' in content, 'aria-invalid="true"' in content) == (True, True)
    assert save(client, activity, "date__v", "31 February", htmx=False).status_code == 200


def test_what_the_object_itself_refuses_stands_there_too(client: Client) -> None:
    study, taken = StudyFactory.create(), StudyFactory.create()
    response = save(client, study, "name__v", taken.name)
    assert read_errors(response) == [f"A study of this number exists. {SAME_NUMBERS}"]
    study.refresh_from_db()
    assert (study.version, taken.name in response.content.decode()) == (1, True)


def test_a_reference_that_does_not_fit_the_others_is_refused(client: Client) -> None:
    site, foreign = StudySiteFactory.create_batch(2)
    activity = ActivityFactory.create(site=site)
    [error] = read_errors(save(client, activity, "site__v", str(foreign.uid)))
    assert "does not fit here" in error
    content = client.get(get_address(activity, "site__v"), headers=HTMX).content.decode()
    assert escape(
        f"/lookup/site__v/?study_country__v={site.study_country.uid}&study__v={site.study.uid}"
    ) in content or (
        escape(f"/lookup/site__v/?study__v={site.study.uid}&study_country__v={site.study_country.uid}") in content
    )


def test_an_error_of_another_field_names_it(client: Client) -> None:
    country = StudyCountryFactory.create()
    site, study = StudySiteFactory.create(study_country=country), StudyFactory.create()
    response = save(client, site, "study__v", str(study.uid))
    assert read_errors(response) == [
        f"Study country: {country} belongs to {country.study}, not to {study}. Choose another, or change Study."
    ]


def test_a_version_that_no_page_has_is_refused(client: Client) -> None:
    study = StudyFactory.create()
    assert client.post(get_address(study, "sponsor__v"), {"sponsor__v": "x"}).status_code == 400


# -- Conflicts ------------------------------------------------------------------------------------
def test_a_conflict_shows_both_values_and_overwrites_only_when_asked_again(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    other = UserFactory.create(first_name="Olga", last_name="Other")
    site.city = "Potsdam"
    save_record(record=site, actor=Actor(user=other, source="page"))
    response = save(client, site, "city__v", "Bonn", version=1)
    conflict = response.context["conflict"]
    assert (conflict.by, [(row.theirs, row.yours) for row in conflict.rows]) == ("Olga Other", [("Potsdam", "Bonn")])
    assert (response.status_code, save(client, site, "city__v", "Bonn", version=1, htmx=False).status_code) == (
        200,
        200,
    )
    site.refresh_from_db()
    assert (site.city, response.context["version"]) == ("Potsdam", site.version)
    content = response.content.decode()
    assert [text in content for text in ("Potsdam", 'value="Bonn"', "Save mine over it", "Keep theirs")] == [True] * 4
    save(client, site, "city__v", "Bonn", version=response.context["version"])
    site.refresh_from_db()
    assert site.city == "Bonn"


def test_in_a_conflict_references_are_named(client: Client) -> None:
    create_custom_field(
        field=CustomField(of_object="study__v", label="Buddy", kind="reference", reference_object="person__sys"),
        actor=build_admin_actor(),
        add_to_layouts=True,
    )
    mine, theirs = PersonFactory.create_batch(2)
    study = StudyFactory.create()
    study.custom_fields = {"buddy__c": str(theirs.uid)}
    save_record(record=study, actor=build_admin_actor())
    conflict = save(client, study, "buddy__c", str(mine.uid), version=1).context["conflict"]
    assert [(row.theirs, row.yours) for row in conflict.rows] == [(theirs.display_contact, mine.display_contact)]


def test_two_who_meant_the_same_do_not_meet(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    site.city = "Bonn"
    save_record(record=site, actor=build_admin_actor())
    assert "saved" in save(client, site, "city__v", "Bonn", version=1).context


def test_a_record_that_was_deleted_meanwhile_is_not_found(client: Client) -> None:
    study = StudyFactory.build(uid="7c0a3f4e-64ef-4a3e-8df9-5bbf6a0d1f00")
    assert client.post(get_address(study, "sponsor__v"), {"sponsor__v": "x"}).status_code == 404
