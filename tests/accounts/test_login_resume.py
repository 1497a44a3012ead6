"""A form's input is kept when the session has ended meanwhile, or after a log-in in another tab."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from tests.factories.accounts import USER_PASSWORD, UserFactory
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.django_db

CREATE = "/records/study__v/create/"
TYPED = {"name__v": "CARDIO-9", "study_name__v": 'Two\r\nlines & "marks"', "shown_fields": "name__v study_name__v"}
FROM_HERE = {"Sec-Fetch-Site": "same-origin"}


def create_member() -> User:
    return UserFactory.create(is_superuser=True)


def read_hidden(response: Any) -> dict[str, str]:
    """Return the hidden fields of the page's own form."""
    main = response.content.decode().partition("<main")[2]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', main)
    return {name: html.unescape(value) for name, value in found}


def read_token(response: Any) -> str:
    return read_hidden(response)["csrfmiddlewaretoken"]


def test_a_form_sent_after_the_session_ended_is_sent_on_after_the_log_in() -> None:
    client, user = Client(), create_member()
    page = client.post(CREATE, {**TYPED, "csrfmiddlewaretoken": "a"})
    assert "no-store" in page.headers["Cache-Control"]
    assert "What you typed is kept" in page.content.decode()
    carried = {name: value for name, value in read_hidden(page).items() if name in ("next", "sent")}
    assert carried["next"] == CREATE

    wrong = client.post("/login/", {**carried, "username": user.username, "password": "wrong"})
    assert read_hidden(wrong)["sent"] == carried["sent"]
    after = client.post("/login/", {**carried, "username": user.username, "password": USER_PASSWORD})
    resent = {name: value for name, value in read_hidden(after).items() if name != "csrfmiddlewaretoken"}
    assert resent == TYPED
    assert f'action="{CREATE}"' in after.content.decode()
    assert USER_PASSWORD not in after.content.decode()


def test_a_page_that_was_asked_for_is_not_carried(client: Client) -> None:
    assert client.get(CREATE).headers["Location"] == f"/login/?next={CREATE}"
    assert client.post(CREATE, TYPED).headers["Location"] == f"/login/?next={CREATE}"


@pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {"Accept": "application/json"}])
def test_scripts_are_told_by_the_redirect(client: Client, headers: dict[str, str]) -> None:
    response = client.post(CREATE, {**TYPED, "csrfmiddlewaretoken": "a"}, headers=headers)
    assert response.status_code == 302


def test_a_form_from_before_the_last_log_in_is_sent_again_by_a_click() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(create_member())
    page = client.post(CREATE, {**TYPED, "csrfmiddlewaretoken": "x" * 64}, headers=FROM_HERE)
    resent = read_hidden(page)
    assert {name: resent[name] for name in TYPED} == TYPED

    form = client.post(CREATE, resent, headers=FROM_HERE)
    assert 'value="CARDIO-9"' in form.content.decode()


def test_a_stale_form_without_a_session_meets_the_log_in_page() -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.post(CREATE, {**TYPED, "csrfmiddlewaretoken": "x" * 64}, headers=FROM_HERE)
    assert "What you typed is kept" in page.content.decode()
    assert read_hidden(page)["next"] == CREATE


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}])
def test_what_another_site_sent_is_refused_in_the_vaults_words(headers: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(create_member())
    response = client.post(CREATE, {**TYPED, "csrfmiddlewaretoken": "x" * 64}, headers=headers)
    assert response.status_code == 403
    page = response.content.decode()
    assert "This was not accepted" in page
    assert "CARDIO-9" not in page


@pytest.mark.parametrize("address", ["/password/", "/admin/login/", "/login/"])
def test_a_password_is_never_carried(address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    values = {"username": "carla", "password": USER_PASSWORD, "old_password": USER_PASSWORD}
    response = client.post(address, {**values, "csrfmiddlewaretoken": "x" * 64}, headers=FROM_HERE)
    assert USER_PASSWORD not in response.content.decode()


def test_who_logged_in_in_another_tab_goes_on_from_the_log_in_page() -> None:
    client = Client(enforce_csrf_checks=True)
    user = create_member()
    carried = {"next": CREATE, "sent": "name__v=CARDIO-9", "username": user.username, "password": USER_PASSWORD}
    client.force_login(user)
    stale = client.post("/login/", {**carried, "csrfmiddlewaretoken": "x" * 64}, headers=FROM_HERE)
    assert read_hidden(stale)["name__v"] == "CARDIO-9"
    fresh = client.post("/login/", {**carried, "csrfmiddlewaretoken": read_token(stale)}, headers=FROM_HERE)
    assert read_hidden(fresh)["name__v"] == "CARDIO-9"


def test_nothing_is_sent_to_another_host_after_the_log_in() -> None:
    client, user = Client(), create_member()
    values = {"next": "https://elsewhere.example/", "sent": "a=b", "username": user.username}
    page = client.post("/login/", {**values, "password": USER_PASSWORD}).content.decode()
    assert "elsewhere.example" not in page


def test_a_deletion_that_was_asked_for_without_a_session_needs_another_click() -> None:
    client, user, study = Client(), create_member(), StudyFactory.create()
    address = f"/records/study__v/{study.uid}/delete/"
    page = client.post(address, {"expected_version": "1", "csrfmiddlewaretoken": "a"})
    carried = read_hidden(page)
    client.post("/login/", {**carried, "username": user.username, "password": USER_PASSWORD})
    assert type(study).objects.filter(pk=study.pk).exists()
