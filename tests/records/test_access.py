"""What a user may do with the records of an object, and the reasons of refusals."""

from __future__ import annotations

import pytest

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError, open_object, open_related
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, PERSON, STUDY = "crm_activity__v", "person__sys", "study__v"


def create_user(*permissions: str, **profile: bool) -> User:
    made = SecurityProfileFactory.create(permissions=list(permissions), **profile)
    return UserFactory.create(security_profile=made)


def test_an_object_that_is_not_registered_cannot_be_opened() -> None:
    with pytest.raises(UnknownObjectError):
        open_object(user=get_admin_user(), object_name="nothing__v")


def test_objects_of_the_admin_console_are_not_the_study_teams() -> None:
    with pytest.raises(UnknownObjectError, match="connection__sys belongs to the admin console"):
        open_object(user=get_admin_user(), object_name="connection__sys")


def test_whoever_may_read_nothing_of_an_object_is_told_to_ask_an_admin() -> None:
    with pytest.raises(
        AccessRefusedError, match=r"^Your security profile does not allow you to read studies\. Ask an admin\.$"
    ):
        open_object(user=create_user("person__sys:read"), object_name=STUDY)


def test_a_related_object_that_cannot_be_read_is_none() -> None:
    access = open_object(user=create_user("crm_activity__v:read", "study__v:read"), object_name=ACTIVITY)

    related = open_related(access=access, object_name=STUDY)

    assert related is not None
    assert related.configuration is access.configuration
    assert open_related(access=access, object_name=PERSON) is None
    assert open_related(access=access, object_name="connection__sys") is None


def test_records_are_those_of_visible_studies() -> None:
    study = StudyFactory.create()
    StudyFactory.create()
    user = create_user("study__v:read")
    StudyAssignmentFactory.create(user=user, study=study)

    assert list(open_object(user=user, object_name=STUDY).list_records()) == [study]
    everything = create_user("study__v:read", sees_all_studies=True)
    assert open_object(user=everything, object_name=STUDY).list_records().count() == 2


def test_records_are_those_of_permitted_types() -> None:
    clinical, medical = ActivityFactory.create(), MedicalActivityFactory.create()

    def list_for(*permissions: str) -> list[str]:
        access = open_object(user=create_user(*permissions, sees_all_studies=True), object_name=ACTIVITY)
        return sorted(each.object_type for each in access.list_records())

    assert list_for("crm_activity__v.medical_activity__v:read") == [medical.object_type]
    assert list_for("crm_activity__v.clinical_activity__v:read") == [clinical.object_type]
    assert list_for("crm_activity__v:read") == [clinical.object_type, medical.object_type]


@pytest.mark.parametrize(
    ("permissions", "creatable"),
    [
        (["person__sys:read"], []),
        (["person__sys:read", "person__sys:create"], ["person__v", "investigator__v"]),
        (["person__sys:read", "person__sys.investigator__v:create"], ["investigator__v"]),
    ],
)
def test_what_can_be_created(permissions: list[str], creatable: list[str]) -> None:
    access = open_object(user=create_user(*permissions), object_name=PERSON)

    assert [each.api_name for each in access.list_creatable_types()] == creatable
    assert access.can_create() is bool(creatable)


def test_an_object_without_types_has_one_without_a_name() -> None:
    access = open_object(user=get_admin_user(), object_name=STUDY)

    assert [(each.api_name, access.explain_create(each.api_name)) for each in access.list_creatable_types()] == [
        ("", "")
    ]
    assert access.explain_create("person__v") == "Object type: Study has no type 'person__v'."


def test_why_nothing_can_be_created() -> None:
    set_object_type_status(
        object_name=PERSON,
        object_type="investigator__v",
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )
    people = open_object(user=get_admin_user(), object_name=PERSON)
    activities = open_object(user=get_admin_user(), object_name=ACTIVITY)
    reader = open_object(user=create_user("person__sys:read"), object_name=PERSON)

    assert {
        "inactive": people.explain_create("investigator__v"),
        "unknown": people.explain_create("alien__v"),
        "of the CRM": activities.explain_create(ActivityType.MEDICAL),
        "not permitted": reader.explain_create("person__v"),
        "possible": people.explain_create("person__v"),
    } == {
        "inactive": "The object type Investigator is Inactive: it takes no new records.",
        "unknown": "Object type: Person has no type 'alien__v'.",
        "of the CRM": "Medical Activity: these records come from the Medical CRM; nobody creates them here.",
        "not permitted": "Your security profile does not allow you to create Person records.",
        "possible": "",
    }


def test_why_a_record_cannot_be_changed_or_deleted() -> None:
    person, investigator = PersonFactory.create(), InvestigatorFactory.create()
    user = create_user("person__sys:read", "person__sys.person__v:edit", "person__sys.investigator__v:delete")
    access = open_object(user=user, object_name=PERSON)

    assert [access.explain_edit(person), access.explain_edit(investigator)] == [
        "",
        "Your security profile does not allow you to edit Investigator records.",
    ]
    assert [access.explain_delete(person), access.explain_delete(investigator)] == [
        "Your security profile does not allow you to delete Person records.",
        "",
    ]
    medical = MedicalActivityFactory.create()
    activities = open_object(user=get_admin_user(), object_name=ACTIVITY)
    assert [activities.explain_edit(medical), activities.explain_delete(medical)] == [
        "Medical Activity: this record comes from the Medical CRM; nobody changes it here.",
        "Medical Activity: this record comes from the Medical CRM; nobody deletes it here.",
    ]


def test_an_inactive_profile_opens_nothing() -> None:
    profile = SecurityProfileFactory.create(permissions=["site__v:read"], status=RecordStatus.INACTIVE)
    StudySiteFactory.create()

    with pytest.raises(AccessRefusedError):
        open_object(user=UserFactory.create(security_profile=profile), object_name="site__v")
