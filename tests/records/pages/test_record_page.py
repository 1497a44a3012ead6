"""Head and sections of a record page."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.choices import MonitoringEventType
from ctms.configuration.models import CustomField, LayoutSection, PageLayout
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.configuration.services.layouts import change_layouts
from ctms.configuration.services.object_types import assign_fields
from ctms.core.choices import RecordStatus
from ctms.records.fields.titles import get_title
from ctms.records.pages.record_page import FieldsPart
from ctms.records.pages.related import ROWS_SHOWN
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    PersonFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record
from tests.records.pages.record_page_steps import (
    get_address,
    list_facts,
    list_related,
    list_sections,
    log_in,
    open_page,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, is_staff=True)
    client.force_login(user)
    return user


# -- Head and sections ----------------------------------------------------------------------------
@pytest.mark.parametrize("object_name", OBJECTS)
def test_every_object_has_a_page(client: Client, admin: User, object_name: str) -> None:
    record = create_record(object_name)
    assert f"<h1>{get_title(record)}</h1>" in client.get(get_address(record)).content.decode()


def test_the_head_names_the_type_and_the_key_fields_that_have_a_value_or_can_get_one(
    client: Client, admin: User
) -> None:
    event = MonitoringEventFactory.create(site=StudySiteFactory.create(name="0142", city="Graz"), planned_start=None)
    page = open_page(client, event)
    assert page.type_label == "Interim Monitoring Visit"
    assert [(fact.label, fact.value.text) for fact in page.key_facts] == [
        ("Study", event.study.name),
        ("Site", "0142 · Graz"),
        ("Planned start", ""),
        ("Lifecycle state", "Expected"),
        ("Owner", "Ada Admin"),
    ]
    log_in(client, "study__v:read", "site__v:read", "monitoring_event__ctms:read")
    assert "planned_start_date__v" not in [fact.name for fact in open_page(client, event).key_facts]


@pytest.mark.parametrize("object_name", OBJECTS)
def test_no_field_stands_twice_and_none_is_lost(client: Client, admin: User, object_name: str) -> None:
    page = open_page(client, create_record(object_name))
    names = [fact.name for fact in page.facts]
    assert len(names) == len(set(names))
    shape = page.access.shape
    type_shape = shape.get_type(getattr(page.record, "object_type", ""))
    layout = {field.api_name for section in shape.get_layout(type_shape.api_name).sections for field in section.fields}
    in_marks = {"name__v", "object_type__v", "status__v"}
    left = (layout & type_shape.fields) - set(names) - in_marks
    assert all(shape.fields[name].is_read_only for name in left), left


def test_a_section_has_no_field_of_the_head(client: Client, admin: User) -> None:
    page = open_page(client, ActivityFactory.create())
    assert list_sections(page) == {
        "Activity Details": ["notes__v", "from__v"],
        "Study Details": ["study_person__v", "study_country__v"],
    }
    site = open_page(client, StudySiteFactory.create(site_name="Charité"))
    assert (site.caption and site.caption.value.text) == "Charité"
    assert "Study Site Details" not in list_sections(site)


def test_a_section_that_is_empty_and_that_nobody_can_fill_is_left_out(client: Client, admin: User) -> None:
    assert "Origin" not in list_sections(open_page(client, ActivityFactory.create()))
    medical = open_page(client, MedicalActivityFactory.create(crm_id="a00"))
    assert list_sections(medical)["Origin"] == ["connection__v", "crm_id__v"]


def test_the_head_says_that_a_record_is_inactive_and_nothing_of_an_active_one(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    chip = '<span class="chip inactive">Inactive</span>'
    assert chip not in client.get(get_address(site)).content.decode()
    site.status = RecordStatus.INACTIVE
    save_record(record=site, actor=build_admin_actor())
    content = client.get(get_address(site)).content.decode()
    assert content.count(chip) == 1
    assert 'id="field-status__v"' not in content


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize(
    ("days", "told"),
    [(-18, "18 days ago"), (-1, "yesterday"), (0, "today"), (1, "tomorrow"), (3, "in 3 days"), (400, "")],
)
def test_the_head_tells_how_far_a_day_is_away(client: Client, admin: User, days: int, told: str) -> None:
    activity = ActivityFactory.create(date=timezone.localdate() + dt.timedelta(days=days), complete=False)
    [fact] = [fact for fact in open_page(client, activity).key_facts if fact.name == "date__v"]
    assert fact.note == told


def test_the_history_is_folded_away_unless_the_user_has_unfolded_it(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    folded = client.get(get_address(site)).content.decode()
    client.cookies["record_history"] = "open"
    unfolded = client.get(get_address(site)).content.decode()
    assert ("<details open" in folded, "<details open" in unfolded) == (False, True)


def test_sections_are_those_of_the_layout_in_force(client: Client, admin: User) -> None:
    study = StudyFactory.create()
    change_layouts(
        object_name="study__v",
        change=lambda sections: (replace(sections[0], title="Who and what", items=("sponsor__v", "name__v")),),
        actor=build_admin_actor(),
    )
    page = open_page(client, study)
    assert [
        (part.title, [fact.name for fact in part.facts]) for part in page.sections if isinstance(part, FieldsPart)
    ] == [("Who and what", ["sponsor__v"])]
    assert page.heading is not None
    assert page.heading.name == "name__v"


def test_an_investigator_has_the_layout_of_investigators(client: Client, admin: User) -> None:
    assert list(list_related(open_page(client, PersonFactory.create()))) == ["Study Roles"]
    assert list(list_related(open_page(client, InvestigatorFactory.create()))) == ["Study Roles", "Sites led"]


def test_fields_that_the_type_does_not_have_are_left_out_and_so_is_a_section_of_nothing_else(
    client: Client, admin: User
) -> None:
    event = MonitoringEventFactory.create()
    assert "Activity" not in [part.title for part in open_page(client, event).sections]
    assign_fields(
        object_name="monitoring_event__ctms",
        object_type=MonitoringEventType.INTERIM_MONITORING_VISIT,
        field_names=["monitoring_visit_method__v"],
        actor=build_admin_actor(),
    )
    page = open_page(client, event)
    [part] = [part for part in page.sections if part.title == "Activity"]
    assert isinstance(part, FieldsPart)
    assert [fact.label for fact in part.facts] == ["Monitoring visit method"]


def test_a_custom_field_stands_where_the_layout_has_it(client: Client, admin: User) -> None:
    create_custom_field(
        field=CustomField(of_object="study__v", label="Lead monitor", kind="reference", reference_object="person__sys"),
        actor=build_admin_actor(),
        add_to_layouts=True,
    )
    monitor = PersonFactory.create(first_name="Mia", last_name="Monitor")
    study = StudyFactory.create(custom_fields={"lead_monitor__c": str(monitor.uid)})
    page = open_page(client, study)
    [fact] = [
        fact
        for part in page.sections
        if isinstance(part, FieldsPart)
        for fact in part.facts
        if fact.name == "lead_monitor__c"
    ]
    assert (fact.value.text, fact.value.url) == ("Mia Monitor", get_address(monitor))


def test_what_is_empty_is_a_dash_and_long_text_keeps_its_lines(client: Client, admin: User) -> None:
    activity = ActivityFactory.create(site=None, notes="First\nSecond <b>")
    content = client.get(get_address(activity)).content.decode()
    assert list_facts(open_page(client, activity))["site__v"] == ""
    assert '<span class="none">–</span>' in content
    assert "First<br>Second &lt;b&gt;" in content


def test_references_are_links_for_those_who_may_read_them(client: Client) -> None:
    site = StudySiteFactory.create()
    log_in(client, "study__v:read", "site__v:read")
    urls = {fact.name: fact.value.url for fact in open_page(client, site).facts if fact.value.raw is not None}
    assert {name: url for name, url in urls.items() if url} == {"study__v": get_address(site.study)}
    assert list_facts(open_page(client, site))["principal_investigator__v"] == "(not visible to you)"


def test_what_a_layout_names_in_vain_is_told_to_admins_alone(client: Client, admin: User) -> None:
    study = StudyFactory.create()
    layout = PageLayout.objects.get(of_object="study__v", object_type="")
    section = LayoutSection.objects.filter(layout=layout).order_by("position")[0]
    section.items = [*section.items, "gone__c"]

    save_record(record=section, actor=build_admin_actor(), validate=False)
    assert open_page(client, study).warnings == ("Study Details: Study has no field gone__c.",)
    log_in(client, "study__v:read")
    assert open_page(client, study).warnings == ()


@pytest.mark.usefixtures("stopped_clock")
def test_the_page_takes_as_many_statements_for_many_related_records_as_for_one(client: Client, admin: User) -> None:
    study = StudyFactory.create()
    counts = []
    client.get(get_address(study))  # notes the page among the recent ones
    for number in (1, 2 * ROWS_SHOWN):
        for _ in range(number):
            create_record("monitoring_event__ctms", study)
            create_record("site__v", study)
        client.get(get_address(study))
        with CaptureQueriesContext(connection) as queries:
            open_page(client, study)
        counts.append(len(queries))
    assert counts[0] == counts[1]
