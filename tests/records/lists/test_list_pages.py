"""The page of a list."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.clinical.models import Person
from ctms.configuration.registry import list_record_objects
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from ctms.records.models import ListPreference
from tests.admin_forms import read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.record_rows import create_record
from tests.records.trainings import add_custom_fields, create_trainings

pytestmark = pytest.mark.django_db

ACTIVITIES = "/records/crm_activity__v/"
TRAININGS = "/records/training__v/"


class Page(HTMLParser):
    """The parsed page of a list: cells by row, links by text, alerts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.content = content
        self.rows: list[list[str]] = []
        self.links: dict[str, str] = {}
        self._cell: list[str] | None = None
        self._link: tuple[str, list[str]] | None = None
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and "-cell" not in (values.get("class") or "").replace("title-cell", ""):
            self._cell = []
        elif tag == "a":
            self._link = (values.get("href") or "", [values.get("aria-label") or ""])

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
        if self._link is not None:
            self._link[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "a" and self._link is not None:
            self.links.setdefault(" ".join(" ".join(self._link[1]).split()), self._link[0])
            self._link = None

    @property
    def heading(self) -> list[str]:
        return self.rows[0]

    @property
    def body(self) -> list[list[str]]:
        return [row for row in self.rows[1:] if row]

    @property
    def names(self) -> list[str]:
        return [row[0] for row in self.body]

    def find(self, pattern: str) -> list[str]:
        return [" ".join(each.split()) for each in re.findall(pattern, self.content, re.DOTALL)]


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def open_page(client: Client, address: str) -> Page:
    response = client.get(address, follow=True)
    assert response.status_code == 200
    return Page(response.content.decode())


def log_in_with(client: Client, *permissions: str, sees_all_studies: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all_studies)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


# -- What is shown ------------------------------------------------------------------------------------------------


def test_a_list_shows_its_columns_with_links_chips_and_texts(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(
        site=site, date=dt.date(2026, 3, 2), channel=Channel.PHONE, complete=True, subject="<b>About & more</b>"
    )
    page = open_page(client, ACTIVITIES)
    assert page.heading == ["Subject", "Date", "Person", "Channel", "Complete", "Study", "Site", "Owner", "Name"]
    assert page.body == [
        [
            "<b>About & more</b>",
            "2 Mar 2026",
            activity.person.name,
            "Phone",
            "Complete",
            site.study.name,
            f"{site.name} · {site.city or site.site_name}",
            "Ada Admin",
            activity.name,
        ]
    ]
    assert "<b>About" not in page.content
    assert page.links["<b>About & more</b>"] == f"{ACTIVITIES}{activity.uid}/"
    assert page.links[site.study.name] == f"/records/study__v/{site.study.uid}/"
    assert page.find('<span class="count" data-list-count>(.*?)</span>') == ["1"]


def test_what_the_user_may_not_read_is_not_named(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read", "crm_activity__v:edit", "person__sys.investigator__v:read")
    activity = ActivityFactory.create(person=PersonFactory.create(last_name="Secret", email="secret@x.example"))
    page = open_page(client, ACTIVITIES)
    assert page.body[0][2] == "(not visible to you)"
    for address in (ACTIVITIES, *(f"{ACTIVITIES}{activity.uid}/{rest}" for rest in ("", "edit/", "fields/person__v/"))):
        response = client.get(address)
        assert (response.status_code, "ecret" in response.content.decode()) == (200, False), address
    exported = b"".join(client.get(f"{ACTIVITIES}export.csv?columns=person__v"))
    assert ("(not visible to you)" in exported.decode(), "Secret" in exported.decode()) == (True, False)


def test_what_the_user_may_not_read_is_not_told_by_the_order_either(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read")
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?sort=person__v")
    assert "Sort by one of" in page.content
    assert "sort=person__v" not in open_page(client, ACTIVITIES).content


def test_medical_activities_stand_beside_clinical_ones_and_say_where_they_come_from(client: Client, user: User) -> None:
    clinical = ActivityFactory.create(date=dt.date(2026, 3, 1))
    medical = MedicalActivityFactory.create(date=dt.date(2026, 3, 2))
    page = open_page(client, ACTIVITIES)
    assert page.names == [f"{medical.subject} From the Medical CRM", clinical.subject]
    assert page.find('<span class="origin" title="(.*?)">') == ["From the Medical CRM"]


def test_records_of_an_inactive_object_type_stay_visible(client: Client, user: User) -> None:
    activity = ActivityFactory.create()
    set_object_type_status(
        object_name=Activity.object_name,
        object_type=ActivityType.CLINICAL,
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )
    page = open_page(client, ACTIVITIES)
    assert page.names == [activity.subject]
    assert "Create activity" not in page.links


def test_only_permitted_types_and_visible_studies_are_listed(client: Client) -> None:
    user = log_in_with(client, f"crm_activity__v.{ActivityType.CLINICAL}:read", sees_all_studies=False)
    seen, hidden = StudyFactory.create(), StudyFactory.create()
    StudyAssignmentFactory.create(user=user, study=seen)
    mine, of_none = ActivityFactory.create(study=seen), ActivityFactory.create(actor=Actor(user=user, source="page"))
    ActivityFactory.create(study=hidden)
    ActivityFactory.create()
    MedicalActivityFactory.create()
    assert sorted(open_page(client, ACTIVITIES).names) == sorted([mine.subject, of_none.subject])


@pytest.mark.parametrize("object_name", [each.api_name for each in list_record_objects()])
def test_every_object_has_a_list(client: Client, user: User, object_name: str) -> None:
    record = create_record(object_name)
    page = open_page(client, f"/records/{object_name}/")
    assert f"/records/{object_name}/{record.uid}/" in page.links.values()


def test_an_object_of_the_admin_console_has_no_list(client: Client, user: User) -> None:
    assert client.get("/records/connection__sys/").status_code == 404
    assert client.get("/records/nothing__v/").status_code == 404


def test_without_permission_the_list_is_refused(client: Client) -> None:
    log_in_with(client, "study__v:read")
    assert client.get(ACTIVITIES).status_code == 403


def test_visitors_are_led_to_the_log_in_page(client: Client) -> None:
    assert client.get(ACTIVITIES).headers["Location"] == f"/login/?next={ACTIVITIES}"


def test_a_list_takes_as_many_statements_for_fifty_rows_as_for_one(client: Client, user: User) -> None:
    add_custom_fields()
    create_trainings()
    columns = "columns=name__v,trainee__v,created_by__v,modified_by__v,person__c,status__v,uid__sys,remarks__v"

    def count(query: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{TRAININGS}?{columns}&{query}").status_code == 200
        return len(queries)

    count("size=1")
    one = count("name__v=e")
    for _ in range(7):
        create_trainings()
    assert count("size=200") == one
    assert count("size=1") == one


# -- What is empty ------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_its_records_are_and_offers_to_create_one(client: Client, user: User) -> None:
    page = open_page(client, ACTIVITIES)
    assert page.find("<h2>(.*?)</h2>") == ["No activities yet"]
    assert "An activity is a contact with a person of a study" in page.content
    assert page.links["Create activity"] == f"{ACTIVITIES}create/"


def test_who_cannot_create_is_not_offered_it(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read")
    page = open_page(client, ACTIVITIES)
    assert page.find("<h2>(.*?)</h2>") == ["No activities yet"]
    labels = [label for label in page.links if label.startswith(("Create ", "Import "))]
    assert labels == []


def test_filters_that_leave_nothing_are_said_to(client: Client, user: User) -> None:
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?q=nothing&sort=name__v")
    assert page.find("<h2>(.*?)</h2>") == ["No activity matches"]
    assert page.links["Clear filters"] == f"{ACTIVITIES}?sort=name__v"


def test_a_page_whose_records_have_gone_leads_to_the_first(client: Client, user: User) -> None:
    create_people(30)
    page = open_page(client, "/records/person__sys/?size=25")
    with_cursor = page.links["Next page"].replace("&amp;", "&")
    with allow_record_writes():
        Person.objects.filter(external_id__gte="BULK-000020").delete()
    page = open_page(client, with_cursor)
    assert page.find("<h2>(.*?)</h2>") == ["Nothing is left here"]
    assert page.links["Go to the first page"] == "/records/person__sys/?size=25"


# -- What is asked for --------------------------------------------------------------------------------------------


def test_filters_in_force_have_chips_that_remove_them(client: Client, user: User) -> None:
    study = StudyFactory.create(name="CARDIO-301")
    one = ActivityFactory.create(study=study)
    ActivityFactory.create(study=study, complete=True)
    page = open_page(client, f"{ACTIVITIES}?study__v={study.uid}&complete__v=false&sort=name__v&size=25")
    assert page.names == [one.subject]
    assert page.find(r"<span>(Study|Complete): <strong>(?:.*?)</strong></span>") == ["Study", "Complete"]
    assert page.links["Remove filter: Study CARDIO-301"] == f"{ACTIVITIES}?complete__v=false&sort=name__v&size=25"
    assert page.links["Clear"] == f"{ACTIVITIES}?sort=name__v&size=25"


def test_filters_that_the_object_offers_come_first_and_keep_the_address(client: Client, user: User) -> None:
    page = open_page(client, f"{ACTIVITIES}?complete__v=false")
    found = [each.partition("/?") for each in page.find(r'class="menu-item"\s+href="[^"]*/filters/(.*?)"')]
    names = [name for name, _, _ in found][1:]  # the first is the chip of the one in force
    assert names[:4] == ["study__v", "site__v", "person__v", "ownerid__v"]
    assert {"notes__v", "modified_date__v", "external_id__v"} <= set(names)
    assert {query for _, _, query in found[:-1]} == {"complete__v=false"}  # the last leads to the form of all


def test_what_is_not_understood_is_named_and_can_be_left_out(client: Client, user: User) -> None:
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?date__v__from=31&foo=%3Cb%3E&cursor=x&complete__v=false")
    texts = page.find("<li>(.*?)</li>")
    alerts = [re.sub("<.*?>", "", text) for text in texts if "Leave it out" in text]
    assert alerts == [
        "Date (date__v__from): &#x27;31&#x27; is no day. Enter it as year-month-day, e.g. 2026-03-31. Leave it out",
        "foo: Activities cannot be filtered by this. Leave it out",
        "cursor: This place in the list cannot be read. Go to the first page. Leave it out",
    ]
    assert page.links["Leave it out"] == f"{ACTIVITIES}?foo=%3Cb%3E&complete__v=false"
    assert page.body == []


def test_a_sort_size_or_column_that_is_not_understood_hides_nothing(client: Client, user: User) -> None:
    activity = ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?sort=x&size=y&columns=z")
    assert page.names == [activity.subject]
    assert page.content.count("Leave it out") == 3


def test_a_form_without_values_leads_to_the_plain_address(client: Client, user: User) -> None:
    response = client.get(f"{ACTIVITIES}?q=&complete__v=&channel__v=phone__v&date__v__from=")
    assert response.headers["Location"] == f"{ACTIVITIES}?channel__v=phone__v"
    assert client.get(f"{ACTIVITIES}?q=").headers["Location"] == ACTIVITIES


def test_what_was_typed_into_a_reference_is_looked_up(client: Client, user: User) -> None:
    study, other = StudyFactory.create(name="CARDIO-301"), StudyFactory.create()
    typed = {"condition": "study__v", "place": "", "number": "0", "c0-operator": "is", "c0-value": str(other.uid)}
    response: Any = client.get(f"{ACTIVITIES}filters/change/", {**typed, "c0-entry__text": "cardio-301"})
    assert response.url == f"{ACTIVITIES}?study__v={other.uid}&study__v={study.uid}"
    response = client.get(f"{ACTIVITIES}filters/change/", {**typed, "c0-entry__text": "nothing"})
    assert "There is no study “nothing” that you can see." in response.content.decode()


def test_headings_sort_one_way_and_then_the_other(client: Client, user: User) -> None:
    for subject in "bca":
        ActivityFactory.create(subject=subject, date=dt.date(2026, 3, ord(subject) - 96))

    def list_subjects(query: str) -> str:
        return "".join(row[0] for row in open_page(client, f"{ACTIVITIES}?{query}").body)

    def list_sorts(query: str) -> dict[str, str]:
        found = open_page(client, f"{ACTIVITIES}?{query}").find(r'<th scope="col"(.*?)</th>')
        return {
            " ".join(re.sub("<.*?>", "", each.partition(">")[2]).split()): url[1]
            for each in found
            if (url := re.search(r"[?]sort=([a-z_-]+)", each))
        }

    page = open_page(client, ACTIVITIES)
    assert "".join(row[0] for row in page.body) == "cba"
    assert page.find(r'aria-sort="(\w+)"') == ["descending"]
    assert (list_subjects("sort=date__v"), list_subjects("sort=-subject__v")) == ("abc", "cba")
    plain, by_subject = list_sorts(""), list_sorts("sort=subject__v")
    assert (plain["Date"], plain["Subject"]) == ("date__v", "subject__v")
    assert (by_subject["Date"], by_subject["Subject"]) == ("-date__v", "-subject__v")


def test_pages_are_walked_by_links(client: Client, user: User) -> None:
    create_activities(60)
    seen: list[str] = []
    address, shown = f"{ACTIVITIES}?size=25&sort=subject__v", []
    while address:
        page = open_page(client, address)
        seen += page.names
        shown += page.find('<span class="tabular muted">(.*?)</span>')
        address = page.links.get("Next page", "")
    assert len(set(seen)) == 60
    assert shown == ["1–25 of 60", "26–50 of 60", "51–60 of 60"]
    last = open_page(client, open_page(client, f"{ACTIVITIES}?size=25&sort=subject__v").links["Last page"])
    assert last.names == seen[-25:]
    assert last.find('<span class="tabular muted">(.*?)</span>') == ["36–60 of 60"]
    assert ("Next page" in last.links, "Last page" in last.links) == (False, False)
    assert last.links["First page"] == f"{ACTIVITIES}?size=25&sort=subject__v"


def test_more_than_a_thousand_are_not_counted(client: Client, user: User) -> None:
    create_people(1002)
    page = open_page(client, "/records/person__sys/")
    assert page.find('<span class="count" data-list-count>(.*?)</span>') == ["1,000+"]
    assert page.find('<span class="tabular muted">(.*?)</span>') == ["1–50 of 1,000+"]
    last = open_page(client, page.links["Last page"])
    assert last.find('<span class="tabular muted">(.*?)</span>') == ["50 of 1,000+"]


# -- What can be done ---------------------------------------------------------------------------------------------


def list_row_menu(page: Page) -> list[str]:
    menu = page.content.rpartition('<td class="menu-cell">')[2].partition("</td>")[0]
    return [" ".join(re.sub("<.*?>", " ", each).split()) for each in re.findall("<a .*?</a>", menu, re.DOTALL)]


def test_the_menu_of_a_row_offers_what_the_user_may(client: Client) -> None:
    ActivityFactory.create(complete=False)
    log_in_with(client, "crm_activity__v:read", "crm_activity__v:edit", "crm_activity__v:create")
    assert list_row_menu(open_page(client, ACTIVITIES)) == [
        "Open",
        "Peek",
        "Reschedule…",
        "Edit",
        "Hand over…",
        "Clone",
    ]
    log_in_with(client, "crm_activity__v:read", "crm_activity__v:delete")
    assert list_row_menu(open_page(client, ACTIVITIES)) == ["Open", "Peek", "Delete…"]


def test_a_medical_activity_can_only_be_looked_at(client: Client, user: User) -> None:
    MedicalActivityFactory.create()
    assert list_row_menu(open_page(client, ACTIVITIES)) == ["Open", "Peek"]


def test_rows_can_be_chosen_by_those_who_may_edit(client: Client) -> None:
    activity = ActivityFactory.create()
    log_in_with(client, "crm_activity__v:read", "crm_activity__v:edit")
    page = open_page(client, f"{ACTIVITIES}?complete__v=false&cursor=")
    assert page.find('<form class="list-rows" method="post" action="(.*?)">') == [
        f"{ACTIVITIES}bulk/?complete__v=false"
    ]
    assert page.find('name="uids"\\s+value="(.*?)"') == [str(activity.uid)]
    log_in_with(client, "crm_activity__v:read")
    page = open_page(client, ACTIVITIES)
    assert ("uids" in page.content, "bulk-bar" in page.content) == (False, False)


# -- Columns and page size ----------------------------------------------------------------------------------------


def post(client: Client, address: str, **values: Any) -> str:
    response = client.post(address, values)
    assert response.status_code == 302
    return str(response.headers["Location"])


def test_chosen_columns_are_remembered_in_their_order(client: Client, user: User) -> None:
    create_trainings()
    address = post(client, f"{TRAININGS}columns/?passed__v=true&columns=hours__v", column=["date__v", "passed__v"])
    assert address == f"{TRAININGS}?passed__v=true"
    assert open_page(client, TRAININGS).heading == ["Name", "Date", "Passed"]


def test_a_column_is_moved_without_javascript(client: Client, user: User) -> None:
    create_trainings()
    columns = ["date__v", "passed__v", "hours__v"]
    post(client, f"{TRAININGS}columns/", column=columns, up="hours__v")
    assert open_page(client, TRAININGS).heading == ["Name", "Date", "Hours", "Passed"]
    post(client, f"{TRAININGS}columns/", column=columns, down="date__v")
    assert open_page(client, TRAININGS).heading == ["Name", "Passed", "Date", "Hours"]


def test_columns_are_put_back_as_delivered(client: Client, user: User) -> None:
    create_trainings()
    post(client, f"{TRAININGS}columns/", column=["date__v"])
    post(client, f"{TRAININGS}columns/", column=["date__v"], reset="1")
    assert open_page(client, TRAININGS).heading == ["Name", "Status", "Last modified date"]


def test_columns_that_there_are_not_are_not_remembered(client: Client, user: User) -> None:
    post(client, f"{TRAININGS}columns/", column=["date__v", "nothing__v", "name__v"])
    assert ListPreference.objects.get().columns == ["name__v", "date__v"]


def test_the_page_size_is_remembered(client: Client, user: User) -> None:
    create_people(30)
    people = "/records/person__sys/"
    assert post(client, f"{people}columns/?size=50&sort=name__v&cursor=x", size="25") == f"{people}?sort=name__v"
    assert len(open_page(client, people).body) == 25
    post(client, f"{people}columns/", column=["email__sys"])
    assert len(open_page(client, people).body) == 25
    assert open_page(client, people).heading == ["Name", "Email"]


@pytest.mark.parametrize("size", ["26", "-1", "x", "100000"])
def test_another_page_size_is_not_remembered(client: Client, user: User, size: str) -> None:
    post(client, f"{TRAININGS}columns/", size=size, column=["name__v"])
    assert ListPreference.objects.get().page_size == 50


# -- The form of a filter -----------------------------------------------------------------------------------------


def list_entries(page: Page) -> dict[str, list[str]]:
    """Return the values of the form's inputs by name."""
    form = page.content.partition('id="filter-form"')[2].partition("</form>")[0]
    entries: dict[str, list[str]] = {}
    for tag in re.findall(r"<(?:input|select)[^>]*>", form):
        name, value = re.search(r'name="(.*?)"', tag), re.search(r'value="(.*?)"', tag)
        if name:
            entries.setdefault(name[1], []).append(value[1] if value else "")
    return entries


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name__v", ["value"]),
        ("remarks__v", ["value"]),
        ("date__v", ["value", "from", "until", "period", "number"]),
        ("hours__v", ["value", "from", "until"]),
        ("method__v", ["value"]),
        ("passed__v", ["value"]),
        ("trainee__v", ["entry", "entry__shown", "entry__text"]),
        ("created_by__v", ["value"]),
        ("status__v", ["value"]),
        ("datetime__c", ["value", "from", "until", "period", "number"]),
        ("picklist__c", ["value"]),
        ("person__c", ["entry", "entry__shown", "entry__text"]),
    ],
)
def test_the_form_of_a_filter_fits_its_field(client: Client, user: User, name: str, expected: list[str]) -> None:
    add_custom_fields()
    page = open_page(client, f"{TRAININGS}filters/{name}/?hours__v__empty=true&sort=date__v&cursor=x")
    entries = list_entries(page)
    assert [each.removeprefix("c0-") for each in entries if each.startswith("c0-")] == ["operator", *expected]
    assert (entries["condition"], entries["sort"]) == ([name], ["date__v"])
    assert entries.get("kept", [""]) == ["" if name == "hours__v" else "hours__v__empty=true"]


def test_the_form_of_a_filter_shows_what_is_in_force(client: Client, user: User) -> None:
    create_trainings()
    ann = Person.objects.get(first_name="Ann")
    page = open_page(client, f"{TRAININGS}filters/trainee__v/?trainee__v={ann.uid}&method__v=online__v")
    entries = list_entries(page)
    assert (entries["c0-value"], entries["kept"]) == ([str(ann.uid)], ["method__v=online__v"])
    assert page.links["Remove"] == f"{TRAININGS}?method__v=online__v"
    entries = list_entries(open_page(client, f"{TRAININGS}filters/date__v/?date__v__from=2026-03-02"))
    assert (entries["c0-from"], entries["c0-until"]) == (["2026-03-02"], [""])


def apply(client: Client, address: str, **typed: Any) -> Any:
    """Open the form of a filter, type, and press Apply."""
    return client.get(f"{TRAININGS}filters/change/", {**list_entries(open_page(client, address)), **typed})


def test_the_form_of_a_filter_leads_to_the_list_that_it_describes(client: Client, user: User) -> None:
    form = f"{TRAININGS}filters/hours__v/?method__v=online__v&q=x"
    answer = apply(client, form, **{"c0-operator": "between", "c0-from": "1", "c0-until": "2"})
    assert answer.url == f"{TRAININGS}?q=x&method__v=online__v&hours__v__from=1&hours__v__to=2"
    answer = apply(client, f"{TRAININGS}filters/date__v/", **{"c0-operator": "not_within", "c0-period": "last_days"})
    assert answer.url == f"{TRAININGS}?date__v__not_within=last_30_days"


def test_a_filter_that_is_not_valid_is_shown_again_with_what_is_wrong(client: Client, user: User) -> None:
    answer = apply(
        client, f"{TRAININGS}filters/hours__v/", **{"c0-operator": "between", "c0-from": "2", "c0-until": "1"}
    )
    assert "“From” (2) is after “until” (1), so nothing can match. Exchange the two." in answer.content.decode()


def test_conditions_are_combined_in_groups_without_scripts(client: Client, user: User) -> None:
    def press(page: Any, **typed: Any) -> Any:
        return client.get(f"{TRAININGS}filters/change/", {**read_form(page, form_id="filter-form"), **typed})

    page = client.get(f"{TRAININGS}filters/?passed__v=true&sort=name__v")
    page = press(page, **{"about-top": "method__v", "add_group": "any"})
    page = press(page, **{"c1-value": ["online__v"], "about-any1": "hours__v", "add": "any1"})
    page = press(page, **{"c2-operator": "from", "c2-from": "5"})
    address = f"{TRAININGS}?sort=name__v&passed__v=true&any1.method__v=online__v&any1.hours__v__from=5"
    assert page.url == address
    assert "Method: Online, or Hours: from 5" in client.get(address).content.decode()


@pytest.mark.parametrize("name", ["nothing__v", "uid__sys", "date__v__from"])
def test_what_cannot_be_filtered_by_has_no_form(client: Client, user: User, name: str) -> None:
    assert client.get(f"{TRAININGS}filters/{name}/").status_code == 404


def test_a_person_of_another_study_is_offered_to_nobody_who_may_not_read_people(client: Client) -> None:
    PersonFactory.create()
    log_in_with(client, "training__v:read")
    assert client.get(f"{TRAININGS}filters/trainee__v/").status_code == 404
