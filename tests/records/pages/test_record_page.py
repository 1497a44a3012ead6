"""The record page: it follows the layout, within what the user may see and do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.choices import MonitoringEventType
from ctms.clinical.models import Study
from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import SectionDraft
from ctms.configuration.models import CustomField, LayoutSection, PageLayout, ReasonRule
from ctms.configuration.registry import get_object, register_object
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.configuration.services.layouts import change_layouts
from ctms.configuration.services.object_types import assign_action, assign_fields, set_object_type_status
from ctms.configuration.snapshot import forget_configuration
from ctms.core.choices import RecordStatus
from ctms.records.fields.titles import get_title
from ctms.records.pages.actions import RecordAction, register_action
from ctms.records.pages.record_page import FieldsPart, RecordPage
from ctms.records.pages.related import ROWS_SHOWN, RelatedPart
from tests.admin_forms import fill, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record

pytestmark = pytest.mark.django_db

SITES = ["study__v:read", "site__v:read", "site__v:create", "site__v:edit", "site__v:delete"]


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, is_staff=True)
    client.force_login(user)
    return user


def log_in(client: Client, *permissions: str, sees_all: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


def get_address(record: Any, *steps: str) -> str:
    return "/".join([f"/records/{record.object_name}/{record.uid}", *steps, ""])


def open_page(client: Client, record: Any) -> RecordPage:
    response = client.get(get_address(record))
    assert response.status_code == 200
    page: RecordPage = response.context["page"]
    return page


def list_facts(page: RecordPage) -> dict[str, str]:
    return {fact.name: fact.value.text for fact in page.facts}


def list_sections(page: RecordPage) -> dict[str, list[str]]:
    return {part.title: [fact.name for fact in part.facts] for part in page.sections if isinstance(part, FieldsPart)}


def list_related(page: RecordPage) -> dict[str, RelatedPart]:
    return {part.title: part for part in page.sections if isinstance(part, RelatedPart)}


def add_section(object_name: str, **values: Any) -> None:
    section = SectionDraft(kind=SectionKind.RELATED, **values)
    change_layouts(object_name=object_name, change=lambda sections: (*sections, section), actor=build_admin_actor())


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


# -- The Actions menu -----------------------------------------------------------------------------
def test_all_that_the_profile_allows_is_offered(client: Client) -> None:
    site = StudySiteFactory.create()
    log_in(client, *SITES)
    menu = open_page(client, site).menu
    assert [menu.edit_url, menu.clone_url, menu.status_url, menu.delete_url] == [
        get_address(site, step) for step in ("edit", "clone", "status", "delete")
    ]
    log_in(client, "site__v:read")
    menu = open_page(client, site).menu
    assert [menu.edit_url, menu.clone_url, menu.status_url, menu.delete_url, menu.own] == ["", "", "", "", []]


def test_a_medical_activity_says_where_it_comes_from_and_offers_nothing(client: Client, admin: User) -> None:
    activity = MedicalActivityFactory.create()
    content = client.get(get_address(activity)).content.decode()
    page = open_page(client, activity)
    assert (page.type_label, page.origin) == ("Medical Activity", "the Medical CRM")
    assert "This Medical Activity comes from the Medical CRM." in content
    assert ("fact-edit" in content, page.menu.edit_url, page.menu.status_url, page.menu.delete_url) == (
        False,
        "",
        "",
        "",
    )


def test_deactivating_and_activating_is_written_with_an_audit_entry(client: Client) -> None:
    site = StudySiteFactory.create()
    log_in(client, *SITES)
    for status, word, version in (("inactive__v", "Inactive", 1), ("active__v", "Active", 2)):
        response = client.post(get_address(site, "status"), {"status": status, "expected_version": version})
        assert (response.status_code, response.headers["Location"]) == (302, get_address(site))
        told = [str(each) for each in get_messages(response.wsgi_request)][-1]
        assert told.startswith(f"{site} is {word} now. <button")
        site.refresh_from_db()
        assert (site.status, site.version) == (status, version + 1)
    latest = AuditEntry.objects.filter(record_uid=site.uid).first()
    assert latest is not None
    assert latest.changes == {"status": ["inactive__v", "active__v"]}


def test_a_status_is_not_changed_over_somebody_elses_change(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    response = client.post(get_address(site, "status"), {"status": "inactive__v", "expected_version": 7}, follow=True)
    assert "after you opened it (version 1, yours is 7)" in response.content.decode()
    site.refresh_from_db()
    assert site.status == RecordStatus.ACTIVE


@pytest.mark.parametrize("data", [{"status": "asleep__v", "expected_version": 1}, {"status": "inactive__v"}, {}])
def test_a_request_that_no_page_makes_is_refused(client: Client, admin: User, data: dict[str, Any]) -> None:
    site = StudySiteFactory.create()
    assert client.post(get_address(site, "status"), data).status_code == 400
    site.refresh_from_db()
    assert site.version == 1


def test_a_status_is_refused_to_those_who_may_not_change_the_record(client: Client, admin: User) -> None:
    medical = MedicalActivityFactory.create()
    response = client.post(get_address(medical, "status"), {"status": "inactive__v", "expected_version": 1})
    assert response.status_code == 403
    assert "comes from the Medical CRM" in response.content.decode()


# -- An object's own actions ----------------------------------------------------------------------
@pytest.fixture
def with_action() -> Iterator[None]:
    """Register two actions: sites can be moved to Bonn, once; persons can be praised, if an admin assigned it."""
    site, person = get_object("site__v"), get_object("person__sys")
    register_object(replace(site, actions={"move_to_bonn__c": "Move to Bonn"}))
    register_object(replace(person, actions={"praise__c": "Praise"}))

    def move(record: Any, actor: Actor) -> str:

        record.city = "Bonn"
        save_record(record=record, actor=actor)
        return f"{record} is in Bonn now."

    register_action(
        RecordAction(
            object_name="site__v",
            api_name="move_to_bonn__c",
            run=move,
            explain=lambda record, _user: f"{record} is in Bonn already." if record.city == "Bonn" else "",
        )
    )
    register_action(RecordAction(object_name="person__sys", api_name="praise__c", run=lambda *_: "Praised."))
    forget_configuration()
    yield
    register_object(site)
    register_object(person)
    forget_configuration()


def test_an_objects_own_action_is_done_and_then_no_longer_offered(
    client: Client, admin: User, with_action: None
) -> None:
    site = StudySiteFactory.create(city="Berlin")
    [offered] = open_page(client, site).menu.own
    assert (offered.label, offered.url) == ("Move to Bonn", get_address(site, "actions", "move_to_bonn__c"))
    response = client.post(offered.url)
    (message,) = get_messages(response.wsgi_request)
    assert str(message).startswith(f"{site} is in Bonn now. <button")
    assert open_page(client, site).menu.own == []
    refused = client.post(offered.url)
    assert (refused.status_code, f"{site} is in Bonn already." in refused.content.decode()) == (403, True)


def test_an_action_is_offered_on_the_types_to_which_it_is_assigned(
    client: Client, admin: User, with_action: None
) -> None:
    person = InvestigatorFactory.create()
    address = get_address(person, "actions", "praise__c")
    assert (open_page(client, person).menu.own, client.post(address).status_code) == ([], 403)
    assign_action(
        object_name="person__sys",
        object_type=person.object_type,
        action_name="praise__c",
        actor=build_admin_actor(),
    )
    assert [each.label for each in open_page(client, person).menu.own] == ["Praise"]
    assert client.post(address).status_code == 302


def test_an_action_leads_back_to_the_list_that_it_was_done_in(client: Client, admin: User, with_action: None) -> None:
    site = StudySiteFactory.create(city="Graz")
    moved = client.post(get_address(site, "actions", "move_to_bonn__c"), {"query": f"size=50&peek={site.uid}"})
    assert moved.headers["Location"] == f"/records/site__v/?size=50&peek={site.uid}"
    closed = client.post(
        get_address(site, "status"), {"status": "inactive__v", "expected_version": "2", "query": "size=50"}
    )
    assert closed.headers["Location"] == "/records/site__v/?size=50"


def test_the_page_that_asks_for_a_reason_leads_back_to_the_list_too(client: Client, admin: User) -> None:
    site = StudySiteFactory.create()
    save_record(record=ReasonRule(of_object="site__v", field_name="status__v"), actor=build_admin_actor())
    sent = {"status": "inactive__v", "expected_version": "1", "query": "size=50"}
    page = client.post(get_address(site, "status"), sent)
    typed = fill(read_form(page, form_id="reason-form"), typed={"change_reason": "Closed early"})
    assert client.post(get_address(site, "status"), typed).headers["Location"] == "/records/site__v/?size=50"


def test_what_asks_for_a_value_is_offered_too_while_it_applies(client: Client, admin: User) -> None:
    activity = ActivityFactory.create(complete=False)
    offered = {each.label: each.url for each in open_page(client, activity).menu.quick}
    assert offered["Reschedule"] == get_address(activity, "fields", "date__v")
    assert "Complete" in offered
    assert open_page(client, ActivityFactory.create(complete=True)).menu.quick == []


def test_an_action_of_no_object_does_not_exist(client: Client, admin: User) -> None:
    assert client.post(get_address(StudyFactory.create(), "actions", "move_to_bonn__c")).status_code == 404


def test_actions_are_for_those_who_may_change_the_record(client: Client, with_action: None) -> None:
    site = StudySiteFactory.create()
    log_in(client, "site__v:read")
    assert open_page(client, site).menu.own == []
    assert client.post(get_address(site, "actions", "move_to_bonn__c")).status_code == 403


def test_a_country_of_another_study_is_not_shown(client: Client) -> None:
    user = log_in(client, "study__v:read", "study_country__v:read", sees_all=False)
    study: Study = StudyAssignmentFactory.create(user=user).study
    StudyCountryFactory.create(study=study)
    StudyCountryFactory.create()
    assert list_related(open_page(client, study))["Study Countries"].count == "1"
