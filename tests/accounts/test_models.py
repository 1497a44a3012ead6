from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from ctms.accounts.models import SecurityProfile, User
from ctms.audit.services import save_record
from tests.factories.accounts import SecurityProfileFactory
from tests.factories.base import build_admin_actor


@pytest.mark.parametrize(
    ("first", "last", "email", "expected"),
    [
        ("Uma", "User", "uma@example.org", "Uma User (uma@example.org)"),
        ("Uma", "User", "", "Uma User"),
        ("", "", "uma@example.org", "uma (uma@example.org)"),
        ("", "", "", "uma"),
    ],
)
def test_from_shows_name_and_email_as_far_as_there_are_any(first: str, last: str, email: str, expected: str) -> None:
    user = User(username="uma", first_name=first, last_name=last, email=email)
    assert user.display_contact == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    "permissions", ["study__v:readonly", {"study__v:read": True}, [1], [["study__v:read"]], None, 5]
)
def test_permissions_that_are_no_list_of_names_are_refused_by_field(permissions: object) -> None:
    profile = SecurityProfile(name="P", api_name="p__c", permissions=permissions)
    with pytest.raises(ValidationError) as raised:
        save_record(record=profile, actor=build_admin_actor())
    assert list(raised.value.message_dict) == ["permissions"]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["name", "api_name"])
def test_two_profiles_of_one_name_are_refused_by_field(field: str) -> None:
    taken = SecurityProfileFactory.create()
    with pytest.raises(ValidationError) as raised:
        SecurityProfileFactory.create(**{field: getattr(taken, field)}, validate=True)
    assert list(raised.value.message_dict) == [field]
