"""Writing records by field, as pages, the API, imports and bulk edits do."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import RecordInUseError, save_record
from ctms.clinical.choices import PersonType
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, Study, StudyPerson, StudySite
from ctms.configuration.models import CustomField, ObjectType
from ctms.configuration.services import FieldDecision, create_custom_field, decide_fields, set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from ctms.core.models import SAME_NUMBERS
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.writing.services import build_clone, build_record, delete_with_parts, plan_deletion, write_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import TrainingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, PERSON, STUDY, SITE, TRAINING = "crm_activity__v", "person__sys", "study__v", "site__v", "training__v"
CUSTOM_KINDS = ("text", "long_text", "number", "date", "datetime", "yes_no", "picklist", "reference")


def open_as(user: User, object_name: str) -> ObjectAccess:
    return open_object(user=user, object_name=object_name)


def open_(object_name: str) -> ObjectAccess:
    return open_as(get_admin_user(), object_name)


def create(access: ObjectAccess, object_type: str = "", **values: Any) -> Any:
    record = build_record(access=access, object_type=object_type)
    write_values(access=access, record=record, values=values, actor=Actor(user=access.user, source="page"))
    return type(record).objects.get(pk=record.pk)


def change(access: ObjectAccess, record: Any, **values: Any) -> bool:
    """Change a record as another request would, on an instance of its own."""
    stored = type(record).objects.get(pk=record.pk)
    return write_values(access=access, record=stored, values=values, actor=Actor(user=access.user, source="page"))


def list_refusals(error: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    return dict(error.value.message_dict) if hasattr(error.value, "error_dict") else {"": error.value.messages}


def create_member(*permissions: str, study: Study | None = None) -> User:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)))
    if study is not None:
        StudyAssignmentFactory.create(user=user, study=study)
    return user


def require(field: str, *, object_name: str = ACTIVITY, object_type: str = ActivityType.CLINICAL) -> None:
    row = ObjectType.objects.get(of_object=object_name, api_name=object_type)
    decision = FieldDecision(is_assigned=True, is_required=True)
    decide_fields(object_type=row, decisions={field: decision}, actor=build_admin_actor())


# -- Creating and changing -------------------------------------------------------------------------------------------


def test_a_record_is_created_with_its_audit_entry_and_what_follows_from_its_author() -> None:
    user = create_member("crm_activity__v:read", "crm_activity__v:create", "person__sys:read")
    person = PersonFactory.create(actor=Actor(user=user, source="page"))

    activity = create(
        open_as(user, ACTIVITY),
        ActivityType.CLINICAL,
        person__v=person,
        date__v=dt.date(2026, 3, 2),
        channel__v=Channel.PHONE,
    )

    assert (activity.person, activity.from_text, activity.created_by) == (person, user.display_contact, user)
    entry = AuditEntry.objects.get(record_uid=activity.uid)
    assert (entry.action, entry.actor, entry.changes["channel"]) == ("created", user, [None, "phone__v"])


def test_what_changes_nothing_writes_nothing() -> None:
    activity = ActivityFactory.create(subject="Call")
    access = open_(ACTIVITY)

    assert change(access, activity, subject__v="Call", person__v=activity.person, notes__v=None) is False
    assert change(access, activity, subject__v="Visit") is True
    activity.refresh_from_db()
    assert (activity.subject, activity.version) == ("Visit", 2)


def test_zero_is_a_value_and_can_be_taken_away() -> None:
    training = TrainingFactory.create(hours=0)

    assert change(open_(TRAINING), training, hours__v=None) is True
    training.refresh_from_db()
    assert training.hours is None


def test_a_fraction_is_no_whole_number() -> None:
    with pytest.raises(ValidationError) as refusal:
        change(open_(TRAINING), TrainingFactory.create(), hours__v=Decimal("1.5"))

    assert list_refusals(refusal) == {"hours__v": ["Enter a whole number."]}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("from__v", "From is filled by the Vault and cannot be set."),
        ("name__v", "Name is filled by the Vault and cannot be set."),
        ("created_date__v", "Created date is filled by the Vault and cannot be set."),
        ("monitoring_event__v", "Monitoring event is not a field of Clinical Activity."),
        ("subject__v", "There is a null character after “a”. Delete it, or type that part again."),
        ("channel__v", "Value 'smoke' is not a valid choice."),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_field_named(name: str, message: str) -> None:
    activity = ActivityFactory.create()
    values = {
        "monitoring_event__v": MonitoringEventFactory.create(),
        "created_date__v": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "subject__v": "a\x00b",
        "channel__v": "smoke",
    }

    with pytest.raises(ValidationError) as refusal:
        change(open_(ACTIVITY), activity, **{name: values.get(name, "Somebody")})

    assert list_refusals(refusal) == {name: [message]}
    assert Activity.objects.get().version == 1


def test_every_unknown_field_is_named() -> None:
    with pytest.raises(ValidationError) as refusal:
        change(open_(STUDY), StudyFactory.create(), first__v="1", second__v="2")

    messages = list_refusals(refusal)["__all__"]
    assert [text.partition(". ")[0] for text in messages] == [
        "Study has no field 'first__v'",
        "Study has no field 'second__v'",
    ]


def test_errors_of_the_model_are_named_by_field() -> None:
    access = open_(SITE)

    with pytest.raises(ValidationError) as refusal:
        create(access, name__v="0142", address_country__v="Germany", state__v="lost")

    assert list_refusals(refusal) == {
        "study__v": ["This field is required."],
        "study_country__v": ["This field is required."],
        "state__v": ["Value 'lost' is not a valid choice."],
        "address_country__v": [
            "Use the two capital letters of ISO 3166-1, e.g. DE.",
            "Ensure this value has at most 2 characters (it has 7).",
        ],
    }


def test_what_must_be_unique_is_refused() -> None:
    StudyFactory.create(name="ONC-1")

    with pytest.raises(ValidationError) as refusal:
        create(open_(STUDY), name__v="ONC-1")

    assert list_refusals(refusal) == {"__all__": [f"A study of this number exists. {SAME_NUMBERS}"]}


def test_a_race_for_what_must_be_unique_has_a_loser_who_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    StudyFactory.create(name="ONC-1")
    # As if the other study had been written between the validation and the insert.
    monkeypatch.setattr(Study, "full_clean", lambda _self: None)

    with pytest.raises(ValidationError) as refusal:
        create(open_(STUDY), name__v="ONC-1")

    assert list_refusals(refusal) == {
        "": ["Somebody else saved a record that this one contradicts at the same moment. Save again."]
    }
    assert isinstance(refusal.value.__cause__, IntegrityError)
    assert Study.objects.count() == 1


def test_a_version_that_is_no_longer_the_stored_one_is_refused() -> None:
    study = StudyFactory.create()
    change(open_(STUDY), study, sponsor__v="ACME")

    with pytest.raises(StaleRecordError):
        write_values(
            access=open_(STUDY),
            record=Study.objects.get(),
            values={"sponsor__v": "Other"},
            actor=build_admin_actor(),
            expected_version=1,
        )
    assert Study.objects.get().sponsor == "ACME"


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


# -- Custom fields ---------------------------------------------------------------------------------------------------


@pytest.fixture
def custom_fields() -> ObjectAccess:
    """Access to studies with a custom field of each kind."""
    for kind in CUSTOM_KINDS:
        values = ["red", "blue"] if kind == "picklist" else []
        field = CustomField(
            of_object=STUDY, label=kind.capitalize(), api_name=f"{kind}__c", kind=kind, picklist_values=values
        )
        create_custom_field(field=field, actor=build_admin_actor())
    return open_(STUDY)


def test_custom_fields_of_every_kind_are_stored(custom_fields: ObjectAccess) -> None:
    person = PersonFactory.create()

    study = create(
        custom_fields,
        name__v="ONC-1",
        text__c="calm",
        long_text__c="Two\nlines",
        number__c=Decimal("2.50"),
        date__c=dt.date(2026, 3, 2),
        datetime__c=dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        yes_no__c=False,
        picklist__c="red",
        reference__c=person,
    )

    assert study.custom_fields == {
        "text__c": "calm",
        "long_text__c": "Two\nlines",
        "number__c": 2.5,
        "date__c": "2026-03-02",
        "datetime__c": "2026-03-02T09:00:00+00:00",
        "yes_no__c": False,
        "picklist__c": "red",
        "reference__c": str(person.uid),
    }
    same = {
        "text__c": "calm",
        "number__c": Decimal("2.5"),
        "datetime__c": dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC),
        "yes_no__c": False,
        "reference__c": person,
    }
    assert change(custom_fields, study, **same) is False
    assert change(custom_fields, study, **dict.fromkeys(f"{kind}__c" for kind in CUSTOM_KINDS)) is True
    study.refresh_from_db()
    assert study.custom_fields == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text__c", "x" * 256, "Enter at most 255 characters; these are 256."),
        ("text__c", 7, "Enter a text."),
        ("text__c", "a\x00b", "There is a null character after “a”. Delete it, or type that part again."),
        ("long_text__c", "x" * 32_001, "Enter at most 32,000 characters; these are 32,001."),
        ("number__c", "7", "Enter a number of at most 15 digits."),
        ("number__c", True, "Enter a number of at most 15 digits."),
        ("number__c", Decimal("NaN"), "Enter a number of at most 15 digits."),
        ("number__c", Decimal("1234567890.1234567"), "Enter a number of at most 15 digits."),
        ("number__c", Decimal("1E-40"), "Enter a number of at most 15 digits."),
        ("date__c", "2026-03-02", "Enter a date, such as 2026-03-31."),
        ("date__c", dt.datetime(2026, 3, 2, tzinfo=dt.UTC), "Enter a date, such as 2026-03-31."),
        ("datetime__c", dt.datetime(2026, 3, 2), "Enter a date and time with its time zone."),  # noqa: DTZ001  the point
        (
            "datetime__c",
            dt.datetime(1, 1, 1, 12, tzinfo=dt.UTC),
            "Enter a date and time between 0001-01-02 and 9999-12-30.",
        ),
        ("yes_no__c", "yes", "Enter Yes or No."),
        ("picklist__c", "green", "“green” is none of the choices: red, blue."),
        ("reference__c", "somebody", "Choose a record."),
    ],
)
def test_custom_fields_are_validated(custom_fields: ObjectAccess, name: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        create(custom_fields, name__v="ONC-1", **{name: value})

    assert list_refusals(refusal) == {name: [message]}


def test_a_custom_reference_is_to_somebody_whom_the_user_sees(custom_fields: ObjectAccess) -> None:
    person = PersonFactory.create(status=RecordStatus.INACTIVE)

    with pytest.raises(ValidationError) as refusal:
        create(custom_fields, name__v="ONC-1", reference__c=person)

    assert list_refusals(refusal) == {"reference__c": ["Choose an active person that you can see."]}


# -- Clones and deletions --------------------------------------------------------------------------------------------


def test_a_clone_has_the_values_less_those_of_the_original_alone(custom_fields: ObjectAccess) -> None:
    study = StudyFactory.create(
        name="ONC-1",
        sponsor="ACME",
        external_id="E-1",
        status=RecordStatus.INACTIVE,
        custom_fields={"text__c": "calm", "gone__c": "x"},
    )

    clone = build_clone(access=custom_fields, record=study)

    assert (clone.pk, clone.name, clone.sponsor, clone.external_id, clone.status, clone.custom_fields) == (
        None,
        "ONC-1",
        "ACME",
        None,
        RecordStatus.ACTIVE,
        {"text__c": "calm"},
    )
    assert (clone.uid == study.uid, study.custom_fields) == (False, {"text__c": "calm", "gone__c": "x"})


def test_parts_go_along_and_are_kept_in_the_audit_trail() -> None:
    participant = MonitoringEventParticipantFactory.create()
    event = participant.monitoring_event
    access = open_("monitoring_event__ctms")

    plan = plan_deletion(access=access, record=event)
    assert (plan.is_possible, plan.going_along, plan.protecting) == (True, {"monitoring event participants": 1}, {})
    delete_with_parts(access=access, record=event, actor=build_admin_actor(), reason="Never held")

    assert (MonitoringEvent.objects.count(), MonitoringEventParticipant.objects.count()) == (0, 0)
    deleted = AuditEntry.objects.filter(action="deleted").order_by("id")
    assert [(each.record_uid, each.reason) for each in deleted] == [
        (participant.uid, "Never held"),
        (event.uid, "Never held"),
    ]


def test_what_refers_to_a_record_keeps_it() -> None:
    site = StudySiteFactory.create()
    MonitoringEventFactory.create(site=site)
    ActivityFactory.create_batch(2, site=site)
    access = open_(SITE)

    plan = plan_deletion(access=access, record=site)
    assert (plan.is_possible, plan.protecting) == (False, {"monitoring events": 1, "activities": 2})
    with pytest.raises(RecordInUseError, match="1 monitoring event, 2 activities"):
        delete_with_parts(access=access, record=site, actor=build_admin_actor())
    assert StudySite.objects.count() == 1


def test_a_record_that_changed_since_it_was_shown_is_not_deleted_nor_its_parts() -> None:
    participant = MonitoringEventParticipantFactory.create()
    event = MonitoringEvent.objects.get()
    event.lifecycle_state = "final_state__v"
    save_record(record=event, actor=build_admin_actor())

    with pytest.raises(StaleRecordError):
        delete_with_parts(
            access=open_("monitoring_event__ctms"), record=event, actor=build_admin_actor(), expected_version=1
        )
    assert MonitoringEventParticipant.objects.get() == participant


def test_the_plan_says_why_a_record_cannot_be_deleted() -> None:
    study = StudyFactory.create()
    plan = plan_deletion(access=open_as(create_member("study__v:read", study=study), STUDY), record=study)

    assert (plan.is_possible, plan.refusal) == (
        False,
        "Your security profile does not allow you to delete study records.",
    )


def test_countries_of_other_studies_do_not_fill() -> None:
    country = StudyCountryFactory.create()

    person = create(open_("study_person__clin"), person__clin=PersonFactory.create(), study_country__clin=country)

    assert (person.study, StudyPerson.objects.count()) == (country.study, 1)
