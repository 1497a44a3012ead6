"""What the address of a list asks for."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyFactory
from tests.records.lists.list_page_steps import ACTIVITIES, open_page

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


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
