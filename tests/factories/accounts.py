"""Factories of users and security profiles."""

from __future__ import annotations

from typing import Any

from ctms.accounts.models import SecurityProfile, User
from tests.factories.base import AuditedFactory, ModelFactory, derive, sequence, sub

USER_PASSWORD = "a-password-of-tests-alone"


class SecurityProfileFactory(AuditedFactory[SecurityProfile]):
    """A profile with no permissions; give them as `permissions=[...]`."""

    class Meta:
        model = SecurityProfile

    name = sequence(lambda n: f"Profile {n:06d}")
    api_name = sequence(lambda n: f"profile_{n:06d}__c")


class UserFactory(ModelFactory[User]):
    """A user without profile who can log in with `USER_PASSWORD`, or with the `password` given."""

    class Meta:
        model = User

    username = sequence(lambda n: f"user{n:06d}")
    first_name = "Uma"
    last_name = sequence(lambda n: f"User{n:06d}")
    email = derive(lambda user: f"{user.username}@example.org")
    digest_hour = None  # or else every test that lets the scheduler tick in the morning would send it

    @classmethod
    def _create(cls, model_class: type[User], *_args: Any, **values: Any) -> User:
        return model_class.objects.create_user(password=values.pop("password", USER_PASSWORD), **values)


class ServiceAccountFactory(UserFactory):
    """A service account, with an owner of its own unless one is given."""

    first_name = ""
    last_name = sequence(lambda n: f"Program {n:06d}")
    email = ""
    service_owner = sub(UserFactory)
    service_purpose = "Loads sites every night."

    @classmethod
    def _create(cls, model_class: type[User], *_args: Any, **values: Any) -> User:
        return model_class.objects.create_user(password=None, **values)
