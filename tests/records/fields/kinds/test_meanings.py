"""Texts with a meaning: e-mail addresses and phone numbers are links, countries and languages are shown in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.clinical.models import StudyCountry, StudySite
from ctms.records.fields.kinds.email import EmailKind
from ctms.records.fields.kinds.phone import PhoneKind
from tests.admin_forms import submit
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def read(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    return " ".join(content.decode().split())


@pytest.mark.parametrize(
    ("number", "address"),
    [
        ("+43 (0)316 / 123-45", "tel:+4331612345"),
        ("(212) 555-0100", "tel:2125550100"),
        ("+1 212 555 0100 ext. 12", "tel:+12125550100;ext=12"),
        ("0316 123, 0316 124", ""),
        ("ask at the desk", ""),
        ("<script>", ""),
    ],
)
def test_a_phone_number_is_called(number: str, address: str) -> None:
    assert PhoneKind().find_link(number) == address


def test_an_address_is_written_to() -> None:
    assert EmailKind().find_link("a+b@example.org?cc=x") == "mailto:a%2Bb@example.org%3Fcc%3Dx"
    assert EmailKind().find_link("none") == ""


def test_email_and_phone_are_links_on_pages_and_in_lists(client: Client) -> None:
    person = PersonFactory.create(email="p@example.org", phone="+43 316 1", language="es-AR")
    for address in (f"/records/person__sys/{person.uid}/", "/records/person__sys/"):
        page = read(client, address)
        assert '<a href="mailto:p@example.org">p@example.org</a>' in page
        assert '<a href="tel:+433161">+43 316 1</a>' in page
    assert "Spanish (Argentina)" in read(client, f"/records/person__sys/{person.uid}/")


def test_a_country_is_shown_in_words_and_kept_as_its_code(client: Client) -> None:
    country = StudyCountryFactory.create(country="AR", name="")
    site = StudySiteFactory.create(study_country=country, address_country="AR")
    page = read(client, f"/records/site__v/{site.uid}/")
    assert page.count("Argentina") >= 2  # the study country and the address
    assert "Argentina" in client.get(f"/records/study_country__v/{country.uid}/").context["page"].title
    exported = read(client, "/records/site__v/export.csv?columns=name__v,address_country__v")
    assert f"{site.name},AR" in exported
    api = client.get(f"/api/v1/site__v/{site.uid}/").json()
    assert api["address_country__v"] == "AR"


def test_a_country_is_chosen_by_its_name(client: Client) -> None:
    study = StudyFactory.create()
    address = f"/records/study_country__v/create/?study__v={study.uid}"
    submit(client, address, form_id="record-form", country__v="AR")
    country = StudyCountry.objects.get(study=study)
    assert (country.country, country.name) == ("AR", "Argentina")


def test_lists_are_filtered_by_code_and_by_name(client: Client) -> None:
    here = StudySiteFactory.create(address_country="AR")
    StudySiteFactory.create(address_country="DE")
    for text in ("AR", "argentina"):
        rows = client.get(f"/records/site__v/?address_country__v={text}").context["page"].page.rows
        assert [each.pk for each in rows] == [here.pk]


def test_a_code_that_is_no_country_stays_as_it_is(client: Client) -> None:
    site: Any = StudySiteFactory.create(address_country="UK")
    assert "UK" in read(client, f"/records/site__v/{site.uid}/")
    assert StudySite.objects.get(pk=site.pk).address_country == "UK"
