"""References, required fields and object types of what is written."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from activities.choices import ActivityType, Channel
from ctms.audit.models import AuditEntry
from ctms.clinical.choices import PersonType
from ctms.clinical.models import Person
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields, set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError
from ctms.records.writing.services import build_clone, delete_with_parts, write_values
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    PersonFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.writing.writing_steps import (
    ACTIVITY,
    PERSON,
    STUDY,
    change,
    create,
    create_member,
    list_refusals,
    open_,
    open_as,
    require,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


# -- References ------------------------------------------------------------------------------------------------------


def test_a_reference_fills_the_wider_ones() -> None:
    study_person = StudyPersonFactory.create()

    activity = create(
        open_(ACTIVITY),
        ActivityType.CLINICAL,
        study_person__v=study_person,
        date__v=dt.date(2026, 3, 2),
        channel__v=Channel.PHONE,
    )

    site = study_person.site
    assert site is not None
    assert (activity.person, activity.site, activity.study_country, activity.study) == (
        study_person.person,
        site,
        site.study_country,
        site.study,
    )


def test_only_fields_of_the_type_are_filled() -> None:
    row = ObjectType.objects.get(of_object=ACTIVITY, api_name=ActivityType.CLINICAL)
    decide_fields(object_type=row, decisions={"site__v": FieldDecision(is_assigned=False)}, actor=build_admin_actor())
    study_person = StudyPersonFactory.create()
    activity = ActivityFactory.create()

    change(open_(ACTIVITY), activity, study_person__v=study_person, person__v=study_person.person)

    activity.refresh_from_db()
    assert activity.study == study_person.study


@pytest.mark.parametrize("field", ["site__v", "study_country__v", "study_person__v"])
def test_what_belongs_to_another_study_is_refused_with_the_field_named(field: str) -> None:
    study = StudyFactory.create(name="ONC-1")
    site = StudySiteFactory.create(name="0142")
    study_person = StudyPersonFactory.create(site=None, study=site.study)
    values = {"site__v": site, "study_country__v": site.study_country, "study_person__v": study_person}
    activity = ActivityFactory.create(study=study, person=study_person.person)

    with pytest.raises(ValidationError) as refusal:
        change(open_(ACTIVITY), activity, **{field: values[field]})

    assert list_refusals(refusal)[field] == [
        f"{values[field]} belongs to {site.study}, not to ONC-1. Choose another, or change Study."
    ]


def test_a_study_person_is_the_person() -> None:
    study_person = StudyPersonFactory.create()
    other = PersonFactory.create(first_name="Hannah", last_name="Berg")

    with pytest.raises(ValidationError) as refusal:
        change(open_(ACTIVITY), ActivityFactory.create(person=other), study_person__v=study_person)

    assert list_refusals(refusal) == {
        "study_person__v": [
            f"{study_person} belongs to {study_person.person}, not to Hannah Berg. Choose another, or change Person."
        ]
    }


def test_what_contradicted_already_keeps_nobody_from_changing_something_else() -> None:
    study_person = StudyPersonFactory.create()
    activity = ActivityFactory.create(study_person=study_person)  # belongs to another person

    assert change(open_(ACTIVITY), activity, subject__v="Call") is True


def test_references_are_to_active_records_that_the_user_sees() -> None:
    site = StudySiteFactory.create()
    user = create_member(
        "crm_activity__v:read", "crm_activity__v:edit", "site__v:read", "person__sys:read", study=site.study
    )
    activity = ActivityFactory.create()
    inactive = PersonFactory.create(status=RecordStatus.INACTIVE)
    values = {
        "person__v": inactive,
        "site__v": StudySiteFactory.create(),
        "study_country__v": site.study_country,
    }

    with pytest.raises(ValidationError) as refusal:
        change(open_as(user, ACTIVITY), activity, **values)

    assert list_refusals(refusal) == {
        "person__v": ["Choose an active person that you can see."],
        "site__v": ["Choose an active study site that you can see."],
        "study_country__v": ["Choose an active study country that you can see."],
    }
    assert change(open_as(user, ACTIVITY), activity, site__v=site) is True


def test_a_reference_to_what_was_deleted_meanwhile_is_refused() -> None:
    person = PersonFactory.create()
    gone = Person(pk=person.pk + 1000, uid=uuid.uuid4(), name="Gone", last_name="Gone")

    with pytest.raises(ValidationError) as refusal:
        change(open_(ACTIVITY), ActivityFactory.create(), person__v=gone)

    assert list_refusals(refusal) == {"person__v": ["Choose an active person that you can see."]}


# -- Required fields -------------------------------------------------------------------------------------------------


def test_what_the_type_requires_is_asked_of_new_records() -> None:
    require("site__v")
    values = {"person__v": PersonFactory.create(), "date__v": dt.date(2026, 3, 2), "channel__v": Channel.PHONE}

    with pytest.raises(ValidationError) as refusal:
        create(open_(ACTIVITY), ActivityType.CLINICAL, **values)

    assert list_refusals(refusal) == {"site__v": ["This field is required."]}
    # Choosing a study person fills the site.
    study_person = StudyPersonFactory.create()
    values |= {"person__v": study_person.person, "study_person__v": study_person}
    assert create(open_(ACTIVITY), ActivityType.CLINICAL, **values).site == study_person.site


def test_what_was_missing_before_keeps_nobody_from_changing_something_else() -> None:
    activity = ActivityFactory.create(subject="Call")
    require("site__v")
    require("subject__v")

    assert change(open_(ACTIVITY), activity, notes__v="Long") is True
    with pytest.raises(ValidationError) as refusal:
        change(open_(ACTIVITY), activity, subject__v="")
    assert list_refusals(refusal) == {"subject__v": ["This field is required."]}


# -- Object types ----------------------------------------------------------------------------------------------------


def set_status(object_type: str, status: RecordStatus) -> None:
    set_object_type_status(object_name=PERSON, object_type=object_type, status=status, actor=build_admin_actor())


def test_an_object_with_types_asks_for_one() -> None:
    for object_type, message in (
        ("", "Choose one of: Person, Investigator."),
        ("alien__v", "Person has no type alien__v. Choose one of: Person, Investigator."),
    ):
        with pytest.raises(ValidationError) as refusal:
            write_values(
                access=open_(PERSON),
                record=Person(),
                values={"last_name__sys": "Berg", "object_type__v": object_type},
                actor=build_admin_actor(),
            )
        assert list_refusals(refusal) == {"object_type__v": [message]}


def test_an_inactive_type_takes_no_new_records_but_its_own_may_be_changed() -> None:
    person = PersonFactory.create(object_type=PersonType.INVESTIGATOR)
    set_status(PersonType.INVESTIGATOR, RecordStatus.INACTIVE)
    access = open_(PERSON)

    with pytest.raises(AccessRefusedError, match="The object type Investigator is Inactive"):
        create(access, PersonType.INVESTIGATOR, last_name__sys="Berg")
    with pytest.raises(AccessRefusedError, match="The object type Investigator is Inactive"):
        change(access, PersonFactory.create(), object_type__v=PersonType.INVESTIGATOR)
    assert change(access, person, last_name__sys="Berg") is True
    assert change(access, person, object_type__v=PersonType.PERSON) is True


def test_a_type_is_changed_with_the_permissions_of_both() -> None:
    user = create_member("person__sys:read", "person__sys:edit", "person__sys.person__v:create")
    person = PersonFactory.create()

    with pytest.raises(AccessRefusedError, match="does not allow you to create Investigator records"):
        change(open_as(user, PERSON), person, object_type__v=PersonType.INVESTIGATOR)
    change(open_(PERSON), person, object_type__v=PersonType.INVESTIGATOR)
    assert change(open_as(user, PERSON), person, object_type__v=PersonType.PERSON) is True


def test_what_the_new_type_requires_is_asked_when_the_type_changes() -> None:
    require("npi__v", object_name=PERSON, object_type=PersonType.INVESTIGATOR)
    person = PersonFactory.create()

    with pytest.raises(ValidationError) as refusal:
        change(open_(PERSON), person, object_type__v=PersonType.INVESTIGATOR)

    assert list_refusals(refusal) == {"npi__v": ["This field is required."]}
    assert change(open_(PERSON), person, object_type__v=PersonType.INVESTIGATOR, npi__v="123") is True


def test_medical_activities_are_neither_created_nor_changed_nor_deleted_nor_cloned() -> None:
    activity = MedicalActivityFactory.create()
    access = open_(ACTIVITY)
    comes = "Medical Activity: this record comes from the Medical CRM"

    with pytest.raises(AccessRefusedError, match="these records come from the Medical CRM; nobody creates them here"):
        create(access, ActivityType.MEDICAL, person__v=activity.person)
    with pytest.raises(AccessRefusedError, match=f"{comes}; nobody changes it here"):
        change(access, activity, subject__v="Mine")
    with pytest.raises(AccessRefusedError, match=f"{comes}; nobody changes it here"):
        change(access, activity, object_type__v=ActivityType.CLINICAL)
    with pytest.raises(AccessRefusedError, match=f"{comes}; nobody deletes it here"):
        delete_with_parts(access=access, record=activity, actor=build_admin_actor())
    with pytest.raises(AccessRefusedError, match="nobody creates them here"):
        build_clone(access=access, record=activity)
    with pytest.raises(AccessRefusedError, match="nobody creates them here"):
        change(access, ActivityFactory.create(), object_type__v=ActivityType.MEDICAL)
    assert AuditEntry.objects.filter(record_uid=activity.uid).count() == 1


@pytest.mark.parametrize("action", ["create", "edit", "delete"])
def test_what_the_profile_does_not_allow_is_refused(action: str) -> None:
    study = StudyFactory.create()
    access = open_as(create_member("study__v:read", study=study), STUDY)

    attempts: dict[str, Callable[[], Any]] = {
        "create": lambda: create(access, name__v="X"),
        "edit": lambda: change(access, study, sponsor__v="X"),
        "delete": lambda: delete_with_parts(access=access, record=study, actor=build_admin_actor()),
    }

    with pytest.raises(AccessRefusedError, match=f"Your security profile does not allow you to {action} study records"):
        attempts[action]()
