"""A visit and a communication are logged once; their activities follow by themselves, into the CRM and out of use.

An admin takes the requirement documents' path to it by hand, page by page.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from activities.choices import Channel
from activities.models import Activity
from crm_sync.sandbox.serving.running import RunningOrganisation, RunningSandbox
from ctms.clinical.models import MonitoringEvent, Person, StudyCommunicationLog, StudySite
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.test_admin_setup import (
    activate_job,
    activate_medical_activities,
    configure_automation,
    open_from_landing_page,
)
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.factories.connections import ConnectionFactory, IdentifierMappingFactory

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "na.crm.test"
GENERATE, TRANSFER = "Generate Clinical Activities", "CRM/Clinical Operations Transfer"
EVENTS, LOGS = "/records/monitoring_event__ctms/", "/records/study_communication_log__ctms/"
INTERIM = f"{EVENTS}create/?object_type__v=interim_monitoring_visit__v"
EMAIL = f"{LOGS}create/?object_type__v=email__v"
_WRITTEN = (
    "monitoring_event__ctms",
    "monitoring_event_participant__ctms",
    "study_communication_log__ctms",
    "study_communication_contact__ctms",
    "crm_activity__v",
)
_READ = ("study__v", "study_country__v", "site__v", "person__sys", "study_person__clin")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Two sites of a study: Hannah leads Berlin, where Jonas coordinates; Olga leads Munich."""

    berlin: StudySite
    munich: StudySite
    jonas: Person

    @property
    def hannah(self) -> Person:
        assert self.berlin.principal_investigator is not None
        return self.berlin.principal_investigator


@pytest.fixture
def world() -> World:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True, first_name="Ada", last_name="Adams")
    permissions = [f"{name}:{action}" for name in _WRITTEN for action in ("read", "create", "edit", "delete")]
    profile = SecurityProfileFactory.create(
        permissions=[*permissions, *(f"{name}:read" for name in _READ)], sees_all_studies=True
    )
    UserFactory.create(username="carla", first_name="Carla", last_name="Craig", security_profile=profile)
    country = StudyCountryFactory.create(study=StudyFactory.create(name="CARDIO-301", study_name="Heart failure"))
    hannah = InvestigatorFactory.create(first_name="Hannah", last_name="Berg")
    olga = InvestigatorFactory.create(first_name="Olga", last_name="Huber")
    berlin = StudySiteFactory.create(
        study_country=country, name="0142", site_name="Charité Berlin", principal_investigator=hannah
    )
    munich = StudySiteFactory.create(
        study_country=country, name="0143", site_name="Klinikum München", principal_investigator=olga
    )
    jonas = PersonFactory.create(first_name="Jonas", last_name="Weber")
    StudyPersonFactory.create(person=jonas, site=berlin, study=country.study)
    PersonFactory.create(first_name="Sam", last_name="Stranger")
    return World(berlin=berlin, munich=munich, jonas=jonas)


@pytest.fixture
def crm(settings: Any) -> Iterator[RunningOrganisation]:
    with RunningSandbox(names=["na"]) as sandbox:
        settings.CRM_SANDBOX_ORIGINS = {HOST: sandbox["na"].base_url}
        yield sandbox["na"]


def connect(crm: RunningOrganisation) -> None:
    """A connection whose CRM knows everybody by external id."""
    IdentifierMappingFactory.create(
        connection=ConnectionFactory.create(
            url=f"https://{HOST}",
            authorization__username=crm.user.username,
            authorization__password=crm.user.password,
            authorization__consumer_key=crm.connected_app.client_id,
            authorization__consumer_secret=crm.connected_app.client_secret,
        )
    )
    accounts = [
        {"LastName": person.last_name, "External_ID_vod__c": person.external_id} for person in Person.objects.all()
    ]
    crm.organisation.insert_records(object_name="Account", records=accounts)


def find(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label, exact=True)


def pick(page: Page, label: str, text: str) -> None:
    """Type, and take with the keyboard what is offered first."""
    find(page, label).fill(text)
    expect(page.locator(".listbox:not([hidden]) [role=option]").first).to_contain_text(text)
    page.keyboard.press("Enter")
    expect(find(page, label)).not_to_have_value(text)


