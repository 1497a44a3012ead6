"""What all factories share: records are written through the audited writer, so a test's data is what users' data is.

Call them as `StudyFactory.create(name="X")`, which type checkers know to be a `Study`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from factory.declarations import LazyAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.core.models import AuditedModel

ADMIN_USERNAME = "factory.admin"

ModelT = TypeVar("ModelT", bound=Model)
RecordT = TypeVar("RecordT", bound=AuditedModel)


def get_admin_user() -> User:
    """The superuser as whom factories write; made on first need, cannot log in."""
    user, _ = User.objects.get_or_create(
        username=ADMIN_USERNAME,
        defaults={
            "first_name": "Ada",
            "last_name": "Admin",
            "email": "ada.admin@example.org",
            "is_staff": True,
            "is_superuser": True,
        },
    )
    return user


def build_admin_actor() -> Actor:
    """The actor of everything that a test does not do as somebody else."""
    return Actor(user=get_admin_user(), source="command", reference="factory")


def sequence(build: Callable[[int], Any]) -> Any:
    """A value made from a number that goes up with every record of the factory."""
    return Sequence(build)  # type: ignore[no-untyped-call]


def derive(build: Callable[[Any], Any]) -> Any:
    """A value made from the other values of the same record."""
    return LazyAttribute(build)  # type: ignore[no-untyped-call]


def sub(factory_class: type[ModelFactory[Any]], **values: Any) -> Any:
    """A record made by another factory, unless the caller gives one."""
    return SubFactory(factory_class, **values)  # type: ignore[no-untyped-call]


class ModelFactory(DjangoModelFactory[ModelT]):
    """A factory whose results have a type."""

    class Meta:
        abstract = True

    @classmethod
    def create(cls, **values: Any) -> ModelT:
        """Make one and save it."""
        made: ModelT = super().create(**values)
        return made

    @classmethod
    def create_batch(cls, size: int, **values: Any) -> list[ModelT]:
        """Make several, one after the other; for hundreds see `tests.factories.bulk`."""
        return [cls.create(**values) for _ in range(size)]


class AuditedFactory(ModelFactory[RecordT]):
    """Writes with `save_record`, as `actor` if one is given, with full validation."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[RecordT], *_args: Any, **values: Any) -> RecordT:
        actor = values.pop("actor", None) or build_admin_actor()
        return cls.save_as(model_class(**values), actor)

    @classmethod
    def save_as(cls, record: RecordT, actor: Actor) -> RecordT:
        """Save a new record; overridden where a service does more than that."""
        save_record(record=record, actor=actor)
        return record
