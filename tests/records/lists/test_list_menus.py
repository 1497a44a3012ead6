"""What can be done with a list: its menus, its columns, its filter forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.clinical.models import Person
from ctms.records.models import ListPreference
from tests.admin_forms import read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory
from tests.records.lists.list_page_steps import ACTIVITIES, TRAININGS, Page, log_in_with, open_page
from tests.records.trainings import add_custom_fields, create_trainings

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


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
