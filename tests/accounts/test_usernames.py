"""Usernames that people can tell apart, whichever door a user comes through."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from ctms.accounts.models import User
from ctms.accounts.oidc import Identity, OidcError
from ctms.accounts.usernames import build_username_key
from ctms.audit.oidc import find_or_link_user
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

INVISIBLE = "car\u200bla"
TAKEN = "The username carla is there already"
ALIKE = ["CARLA", "\uff43arla", "car\u00adla"]


@pytest.mark.parametrize("username", [*ALIKE, INVISIBLE, "Carla "])
def test_what_looks_the_same_has_one_key(username: str) -> None:
    assert build_username_key(username) == "carla"


@pytest.mark.parametrize("username", ["carl", "carla2", "karla", "cárla"])
def test_what_looks_different_has_another(username: str) -> None:
    assert build_username_key(username) != "carla"


@pytest.mark.parametrize("username", ALIKE)
def test_no_second_user_looks_the_same_however_it_is_created(username: str) -> None:
    UserFactory.create(username="carla")
    with pytest.raises(ValidationError, match=TAKEN), transaction.atomic():
        User.objects.create_user(username=username)
    with pytest.raises(ValidationError, match=TAKEN), transaction.atomic():
        User.objects.bulk_create([User(username=username)])
    other = UserFactory.create(username="eva")
    other.username = username
    with pytest.raises(ValidationError, match=TAKEN), transaction.atomic():
        other.save()
    with pytest.raises(ValidationError, match=TAKEN), transaction.atomic():
        User.objects.filter(pk=other.pk).update(username=username)
    assert list(User.objects.filter(pk=other.pk).values_list("username", flat=True)) == ["eva"]


def test_two_of_one_write_do_not_look_the_same() -> None:
    with pytest.raises(ValidationError, match=TAKEN), transaction.atomic():
        User.objects.bulk_create([User(username="carla"), User(username="Carla")])


def test_an_invisible_character_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="an invisible character"), transaction.atomic():
        User.objects.create_user(username=INVISIBLE)
    user = UserFactory.create(username="eva")
    user.username = INVISIBLE
    with pytest.raises(ValidationError, match="an invisible character"), transaction.atomic():
        user.save()


def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    UserFactory.create(username="carla")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")
    with pytest.raises(CommandError, match=TAKEN):
        call_command("createsuperuser", "--no-input", username="CARLA", email="carla@example.org")


def test_the_console_says_it_beside_the_field(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    UserFactory.create(username="carla")
    answer = client.post("/admin/accounts/user/add/", {"username": "CARLA", "email": "c@example.org"})
    errors = answer.context["adminform"].form.errors
    assert errors["username"] == [f"{TAKEN}; CARLA could not be told from it. Choose another."]


def test_the_identity_provider_creates_no_double(settings: object) -> None:
    profile = SecurityProfileFactory.create()
    settings.OIDC_SECURITY_PROFILE = profile.api_name  # type: ignore[attr-defined]  # the fixture of pytest-django
    UserFactory.create(username="carla@example.org", email="other@example.org")
    identity = Identity(
        issuer="https://id.example.org", subject="1", email="Carla@example.org", first_name="C", last_name="C"
    )
    with pytest.raises(OidcError, match="The username that you would get is taken"):
        find_or_link_user(identity=identity)
    assert get_user_model().objects.filter(email__iexact="carla@example.org").count() == 0


def test_who_was_there_before_is_changed_otherwise() -> None:
    user = UserFactory.create(username="carla")
    user.first_name = "Carla"
    user.full_clean(exclude=["password", "security_profile"])
    user.save()
    assert User.objects.get(pk=user.pk).first_name == "Carla"