def list_ticked(page: Page, label: str) -> list[str]:
    items = (
        page.get_by_role("list", name=f"{label}, chosen").get_by_role("listitem").filter(has=page.locator(":checked"))
    )
    return [text.strip() for text in items.all_inner_texts()]


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def run_job(page: Page, name: str) -> JobRun:
    """Ada presses Start Now; what a worker would do next happens here."""
    enter_as(page, "ada")
    open_from_landing_page(page, "Job Definitions")
    page.get_by_role("link", name=name).click()
    page.get_by_role("link", name="Start Now").click()
    page.get_by_role("button", name="Start Now").click()
    expect(page.get_by_text(f"{name} was started: 1 run queued.")).to_be_visible()
    [queued] = JobRun.objects.filter(state=RunState.QUEUED)
    execute_run(queued.pk)
    queued.refresh_from_db()
    assert queued.state == RunState.SUCCEEDED, queued.message
    enter_as(page, "carla")
    return queued


def list_activities(**conditions: Any) -> list[tuple[str, dt.date, str, str]]:
    """Whose, when, by which channel, and whether active."""
    found = Activity.objects.filter(is_generated=True, **conditions).order_by("person__first_name")
    return [(each.person.first_name, each.date, each.channel, each.status) for each in found.select_related("person")]


def list_sent(crm: RunningOrganisation) -> list[tuple[str, str]]:
    """Date and subject of what the CRM holds."""
    held = crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c")
    return sorted((each["Interaction_Date_vod__c"], each["Subject_vod__c"]) for each in held)


def log_visit(page: Page) -> MonitoringEvent:
    """Carla logs a visit to Berlin with two participants, with the keyboard where it matters."""
    page.goto(INTERIM)
    find(page, "Participants").click()
    nothing = "People are offered once Study, Study country or Site is chosen above"
    expect(page.locator(".listbox:not([hidden])")).to_contain_text(nothing)
    pick(page, "Site", "0142")
    page.get_by_label("Planned start").fill("2026-03-02")
    page.get_by_label("Monitoring visit method").select_option(label="On-site")
    pick(page, "Participants", "Hannah")
    expect(find(page, "Participants")).to_have_value("")
    find(page, "Participants").press("ArrowDown")
    options = page.locator(".listbox:not([hidden]) [role=option]")
    expect(options).to_have_count(2)
    assert [text.split(" (")[0] for text in options.all_inner_texts()] == ["Hannah Berg", "Jonas Weber"]
    page.keyboard.press("Escape")
    pick(page, "Participants", "Jonas")
    assert [text.split(" (")[0] for text in list_ticked(page, "Participants")] == ["Hannah Berg", "Jonas Weber"]
    assert find_violations(page, within="main") == []
    save(page)
    page.wait_for_url(re.compile(rf"{EVENTS}[0-9a-f-]{{36}}/$"))
    return MonitoringEvent.objects.get()


def log_communication(page: Page) -> None:
    """Of both sites at once."""
    page.goto(EMAIL)
    pick(page, "Site", "0142")
    expect(find(page, "Study")).to_have_value("CARDIO-301 · Heart failure")
    pick(page, "Site", "0143")
    page.get_by_label("Date").fill("2026-03-05")
    page.get_by_label("Subject").fill("Amendment 2")
    pick(page, "Contacts", "Jonas")
    save(page)
    problem = "Nobody who is chosen here belongs to 0143 · Klinikum München."
    expect(page.locator("#id_contacts_error")).to_contain_text(problem)
    assert [text.split(" ·")[0] for text in list_ticked(page, "Site")] == ["0142", "0143"]
    assert find_violations(page, within="main") == []
    pick(page, "Contacts", "Olga")
    save(page)
    expect(page.get_by_text("2 study communications created:")).to_be_visible()
    contacts = [
        (log.site.name, [each.person.first_name for each in log.contacts.all()])
        for log in StudyCommunicationLog.objects.select_related("site").order_by("pk")
        if log.site is not None
    ]
    assert contacts == [("0142", ["Jonas"]), ("0143", ["Olga"])]


