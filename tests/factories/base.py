"""The base classes of all factories, which write records through the audited writer, as the Vault does.

Call a factory as `StudyFactory.create(name="X")`, which type checkers know to return a `Study`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection
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


# That user, by the row as the database holds it.
_known: dict[tuple[Any, ...] | None, User] = {}


def get_admin_user() -> User:
    """Return the superuser as whom factories write. Creates it on first use; it cannot log in.

    Every factory asks: as long as the row is the same, Django need not make a user of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {User._meta.db_table} WHERE username = %s", [ADMIN_USERNAME])  # noqa: S608  a name of our own
        row = cursor.fetchone()
    if (known := _known.get(row)) is not None:  # asked once, for a test's other threads change it
        return copy.copy(known)
    user, _ = User.objects.get_or_create(
        username=ADMIN_USERNAME,
        defaults={
            "first_name": "Ada",
            "last_name": "Admin",
            "email": "ada.admin@example.org",
            "digest_hour": None,
            "is_staff": True,
            "is_superuser": True,
        },
    )
    if row is not None:
        _known.clear()
        _known[row] = copy.copy(user)
    return user


def build_admin_actor() -> Actor:
    """Return the actor for everything that a test does not do as another user."""
    return Actor(user=get_admin_user(), source="command", reference="factory")


def sequence(build: Callable[[int], Any]) -> Any:
    """Declare a value that is built from a number that rises with every record of the factory.

    In a text, write it as `{n:06d}`: how many records were made before depends on the tests before, and texts of one
    length sort in the order in which they were made, and none of them is a part of another.
    """
    return Sequence(build)  # type: ignore[no-untyped-call]


def derive(build: Callable[[Any], Any]) -> Any:
    """Declare a value that is built from the other values of the same record."""
    return LazyAttribute(build)  # type: ignore[no-untyped-call]


def sub(factory_class: type[ModelFactory[Any]], **values: Any) -> Any:
    """Declare a record that another factory makes, unless the caller gives one."""
    return SubFactory(factory_class, **values)  # type: ignore[no-untyped-call]


class ModelFactory(DjangoModelFactory[ModelT]):
    """A factory whose `create` returns the type of its model."""

    class Meta:
        abstract = True

    @classmethod
    def create(cls, **values: Any) -> ModelT:
        """Make and save one record."""
        made: ModelT = super().create(**values)
        return made

    @classmethod
    def create_batch(cls, size: int, **values: Any) -> list[ModelT]:
        """Make and save several records, one after the other. For hundreds use `tests.factories.bulk`."""
        return [cls.create(**values) for _ in range(size)]


class AuditedFactory(ModelFactory[RecordT]):
    """Writes with `save_record`, as `actor` if one is given.

    Values and `clean` are checked. References, uniqueness and constraints, which take a statement or more each, are
    left to the database, unless `validate=True` is given, for tests of how the Vault refuses them.
    """

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[RecordT], *_args: Any, **values: Any) -> RecordT:
        actor = values.pop("actor", None) or build_admin_actor()
        validate = values.pop("validate", False)
        record = model_class(**values)
        if validate:
            save_record(record=record, actor=actor)
            return record
        return cls.save_as(record, actor)

    @classmethod
    def save_as(cls, record: RecordT, actor: Actor) -> RecordT:
        """Save a new record. Factories override it where a service does more than `save_record`."""
        references = {field.name for field in record._meta.concrete_fields if field.is_relation}
        record.prepare_for_save()
        record.full_clean(references, validate_unique=False, validate_constraints=False)
        save_record(record=record, actor=actor, validate=False)
        return record
