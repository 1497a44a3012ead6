"""The rows of a list as HTML."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from ctms.records.addresses import get_record_url
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db
HOSTILE = '"><img src=x onerror=alert(1)>{url}{0}&'
SAFE = "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;{url}{0}&amp;"


def test_hostile_values_stay_texts_in_every_cell(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    person = PersonFactory.create(last_name=HOSTILE, email="")
    ActivityFactory.create(subject=HOSTILE, person=person)
    for url in ("/records/crm_activity__v/", "/records/person__sys/", get_record_url(person)):
        shown = client.get(url).content.decode()
        assert "<img src=x" not in shown, url
        assert SAFE in shown, url


def test_equal_values_of_different_records_are_shown_alike(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    person = PersonFactory.create()
    for complete in (True, False, True):
        ActivityFactory.create(person=person, complete=complete, channel="phone__v")
    shown = client.get("/records/crm_activity__v/").content.decode()
    assert shown.count("Phone</span></td>") == 3
    assert shown.count(f">{person}</a></td>") == 3


def test_what_tells_names_apart_stands_behind_the_name_on_a_phone(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    StudySiteFactory.create(name="04001", site_name="Universitätsklinikum Graz")
    shown = client.get("/records/site__v/").content.decode()
    assert re.search(r'<td [^>]*class="caption-cell"[^>]*><span>Universitätsklinikum Graz</span></td>', shown)
    ActivityFactory.create()
    assert "caption-cell" not in client.get("/records/crm_activity__v/").content.decode()