def test_a_visit_and_a_communication_write_their_activities_and_take_them_back(
    page: Page, world: World, crm: RunningOrganisation
) -> None:
    connect(crm)
    enter_as(page, "ada")
    configure_automation(page)
    activate_medical_activities(page)
    activate_job(page, TRANSFER)

    enter_as(page, "carla")
    event = log_visit(page)
    notice = page.get_by_text("Activities will be written for Hannah Berg and Jonas Weber")
    expect(notice).to_contain_text("at the next run of the job Generate Clinical Activities")
    log_communication(page)
    assert list_activities() == []

    run = run_job(page, GENERATE)
    assert run.message == "4 activities written."
    first_day, second_day = dt.date(2026, 3, 2), dt.date(2026, 3, 5)
    assert list_activities(monitoring_event=event) == [
        ("Hannah", first_day, Channel.IN_PERSON, RecordStatus.ACTIVE),
        ("Jonas", first_day, Channel.IN_PERSON, RecordStatus.ACTIVE),
    ]
    assert list_activities(monitoring_event=None) == [
        ("Jonas", second_day, Channel.EMAIL, RecordStatus.ACTIVE),
        ("Olga", second_day, Channel.EMAIL, RecordStatus.ACTIVE),
    ]
    run_job(page, TRANSFER)
    visit = event.name
    assert list_sent(crm) == [
        ("2026-03-02", visit),
        ("2026-03-02", visit),
        ("2026-03-05", "Email: Amendment 2"),
        ("2026-03-05", "Email: Amendment 2"),
    ]
    page.goto(f"{EVENTS}{event.uid}/")
    page.get_by_text("Activities: ACT-").get_by_role("link").first.click()
    expect(page.get_by_text(re.compile("^Generated from"))).to_contain_text(event.name)

    page.goto(f"{EVENTS}{event.uid}/edit/")
    page.get_by_label("Planned start").fill("2026-03-09")
    page.get_by_label("Monitoring visit method").select_option(label="Remote: video")
    page.get_by_role("checkbox", name=re.compile("^Jonas Weber")).uncheck()
    save(page)
    coming = "Activities will be updated for Hannah Berg, made inactive for Jonas Weber,"
    expect(page.get_by_text(coming)).to_be_visible()
    assert run_job(page, GENERATE).message == "2 activities written."
    assert list_activities(monitoring_event=event) == [
        ("Hannah", dt.date(2026, 3, 9), Channel.VIDEO, RecordStatus.ACTIVE),
        ("Jonas", first_day, Channel.IN_PERSON, RecordStatus.INACTIVE),
    ]
    removed = Activity.objects.get(monitoring_event=event, person=world.jonas)
    page.goto(f"/records/crm_activity__v/{removed.uid}/")
    expect(page.get_by_role("main").get_by_text("Inactive", exact=True).first).to_be_visible()

    run_job(page, TRANSFER)
    event.refresh_from_db()
    assert list_sent(crm) == [
        ("2026-03-02", f"{visit} Deleted"),
        ("2026-03-05", "Email: Amendment 2"),
        ("2026-03-05", "Email: Amendment 2"),
        ("2026-03-09", event.name),
    ]


def test_without_javascript_participants_are_named_in_words(page: Page, browser: Browser, world: World) -> None:
    enter_as(page, "carla")
    with browser.new_context(java_script_enabled=False, base_url=page.url) as context:
        context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
        plain = context.new_page()
        page.goto("/")
        plain.goto(page.url.rstrip("/") + INTERIM)
        plain.locator("#id_site__v").fill("0142")
        plain.get_by_label("Planned start").fill("2026-03-02")
        plain.locator("#id_participants").fill("Jonas Weber; Sam Stranger")
        save(plain)
        expect(plain.locator("#id_participants_error")).to_contain_text("no active person “Sam Stranger”")
        expect(plain.locator("#id_participants")).to_have_value("Jonas Weber; Sam Stranger")
        plain.locator("#id_participants").fill(f"Jonas Weber; {world.hannah.email}")
        save(plain)
        expect(plain.get_by_role("heading", level=1)).to_contain_text("Interim Monitoring Visit")
        event = MonitoringEvent.objects.get()
        plain.goto(f"{page.url.rstrip('/')}{EVENTS}{event.uid}/edit/")
        plain.get_by_role("checkbox", name=re.compile("^Hannah Berg")).uncheck()
        save(plain)
        expect(plain.get_by_role("heading", level=1)).to_contain_text("Interim Monitoring Visit")
    assert [each.person for each in event.participants.all()] == [world.jonas]


@pytest.mark.parametrize("width", [360, 1440])
def test_the_entries_fit_the_window(page: Page, world: World, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    enter_as(page, "carla")
    page.goto(f"{EMAIL}&site__v={world.berlin.uid}")
    pick(page, "Contacts", "Jonas")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("checkbox", name=re.compile("^Jonas")).focus()
    page.keyboard.press("Space")
    assert list_ticked(page, "Contacts") == []
    assert find_violations(page, within="main") == []
