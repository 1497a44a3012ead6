"""Dates that cannot be are refused; values that are seldom meant are asked about, and saved after a yes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from activities.models import Activity
from ctms.audit.actors import Actor
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.records.access import open_object
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, prepare_drafts
from ctms.records.writing.questions import UnconfirmedError
from ctms.records.writing.services import build_record, write_values
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import MonitoringEventFactory, PersonFactory

pytestmark = pytest.mark.django_db

ACTIVITY = "crm_activity__v"
NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def today(time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)


def write(record: Any, *, confirmed: tuple[str, ...] = (), **values: Any) -> None:
    access = open_object(user=get_admin_user(), object_name=record.object_name)
    actor = Actor(user=access.user, source="page")
    write_values(access=access, record=record, values=values, actor=actor, confirmed=confirmed)


def explain(record: Any, **values: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        write(record, **values)
    return refusal.value.message_dict


@pytest.mark.parametrize(
    ("day", "refusal"),
    [
        (dt.date(26, 3, 1), "The year is 0026. Type it with four digits, such as 2026."),
        (dt.date(1026, 3, 1), "The year is 1026. Enter a date from 1900 on."),
        (dt.date(1899, 12, 31), "The year is 1899. Enter a date from 1900 on."),
    ],
)
def test_a_year_that_cannot_be_is_refused_with_the_remedy_and_no_yes_helps(day: dt.date, refusal: str) -> None:
    activity = ActivityFactory.create()

    with pytest.raises(ValidationError) as refused:
        write(activity, date__v=day, confirmed=("date__v",))

    assert refused.value.message_dict == {"date__v": [refusal]}


@pytest.mark.parametrize("day", [dt.date(1900, 1, 1), dt.date(1970, 1, 1), dt.date(2052, 1, 1), dt.date(2099, 12, 31)])
def test_a_date_a_long_time_from_now_is_asked_about_and_saved_after_a_yes(day: dt.date) -> None:
    activity = ActivityFactory.create(complete=False)

    with pytest.raises(UnconfirmedError) as asked:
        write(activity, date__v=day)
    assert Activity.objects.get().date != day

    write(Activity.objects.get(), date__v=day, confirmed=(asked.value.asked[0].key,))
    assert Activity.objects.get().date == day


@pytest.mark.parametrize("day", [dt.date(1970, 1, 2), dt.date(2051, 12, 31)])
def test_any_other_date_is_not_asked_about(day: dt.date) -> None:
    activity = ActivityFactory.create(complete=False)

    write(activity, date__v=day)

    assert Activity.objects.get().date == day


def test_a_yes_holds_for_the_value_that_it_was_given_to() -> None:
    activity = ActivityFactory.create(complete=False)
    with pytest.raises(UnconfirmedError) as asked:
        write(activity, date__v=dt.date(2099, 1, 1))

    with pytest.raises(UnconfirmedError):
        write(Activity.objects.get(), date__v=dt.date(2098, 1, 1), confirmed=(asked.value.asked[0].key,))


def test_moments_and_custom_dates_are_asked_about_as_any_other() -> None:
    for kind in ("date", "datetime"):
        field = CustomField(of_object=ACTIVITY, api_name=f"any_{kind}__c", label=f"Any {kind}", kind=kind)
        create_custom_field(field=field, actor=build_admin_actor())
    names = ("any_date__c", "any_datetime__c")
    activity = ActivityFactory.create()

    assert explain(activity, any_date__c=dt.date(26, 1, 1), any_datetime__c=dt.datetime(26, 1, 1, tzinfo=dt.UTC)) == {
        name: ["The year is 0026. Type it with four digits, such as 2026."] for name in names
    }
    assert explain(
        ActivityFactory.create(),
        any_date__c=dt.date(2099, 1, 1),
        any_datetime__c=dt.datetime(1900, 1, 2, tzinfo=dt.UTC),
    ) == {
        "any_date__c": ["1 Jan 2099 is a long time from now. Is it right?"],
        "any_datetime__c": ["2 Jan 1900 is a long time from now. Is it right?"],
    }


def test_an_activity_that_is_complete_in_the_future_is_asked_about() -> None:
    activity = ActivityFactory.create(date=NOW.date(), complete=False)
    question = ["3 Mar 2026 is still to come. Is the activity complete already?"]

    write(activity, complete__v=True)
    assert explain(activity, date__v=dt.date(2026, 3, 3)) == {"date__v": question}
    activity = ActivityFactory.create(date=dt.date(2026, 3, 3), complete=False)
    assert explain(activity, complete__v=True) == {"date__v": question}
    activity.refresh_from_db()
    write(activity, complete__v=True, confirmed=("date__v",))
    write(activity, subject__v="What was said yes to is not asked again")


def test_a_visit_that_was_done_in_the_future_is_asked_about() -> None:
    event = MonitoringEventFactory.create()

    assert explain(event, actual_start_date__v=dt.date(2026, 3, 9)) == {
        "actual_start_date__v": ["9 Mar 2026 is still to come. Is it the day on which it was done?"]
    }


def test_what_is_wrong_comes_before_what_is_asked() -> None:
    access = open_object(user=get_admin_user(), object_name=ACTIVITY)
    record = build_record(access=access, object_type="clinical_activity__v")

    assert explain(record, date__v=dt.date(2099, 1, 1), person__v=PersonFactory.create(), subject__v="\x00") == {
        "subject__v": ["There is a null character at the beginning. Delete it, or type that part again."]
    }


def test_rows_of_a_file_and_of_a_bulk_edit_carry_their_questions_and_are_written() -> None:
    activity = ActivityFactory.create(complete=False)
    access = open_object(user=get_admin_user(), object_name=ACTIVITY)
    drafts = [RowDraft(number=2, record=activity, values={"date__v": dt.date(2099, 1, 1)})]

    prepare_drafts(access=access, drafts=drafts, unique=UniqueChecker(shape=access.shape, noun="line"))

    [draft] = drafts
    assert (draft.problems, draft.outcome) == ([], "changed")
    assert [(each.label, each.value, each.message) for each in draft.questions] == [
        ("Date", "2099-01-01", "1 Jan 2099 is a long time from now. Is it right?")
    ]
