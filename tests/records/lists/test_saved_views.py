"""Saved views: users save, change and delete their own, use shared ones, and open a list with one of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict
from django.test import Client

from ctms.accounts.models import User
from ctms.records.lists.saved_view_forms import SavedViewForm
from ctms.records.lists.saved_views import find_view, is_changed
from ctms.records.models import ListPreference, SavedView
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.records.lists.list_page_steps import TRAININGS, Page, open_page
from tests.records.trainings import create_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

VIEWS = f"{TRAININGS}views/"


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, first_name="Carla", last_name="Craig")
    client.force_login(user)
    return user


def save(client: Client, query: str = "passed__v=true&sort=-date__v", **values: Any) -> SavedView:
    response = client.post(f"{VIEWS}?{query}", {"name": "Passed", **values})
    assert response.status_code == 302, response.content.decode()
    return SavedView.objects.latest("pk")


def change(client: Client, view: SavedView, query: str = "", **values: Any) -> Any:
    return client.post(f"{VIEWS}{view.uid}/?{query}", values)


def share_another(name: str = "Theirs", **values: Any) -> SavedView:
    other = UserFactory.create(first_name="Jonas", last_name="Weber")
    return SavedView.objects.create(
        **{"user": other, "of_object": "training__v", "name": name, "parameters": "passed__v=false", "is_shared": True}
        | values
    )


def list_menu(page: Page) -> list[str]:
    """Return the links of the menu of views, with their notes."""
    menu = page.content.partition("Saved view:")[2].partition("</details>")[0]
    return [label for label in Page(menu).links if label]


def test_a_view_keeps_filters_search_sort_and_columns(client: Client, user: User) -> None:
    create_trainings()
    view = save(client, "passed__v=true&q=b&sort=-date__v&columns=date__v,hours__v&cursor=x&size=25&view=all")
    assert view.parameters == "passed__v=true&q=b&sort=-date__v"
    assert (view.columns, view.is_shared, view.user) == (["name__v", "date__v", "hours__v"], False, user)
    response = client.get(f"{TRAININGS}?view={view.uid}")
    assert response.headers["Location"] == (
        f"{TRAININGS}?passed__v=true&q=b&sort=-date__v&columns=name__v%2Cdate__v%2Chours__v&view={view.uid}"
    )
    page = open_page(client, response.headers["Location"])
    assert (page.heading, page.names) == (["Name", "Date", "Hours"], ["b"])


def test_a_view_that_was_saved_before_there_was_one_language_opens_as_it_did(client: Client, user: User) -> None:
    create_trainings()
    old = "passed__v=true&date__v__within=past&hours__v__from=5&date__v__empty=false&method__v__empty=true"
    view = SavedView.objects.create(user=user, of_object="training__v", name="Old", parameters=old)
    page = open_page(client, f"{TRAININGS}?view={view.uid}")
    assert page.names == ["e"]
    assert "Leave it out" not in page.content


def test_the_form_keeps_what_was_typed_when_it_refuses(client: Client, user: User) -> None:
    save(client)
    response = client.post(f"{VIEWS}?passed__v=false", {"name": "Passed", "is_shared": "on"})
    assert response.status_code == 200
    content = response.content.decode()
    assert "You have a view of this name. Choose another name, or open that view and replace it." in content
    assert 'value="Passed"' in content
    assert SavedView.objects.count() == 1
    assert client.post(VIEWS, {"name": ""}).status_code == 200


def test_a_list_of_too_many_filters_is_refused(client: Client, user: User) -> None:
    response = client.post(f"{VIEWS}?name__v__contains={'x' * 4000}", {"name": "Long"})
    assert "This list has too many filters to be saved as a view." in response.content.decode()
    assert SavedView.objects.count() == 0


def test_two_users_and_two_objects_have_views_of_one_name(client: Client, user: User) -> None:
    share_another("Passed")
    SavedView.objects.create(user=user, of_object="person__sys", name="Passed")
    save(client)
    assert SavedView.objects.filter(name="Passed").count() == 3


def test_the_menu_lists_own_views_then_those_that_others_share(client: Client, user: User) -> None:
    save(client, name="Zebra", is_default="on")
    save(client, name="apple", is_shared="on")
    share_another()
    share_another("Private", is_shared=False)
    share_another("Of people", of_object="person__sys")
    assert list_menu(open_page(client, f"{TRAININGS}?view=all")) == [
        "apple Shared",
        "Zebra Default",
        "Theirs Jonas Weber",
        "All trainings",
        "Save as a new view…",
        "Save as report…",
    ]


def test_a_list_opens_with_the_default_view_by_its_plain_address_alone(client: Client, user: User) -> None:
    create_trainings()
    view = save(client, is_default="on")
    response = client.get(TRAININGS)
    assert response.headers["Location"].endswith(f"&view={view.uid}")
    assert sorted(open_page(client, TRAININGS).names) == ["b", "c", "d", "e"]
    assert len(open_page(client, f"{TRAININGS}?view=all").names) == 7
    assert len(open_page(client, f"{TRAININGS}?method__v__empty=false").names) == 5
    page = open_page(client, TRAININGS)
    assert page.links["All trainings"] == f"{TRAININGS}?view=all"
    assert page.links["Clear"].startswith(f"{TRAININGS}?sort=-date__v&columns=")
    assert client.get(f"{TRAININGS}?q=").headers["Location"] == f"{TRAININGS}?view=all"


def test_a_view_that_was_changed_can_be_replaced_by_what_is_shown(client: Client, user: User) -> None:
    create_trainings()
    view = save(client)
    plain = open_page(client, f"{TRAININGS}?view={view.uid}")
    assert "(changed)" not in plain.content
    changed = f"passed__v=false&sort=-date__v&view={view.uid}&columns=name__v,hours__v"
    assert "(changed)" in open_page(client, f"{TRAININGS}?{changed}").content
    response = change(client, view, changed, action="replace")
    assert response.headers["Location"] == f"{TRAININGS}?view={view.uid}"
    view.refresh_from_db()
    assert (view.name, view.parameters) == ("Passed", "passed__v=false&sort=-date__v")
    assert view.columns == ["name__v", "hours__v"]


@pytest.mark.parametrize("values", [{"action": "replace"}, {"name": "Another"}])
def test_a_view_that_is_deleted_meanwhile_does_not_come_back(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    view = save(client)

    def find_and_delete(**sought: Any) -> SavedView | None:
        found = find_view(**sought)
        SavedView.objects.filter(pk=view.pk).delete()  # another window does
        return found

    monkeypatch.setattr("ctms.records.lists.views.saved_views.find_view", find_and_delete)
    assert change(client, view, "passed__v=false", **values).status_code == 404
    assert SavedView.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "columns", "expected"),
    [
        ("passed__v=true&method__v=a&method__v=b&sort=x&view=y&cursor=z&size=5", ["name__v"], False),
        ("sort=x&method__v=b&method__v=a&passed__v=true", ["name__v"], False),
        ("passed__v=true&method__v=a&method__v=b", ["name__v"], True),
        ("passed__v=true&method__v=a&sort=x", ["name__v"], True),
        ("passed__v=true&method__v=a&method__v=b&sort=x", ["name__v", "date__v"], True),
    ],
)
def test_whether_a_list_is_still_its_view(query: str, columns: list[str], expected: bool) -> None:
    view = SavedView(parameters="passed__v=true&method__v=a&method__v=b&sort=x", columns=["name__v"])
    assert is_changed(view=view, parameters=QueryDict(query), columns=columns) is expected


def test_a_view_is_renamed_and_shared(client: Client, user: User) -> None:
    view = save(client)
    assert change(client, view, name="Renamed", is_shared="on", is_default="on").status_code == 302
    view.refresh_from_db()
    assert (view.name, view.is_shared, view.parameters) == ("Renamed", True, "passed__v=true&sort=-date__v")
    assert ListPreference.objects.get().default_view == view
    form = client.get(f"{VIEWS}{view.uid}/").content.decode()
    assert form.count("checked") == 2
    assert change(client, view, name="Renamed").status_code == 302
    view.refresh_from_db()
    assert (view.is_shared, ListPreference.objects.get().default_view) == (False, None)


def test_renaming_a_view_leaves_another_default_alone(client: Client, user: User) -> None:
    default, other = save(client, is_default="on"), save(client, name="Other")
    change(client, other, name="Another")
    assert ListPreference.objects.get().default_view == default


def test_a_deleted_view_is_nobody_s_default_any_more(client: Client, user: User) -> None:
    view = save(client, is_default="on")
    response = change(client, view, action="delete")
    assert response.headers["Location"] == f"{TRAININGS}?view=all"
    assert (SavedView.objects.count(), ListPreference.objects.get().default_view) == (0, None)
    page = open_page(client, f"{TRAININGS}?view={view.uid}")
    assert "This view was deleted, or is not shared with you." in page.content


def test_a_shared_view_can_be_used_but_not_changed(client: Client, user: User) -> None:
    create_trainings()
    view = share_another()
    assert sorted(open_page(client, f"{TRAININGS}?view={view.uid}").names) == ["a", "a", "b"]
    for values in ({"action": "delete"}, {"action": "replace"}, {"name": "Mine"}):
        assert change(client, view, **values).status_code == 403
    view.refresh_from_db()
    assert (view.name, view.parameters) == ("Theirs", "passed__v=false")
    content = client.get(f"{VIEWS}{view.uid}/").content.decode()
    assert "Jonas Weber made this view" in " ".join(content.split())


def test_a_shared_view_can_be_a_default_and_stops_being_one(client: Client, user: User) -> None:
    view = share_another()
    assert change(client, view, action="default").status_code == 302
    assert ListPreference.objects.get().default_view == view
    change(client, view, action="default")
    assert ListPreference.objects.get().default_view is None


def test_a_default_that_is_no_longer_shared_is_not_opened(client: Client, user: User) -> None:
    view = share_another()
    change(client, view, action="default")
    SavedView.objects.update(is_shared=False)
    assert client.get(TRAININGS).status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_private_view_of_another_does_not_exist(client: Client, user: User, method: str) -> None:
    view = share_another(is_shared=False)
    assert getattr(client, method)(f"{VIEWS}{view.uid}/").status_code == 404
    assert getattr(client, method)(f"{VIEWS}{uuid4()}/").status_code == 404


def test_a_view_shows_everybody_their_own_records(client: Client) -> None:
    create_trainings()
    view = share_another()
    client.force_login(UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[])))
    assert client.get(f"{TRAININGS}?view={view.uid}").status_code == 403
    assert client.get(f"{VIEWS}{view.uid}/").status_code == 403


def test_a_view_of_the_same_name_that_is_saved_at_the_same_moment_is_told(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request saves it between this request's check and its write."""
    save(client, name="Mine")
    monkeypatch.setattr(SavedViewForm, "clean_name", lambda form: form.cleaned_data["name"])
    monkeypatch.setattr(SavedView, "validate_constraints", lambda *_args, **_options: None)
    response = client.post(f"{VIEWS}?passed__v=true", {"name": "Mine", "is_default": "on"})
    assert response.status_code == 200
    assert response.context["form"].errors == {
        "name": ["You have a view of this name. Choose another name, or open that view and replace it."]
    }
    assert SavedView.objects.count() == 1
