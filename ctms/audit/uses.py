"""What refers to a record and prevents its deletion, as far as the user who deletes it sees that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models

from ctms.accounts.models import User
from ctms.accounts.policies import has_limit, list_permitted_types, list_visible, sees_all_studies

ModelT = TypeVar("ModelT", bound=models.Model)


def explain_use(*, user: User, referring: Iterable[tuple[int, str]]) -> str:
    """Return why a record cannot be deleted that others refer to. It counts what the user sees and nothing else.

    `referring` holds numbers of records that the user sees, each with what they are. Where the user sees some, the text
    does not tell whether there are others; where the user sees none, the refusal alone says that there are.
    """
    listed = sorted(f"{number:,} {label}" for number, label in referring if number)
    if not listed:
        return "records that you do not see refer to it. Deactivate it instead, or ask an admin who sees every study."
    others = "" if sees_all_studies(user=user) else " Records that you do not see may refer to it, too."
    return f"it is referred to by {', '.join(listed)}. Delete or change those first.{others}"


def list_seen(rows: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """Return those of these rows that the user may read and sees; rows of no object are for who sees all studies."""
    model: Any = rows.model
    permitted = list_permitted_types(user=user, object_name=str(getattr(model, "object_name", "")))
    if permitted is not None:
        if not permitted:
            return rows.none()
        rows = rows.filter(object_type__in=permitted)
    if has_limit(model):
        return list_visible(rows, user)
    return rows if sees_all_studies(user=user) else rows.none()


def count_seen(*, record: models.Model, user: User, without: Iterable[models.Model] = ()) -> list[tuple[int, str]]:
    """Return how many rows that the user sees prevent the deletion of a record, each number with what they are.

    `without` are rows that are deleted before it. Takes a statement for each relation.
    """
    found = []
    for relation in record._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete is models.PROTECT:
            model: Any = relation.related_model
            rows = model._base_manager.filter(**{relation.field.name: record})
            rows = rows.exclude(pk__in=[each.pk for each in without if isinstance(each, model)])
            found.append(name_number(list_seen(rows, user).count(), model=model))
    return found


def name_number(number: int, *, model: type[models.Model]) -> tuple[int, str]:
    """Return the number with what it counts, e.g. *study people*."""
    return number, str(model._meta.verbose_name if number == 1 else model._meta.verbose_name_plural)
