"""Custom fields of what is written; clones and deletions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ctms.audit.models import AuditEntry
from ctms.audit.services import RecordInUseError, save_record
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, StudyPerson, StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from ctms.records.access import ObjectAccess
from ctms.records.writing.services import build_clone, delete_with_parts, plan_deletion
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.writing.writing_steps import (
    CUSTOM_KINDS,
    SITE,
    STUDY,
    change,
    create,
    create_member,
    list_refusals,
    open_,
    open_as,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


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
