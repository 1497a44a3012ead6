"""Records are created and changed by field."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.errors import StaleRecordError
from ctms.core.models import SAME_NUMBERS
from ctms.records.writing.services import write_values
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyFactory,
)
from tests.record_rows import TrainingFactory
from tests.records.writing.writing_steps import (
    ACTIVITY,
    SITE,
    STUDY,
    TRAINING,
    change,
    create,
    create_member,
    list_refusals,
    open_,
    open_as,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


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
