"""Records are edited and cloned with a form."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import strip_tags

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import Study, StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.core.models import SAME_NUMBERS
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record
from tests.records.forms.record_form_steps import (
    FORM,
    address,
    list_errors,
    submit,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


# -- Editing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("object_name", OBJECTS)
def test_saving_a_form_untouched_changes_nothing(client: Client, user: User, object_name: str) -> None:
    record = create_record(object_name)
    before = type(record).objects.values().get(pk=record.pk)

    answer = submit(client, address(record, "edit/"))

    assert (answer.status_code, answer.headers["Location"]) == (302, address(record))
    assert type(record).objects.values().get(pk=record.pk) == before


def test_only_what_was_changed_is_written(client: Client, user: User) -> None:
    activity = ActivityFactory.create(notes="Line\nand line", subject="Call")

    answer = submit(client, address(activity, "edit/"), subject__v="Visit", notes__v="Line\r\nand line")

    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.version) == ("Visit", "Line\nand line", 2)
    assert [strip_tags(each) for each in list_messages(client.get("/"))] == [f"{activity} was saved. Undo"]


def test_a_field_that_came_to_the_layout_meanwhile_is_left_alone(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Call", notes="Important", complete=True)
    url = address(activity, "edit/")
    opened = read_form(client.get(url), form_id=FORM)
    # The form as it was before an admin added these two fields to the layout.
    del opened["notes__v"], opened["complete__v"]
    opened["shown_fields"] = [opened["shown_fields"][0].replace("notes__v ", "").replace("complete__v ", "")]
    answer = client.post(url, fill(opened, typed={"subject__v": "Visit"}))
    activity.refresh_from_db()
    assert answer.status_code == 302
    assert (activity.subject, activity.notes, activity.complete) == ("Visit", "Important", True)


def test_a_form_without_a_list_of_its_fields_unticks_boxes_and_wipes_nothing_else(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Call", notes="Important", complete=True)
    sent = {"expected_version": activity.version, "subject__v": "Visit"}
    client.post(address(activity, "edit/"), sent)
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.complete) == ("Visit", "Important", False)


def test_a_clone_keeps_what_its_form_did_not_hold(client: Client, user: User) -> None:
    activity = ActivityFactory.create(notes="Important")
    url = address(activity, "clone/")
    opened = read_form(client.get(url), form_id=FORM)
    del opened["notes__v"]
    client.post(url, fill(opened, typed={}))
    assert [each.notes for each in Activity.objects.all()] == ["Important", "Important"]


def test_a_box_of_another_type_begins_as_it_is_stored(client: Client, user: User) -> None:
    activity = ActivityFactory.create(complete=True)
    sent = {"expected_version": activity.version, "shown_type": "other__v", "shown_fields": "subject__v"}
    shown = read_form(client.post(address(activity, "edit/"), sent), form_id=FORM)
    assert "complete__v" in shown


def test_a_reference_that_is_inactive_now_may_stay(client: Client, user: User) -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create(), subject="Call")
    site = StudySite.objects.get()
    site.status = RecordStatus.INACTIVE
    save_record(record=site, actor=build_admin_actor())

    assert submit(client, address(activity, "edit/"), subject__v="Visit").status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.site) == ("Visit", site)


def test_a_reference_that_the_user_cannot_see_may_stay(client: Client) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create(email="berg@x.example"), subject="Call")
    permissions = ["crm_activity__v:read", "crm_activity__v:edit"]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))

    assert submit(client, address(activity, "edit/"), subject__v="Visit").status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.person.email) == ("Visit", "berg@x.example")


def test_a_wider_reference_that_contradicts_a_narrower_one_is_refused(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="")
    activity = ActivityFactory.create(site=site)
    other = StudyFactory.create(name="ONC-2")

    answer = submit(client, address(activity, "edit/"), study__v=other)

    country = f"Germany belongs to {site.study}, not to ONC-2. Choose another, or change Study."
    assert list_errors(answer) == {
        "study_country__v": [country],
        "site__v": [f"0142 belongs to {site.study}, not to ONC-2. Choose another, or change Study."],
    }


def test_moving_an_activity_to_another_study_needs_only_the_site(client: Client, user: User) -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create())
    site = StudySiteFactory.create()

    answer = submit(client, address(activity, "edit/"), site__v=site, study__v__text="", study_country__v__text="")

    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.site, activity.study_country, activity.study) == (site, site.study_country, site.study)


def test_medical_activities_are_not_edited(client: Client, user: User) -> None:
    activity = MedicalActivityFactory.create()

    for answer in (
        client.get(address(activity, "edit/")),
        client.post(address(activity, "edit/"), {"subject__v": "X"}),
    ):
        assert (answer.status_code, answer.context["exception"]) == (
            403,
            "Medical Activity: this record comes from the Medical CRM; nobody changes it here.",
        )


@pytest.mark.parametrize(
    ("permissions", "page", "reason"),
    [
        (["read"], "create", "Your security profile does not allow you to create study records."),
        (["read"], "edit", "Your security profile does not allow you to edit study records."),
        (["read", "edit"], "clone", "Your security profile does not allow you to create study records."),
    ],
)
def test_what_the_profile_does_not_allow_is_refused_with_the_reason(
    client: Client, permissions: list[str], page: str, reason: str
) -> None:
    study = StudyFactory.create()
    profile = SecurityProfileFactory.create(permissions=[f"study__v:{each}" for each in permissions])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    client.force_login(user)
    url = "/records/study__v/create/" if page == "create" else address(study, f"{page}/")

    for answer in (client.get(url), client.post(url, {"name__v": "X", "expected_version": 1})):
        assert (answer.status_code, answer.context["exception"]) == (403, reason)


def test_a_form_that_names_no_version_is_refused(client: Client, user: User) -> None:
    study = StudyFactory.create()

    assert client.post(address(study, "edit/"), {"name__v": "X"}).status_code == 400


# -- Clones --------------------------------------------------------------------------------------------------------


def test_a_clone_begins_with_the_values_of_the_original(client: Client, user: User) -> None:
    original = ActivityFactory.create(
        site=StudySiteFactory.create(), subject="Call", notes="Long", complete=True, external_id="E-1"
    )

    answer = submit(client, address(original, "clone/"), subject__v="Second call")

    clone = Activity.objects.exclude(pk=original.pk).get()
    assert (answer.status_code, answer.headers["Location"]) == (302, address(clone))
    assert (clone.person, clone.site, clone.study, clone.notes, clone.complete, clone.subject) == (
        original.person,
        original.site,
        original.study,
        "Long",
        True,
        "Second call",
    )
    assert (clone.external_id, clone.from_text, clone.name == original.name) == (
        None,
        "Carla Craig (carla@x.example)",
        False,
    )


def test_what_must_be_unique_is_asked_for_in_a_clone(client: Client, user: User) -> None:
    original = StudyFactory.create(name="ONC-1", sponsor="ACME")

    assert list_errors(submit(client, address(original, "clone/"))) == {
        "__all__": [f"A study of this number exists. {SAME_NUMBERS}"]
    }
    assert submit(client, address(original, "clone/"), name__v="ONC-2").status_code == 302
    assert Study.objects.get(name="ONC-2").sponsor == "ACME"


def test_a_clone_has_what_the_page_does_not_show(client: Client, user: User) -> None:
    mood = CustomField(of_object="crm_activity__v", label="Mood", api_name="mood__c", kind="text")
    create_custom_field(field=mood, actor=build_admin_actor())
    original = ActivityFactory.create(custom_fields={"mood__c": "calm"})

    submit(client, address(original, "clone/"))

    assert Activity.objects.exclude(pk=original.pk).get().custom_fields == {"mood__c": "calm"}


def test_a_clone_refers_to_nothing_unseen_that_could_not_be_chosen(client: Client, user: User) -> None:
    for name in ("mentor__c", "deputy__c"):
        person = CustomField(
            of_object="crm_activity__v", label=name, api_name=name, kind="reference", reference_object="person__sys"
        )
        create_custom_field(field=person, actor=build_admin_actor())
    active, inactive = PersonFactory.create(), PersonFactory.create(status=RecordStatus.INACTIVE)
    uids = {"mentor__c": str(active.uid), "deputy__c": str(inactive.uid)}
    original = ActivityFactory.create(custom_fields=uids)
    submit(client, address(original, "clone/"))
    clone = Activity.objects.exclude(pk=original.pk).get()
    assert clone.custom_fields == {"mentor__c": str(active.uid)}


def test_a_medical_activity_is_not_cloned(client: Client, user: User) -> None:
    answer = client.get(address(MedicalActivityFactory.create(), "clone/"))

    assert (answer.status_code, answer.context["exception"]) == (
        403,
        "Medical Activity: these records come from the Medical CRM; nobody creates them here.",
    )
