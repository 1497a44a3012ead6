"""What a CRA does in a day, in the pages that an admin configured, with real clicks and keys."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import SecurityProfile, User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.choices import PersonType
from ctms.clinical.models import StudySite
from ctms.configuration.models import PageLayout
from ctms.configuration.profiles import CRA
from ctms.configuration.steps import apply_steps, list_steps
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, kw_only=True)
class World:
    """A CRA with one study of their own, its site, and a study of others."""

    cra: User
    site: StudySite
    foreign: StudySite


@pytest.fixture
def world() -> World:
    actor = build_admin_actor()
    apply_steps(steps=list_steps(), actor=actor)
    profile = SecurityProfile.objects.get(api_name=CRA)
    profile.permissions = [*profile.permissions, "crm_activity__v:delete"]
    save_record(record=profile, actor=actor)
    cra = UserFactory.create(username="carla", first_name="Carla", last_name="Craig", security_profile=profile)
    study = StudyFactory.create(name="CARDIO-301", study_name="Cardiac outcomes")
    StudyAssignmentFactory.create(user=cra, study=study)
    site = StudySiteFactory.create(
        study_country=StudyCountryFactory.create(study=study), name="0142", site_name="Charité Berlin"
    )
    coordinator = PersonFactory.create(first_name="Jonas", last_name="Weber", email="jonas.weber@example.org")
    StudyPersonFactory.create(person=coordinator, site=site)
    for day in range(1, 6):
        ActivityFactory.create(person=coordinator, site=site, date=dt.date(2026, 3, day), subject=f"Monthly call {day}")
    return World(cra=cra, site=site, foreign=StudySiteFactory.create(name="9999", site_name="Elsewhere"))


def log_in(page: Page) -> None:
    enter_as(page, "carla")
    page.goto("/")


def open_list(page: Page) -> None:
    page.get_by_role("link", name="Activities", exact=True).first.click()
    expect(page.get_by_role("heading", name="Activities", level=1)).to_be_visible()


def run_jobs() -> None:
    """What the worker does as soon as it is told of a queued run."""
    for run in JobRun.objects.filter(state=RunState.QUEUED):
        execute_run(run.pk)


def test_a_call_is_logged_from_the_site_and_corrected_in_place(page: Page, world: World) -> None:
    log_in(page)
    page.keyboard.press("/")
    page.keyboard.type("Charité")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("0142")).first.click()
    expect(page.get_by_role("heading", name="0142", level=1)).to_be_visible()

    section = page.get_by_role("region", name="Activities", exact=True)
    section.get_by_role("link", name="Create").click()
    person = page.get_by_role("combobox", name="Person", exact=True)
    person.fill("weber")
    page.get_by_role("option", name=re.compile("Jonas Weber")).click()
    expect(page.locator("[data-field=person__v] .chosen li")).to_have_text(["Jonas Weber (jonas.weber@example.org)"])
    page.get_by_label("Channel").select_option(label="Phone")
    page.get_by_label("Complete").check()
    page.get_by_label("Subject").fill("Screening log reviewd")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("Carla Craig (carla@example.org)")).to_be_visible()
    activity = Activity.objects.get(subject="Screening log reviewd")
    assert (activity.site, activity.study, activity.study_country) == (
        world.site,
        world.site.study,
        world.site.study_country,
    )
    assert (activity.channel, activity.complete, activity.created_by) == (Channel.PHONE, True, world.cra)

    subject = page.locator("#field-subject__v")
    subject.dblclick()
    subject.get_by_role("textbox").fill("Screening log reviewed")
    page.keyboard.press("Enter")
    expect(subject).to_contain_text("Screening log reviewed")
    expect(page.get_by_role("complementary")).to_contain_text("Screening log reviewd")
    activity.refresh_from_db()
    assert (activity.subject, activity.version) == ("Screening log reviewed", 2)


def test_five_planned_calls_are_completed_at_once(page: Page, world: World) -> None:
    log_in(page)
    open_list(page)
    boxes = page.locator("tbody input[type=checkbox]")
    expect(boxes).to_have_count(5)
    for box in boxes.all():
        box.check()
    page.get_by_role("button", name=re.compile("^Edit")).last.click()
    page.get_by_label("Complete", exact=True).first.check()
    page.get_by_label("New value of Complete").select_option(label="Yes")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name=re.compile("^Change 5")).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    run_jobs()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    assert list(Activity.objects.values_list("complete", flat=True)) == [True] * 5
    assert AuditEntry.objects.filter(actor=world.cra, action=AuditAction.CHANGED).count() == 5


def test_a_view_is_saved_and_exported_as_it_is_shown(page: Page, world: World) -> None:
    log_in(page)
    open_list(page)
    page.goto(page.url + "?date__v__from=2026-03-04&sort=date__v")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("#list-head summary", has_text="Views").click()
    page.get_by_role("link", name="Save as a new view…").click()
    page.get_by_label("Name").fill("From the fourth")
    page.get_by_role("button", name="Save view").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    open_list(page)
    page.locator("#list-head summary", has_text="All activities").click()
    page.get_by_role("link", name="From the fourth").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_text("Import / export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("csv", re.IGNORECASE)).click()
    content = download.value.path().read_text(encoding="utf-8-sig")
    header, *lines = content.strip().splitlines()
    assert header.split(",")[:3] == ["Subject", "Date", "Person"]
    assert [re.search(r"2026-03-\d\d", line)[0] for line in lines] == ["2026-03-04", "2026-03-05"]  # type: ignore[index]


def test_two_people_change_the_same_call_and_nothing_is_overwritten(page: Page, world: World) -> None:
    activity = Activity.objects.get(subject="Monthly call 1")
    log_in(page)
    page.goto(f"/records/crm_activity__v/{activity.uid}/edit/")
    page.get_by_label("Subject").fill("What I typed")
    page.get_by_label("Channel").select_option(label="Video")
    other = UserFactory.create(first_name="Olga", last_name="Other")
    theirs = Activity.objects.get(pk=activity.pk)
    theirs.subject, theirs.notes = "What Olga typed", "Olga's notes"
    save_record(record=theirs, actor=Actor(user=other, source="page"))
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_role("heading", name="Somebody else saved this meanwhile")).to_be_visible()
    activity.refresh_from_db()
    assert (activity.subject, activity.channel) == ("What Olga typed", Channel.PHONE)
    page.get_by_role("row", name=re.compile("^Subject")).get_by_label("Yours").check()
    page.get_by_role("button", name="Save what is chosen").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("What I typed")
    activity.refresh_from_db()
    assert (activity.subject, activity.channel, activity.notes) == ("What I typed", Channel.VIDEO, "Olga's notes")


def test_a_call_is_deleted_after_a_question_and_stays_in_the_audit_trail(page: Page, world: World) -> None:
    activity = Activity.objects.get(subject="Monthly call 2")
    log_in(page)
    page.goto(f"/records/crm_activity__v/{activity.uid}/")
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("heading", name="Activities", level=1)).to_be_visible()
    assert not Activity.objects.filter(pk=activity.pk).exists()
    [entry] = AuditEntry.objects.filter(record_uid=activity.uid, action=AuditAction.DELETED)
    assert entry.changes["subject"] == ["Monthly call 2", None]


def test_a_call_is_logged_by_keyboard_alone(page: Page, world: World) -> None:
    log_in(page)
    page.keyboard.press("l")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("combobox", name="Person", exact=True)).to_be_focused()
    page.keyboard.type("weber")
    expect(page.get_by_role("option", name=re.compile("Jonas Weber"))).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(dialog.locator("[data-field=person__v] .chosen li")).to_have_text(["Jonas Weber (jonas.weber@example.org)"])
    dialog.get_by_label("Subject").focus()
    page.keyboard.type("Logged by keyboard")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast")).to_contain_text("Call with Jonas Weber")
    activity = Activity.objects.get(subject="Logged by keyboard")
    assert (activity.person.last_name, activity.channel, activity.from_text) == (
        "Weber",
        Channel.PHONE,
        "Carla Craig (carla@example.org)",
    )


def test_a_call_is_logged_on_a_phone(page: Page, world: World) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page)
    page.goto(f"/records/site__v/{world.site.uid}/")
    page.get_by_role("region", name="Activities", exact=True).get_by_role("link", name="Create").click()
    page.get_by_role("combobox", name="Person", exact=True).fill("weber")
    page.get_by_role("option", name=re.compile("Jonas Weber")).click()
    page.get_by_label("Channel").select_option(label="Email")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ACT-")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert Activity.objects.filter(channel=Channel.EMAIL, site=world.site).count() == 1


def test_what_belongs_to_others_is_not_found(page: Page, world: World, page_problems: list[str]) -> None:
    log_in(page)
    page.keyboard.press("/")
    page.keyboard.type("Elsewhere")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=Elsewhere*")
    expect(page.get_by_role("link", name=re.compile("9999"))).to_have_count(0)
    answer = page.goto(f"/records/site__v/{world.foreign.uid}/")
    assert answer is not None
    assert answer.status == 404
    assert [problem for problem in page_problems if "404" not in problem] == []
    page_problems.clear()


def test_a_page_has_the_sections_of_its_layout_in_their_order(page: Page, world: World) -> None:
    layout = PageLayout.objects.get(of_object="person__sys", object_type=PersonType.INVESTIGATOR)
    titles = list(layout.sections.order_by("position").values_list("title", flat=True))
    log_in(page)
    page.goto(f"/records/person__sys/{world.site.principal_investigator.uid}/")  # type: ignore[union-attr]
    shown = [text.strip() for text in page.locator("main h2").all_inner_texts()]
    assert [title for title in shown if title in titles] == titles
