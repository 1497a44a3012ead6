"""Sections of related records on a record page."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.configuration.services.object_types import set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.records.pages.related import ROWS_SHOWN
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.pages.record_page_steps import (
    add_section,
    get_address,
    list_related,
    log_in,
    open_page,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, is_staff=True)
    client.force_login(user)
    return user


# -- Related sections -----------------------------------------------------------------------------
def test_a_related_section_shows_the_first_by_its_lists_order_and_counts_all(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    first = dt.date(2026, 3, 1)
    for number in range(ROWS_SHOWN + 2):
        MonitoringEventFactory.create(site=site, planned_start=first + dt.timedelta(days=number), planned_end=None)
    part = list_related(open_page(client, site))["Monitoring Events"]
    assert (part.count, part.has_more, len(part.rows)) == (f"{ROWS_SHOWN + 2}", True, ROWS_SHOWN)
    assert part.rows[0].name == f"Interim Monitoring Visit {first + dt.timedelta(days=ROWS_SHOWN + 1)}"
    assert part.all_url == f"/records/monitoring_event__ctms/?site__v={site.uid}"
    assert part.create_url == f"/records/monitoring_event__ctms/create/?site__v={site.uid}"


@pytest.mark.usefixtures("stopped_clock")
def test_a_section_in_the_order_of_days_shows_what_is_next_and_what_was_last(client: Client, admin: User) -> None:
    site, today = StudySiteFactory.create(), timezone.localdate()
    for step in range(-20, 21, 2):
        day = today + dt.timedelta(days=step)
        MonitoringEventFactory.create(site=site, planned_start=day, planned_end=day)
    part = list_related(open_page(client, site))["Monitoring Events"]
    days = [(dt.date.fromisoformat(row.name.rpartition(" ")[2]) - today).days for row in part.rows]
    assert days == [6, 4, 2, 0, -2, -4, -6, -8]
    assert part.line_above == 3
    assert part.body.count("today-line") == 1


def test_columns_that_say_the_same_in_every_row_are_left_out_unless_the_layout_names_them(
    client: Client, admin: User
) -> None:
    site = StudySiteFactory.create()
    assert list_related(open_page(client, site))["Monitoring Events"].columns == [
        "Name",
        "Object type",
        "Planned start",
        "Owner",
        "Lifecycle state",
    ]
    add_section(
        "site__v",
        title="Activities",
        related_object="crm_activity__v",
        related_field="site__v",
        items=("date__v", "site__v", "study__v"),
    )
    part = list_related(open_page(client, site))["Activities"]
    # The site itself is left out all the same.
    assert (part.columns, part.has_names) == (["Date", "Study"], False)


def test_a_section_on_a_person_or_a_role_does_not_repeat_the_person(client: Client, admin: User) -> None:
    study_person = StudyPersonFactory.create()
    for record, name in ((study_person, "study_person__v"), (study_person.person, "person__v")):
        add_section(
            record.object_name,
            title="Activities",
            related_object="crm_activity__v",
            related_field=name,
            items=("subject__v", "person__v", "site__v"),
        )
        assert list_related(open_page(client, record))["Activities"].columns == ["Subject", "Site"]


def test_a_row_without_a_name_among_its_columns_can_be_opened_all_the_same(client: Client, admin: User) -> None:
    participant = MonitoringEventParticipantFactory.create()
    content = client.get(get_address(participant.monitoring_event)).content.decode()
    assert f'href="{get_address(participant)}">Open<span' in content


def test_related_records_are_those_that_the_user_sees(client: Client) -> None:
    person = InvestigatorFactory.create()
    mine, _foreign = (StudySiteFactory.create(principal_investigator=person) for _ in range(2))
    user = log_in(client, "person__sys:read", "site__v:read", sees_all=False)
    StudyAssignmentFactory.create(user=user, study=mine.study)
    part = list_related(open_page(client, person))["Sites led"]
    assert (part.count, [row.name for row in part.rows]) == ("1", [mine.name])


def test_a_section_of_what_the_user_may_not_read_is_not_there(client: Client) -> None:
    study = StudyFactory.create()
    log_in(client, "study__v:read", "site__v:read")
    assert list(list_related(open_page(client, study))) == ["Study Sites"]


def test_both_kinds_of_activities_stand_side_by_side(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    ActivityFactory.create(site=site)
    MedicalActivityFactory.create(study=site.study, site=site, date=dt.date(2026, 3, 9))
    add_section("site__v", title="Activities", related_object="crm_activity__v", related_field="site__v")
    part = list_related(open_page(client, site))["Activities"]
    assert [row.cells[1].value.text for row in part.rows] == ["9 Mar 2026", "2 Mar 2026"]


def test_nothing_is_created_in_a_section_where_the_layout_prevents_it(client: Client, admin: User) -> None:
    study = StudyFactory.create()
    add_section(
        "study__v",
        title="Activities",
        related_object="crm_activity__v",
        related_field="study__v",
        prevent_creation=True,
    )
    assert list_related(open_page(client, study))["Activities"].create_url == ""


def test_nothing_is_created_where_the_profile_or_the_types_do_not_allow_it(client: Client) -> None:
    study = StudyFactory.create()
    add_section("study__v", title="Activities", related_object="crm_activity__v", related_field="study__v")
    log_in(client, "study__v:read", "crm_activity__v:read")
    assert list_related(open_page(client, study))["Activities"].create_url == ""
    log_in(client, "study__v:read", "crm_activity__v:read", "crm_activity__v:create")
    assert list_related(open_page(client, study))["Activities"].create_url != ""
    set_object_type_status(
        object_name="crm_activity__v",
        object_type=ActivityType.CLINICAL,
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )
    assert list_related(open_page(client, study))["Activities"].create_url == ""


def test_nothing_is_created_under_an_inactive_record_or_by_a_field_that_no_type_has(
    client: Client, admin: User
) -> None:
    event = MonitoringEventFactory.create()
    add_section(
        "monitoring_event__ctms",
        title="Activities",
        related_object="crm_activity__v",
        related_field="monitoring_event__v",
    )
    assert list_related(open_page(client, event))["Activities"].create_url == ""
    inactive = StudyFactory.create(status=RecordStatus.INACTIVE)
    assert {part.create_url for part in list_related(open_page(client, inactive)).values()} == {""}
