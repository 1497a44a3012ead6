"""What ended, came, or waits for a user until the user looks at it. The header of every page tells it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse

from ctms.accounts.models import User
from ctms.configuration.registry import VaultObject, list_record_objects
from ctms.core.clock import get_now
from ctms.records.bulk.operations import list_unseen
from ctms.records.choices import OperationState
from ctms.records.models import BulkOperation
from ctms.records.pages.home import describe_age

TOLD_FOR = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that ended, came, or waits for the user."""

    label: str
    text: str
    url: str
    age: str
    is_warning: bool = False


# Returns what a user has not seen since a moment, of rows of one kind.
ListUnseen = Callable[[int, dt.datetime], QuerySet[Any]]


def _offer_to_all(_user: User) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSource:
    """Notifications of one kind: rows that a user has not seen, and what is said of each of them, the newest first.

    `list_unseen` takes the key of a user and a moment, and returns a query set that filters by nothing else that
    changes. `build` gets the user and as many of these rows as are shown.
    """

    list_unseen: ListUnseen
    build: Callable[[QuerySet[Any], int], Sequence[Notification]]
    is_offered: Callable[[User], bool] = _offer_to_all


_sources: list[NotificationSource] = []


def register_notifications(source: NotificationSource) -> None:
    """Register notifications, to be shown below those that were registered before. Called once, from `ready()`."""
    if source not in _sources:
        _sources.append(source)


def list_notifications(*, user: User, limit: int) -> list[Notification]:
    """Return a user's notifications of the last week, at most so many.

    Every page asks, and there is hardly ever one: one statement says which kinds there are, and one reads each.
    """
    since = get_now() - TOLD_FOR
    statement, parameters = _build_statement()
    given = {_ANYBODY: user.pk, _adapt(_ANY_TIME): _adapt(since)}
    with connection.cursor() as cursor:
        cursor.execute(statement, [given.get(each, each) for each in parameters])
        found = cursor.fetchone()
    notifications = [
        notification
        for source, is_there in zip(_sources, found, strict=True)
        if is_there and source.is_offered(user)
        for notification in source.build(source.list_unseen(user.pk, since), limit)
    ]
    return notifications[:limit]


# Stand for the key of the user and for the moment in the statement that is kept.
_ANYBODY = -1
_ANY_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@cache
def _build_statement() -> tuple[str, tuple[Any, ...]]:
    """SQL that says of each source whether there is anything, and its parameters; built once."""
    parts = [source.list_unseen(_ANYBODY, _ANY_TIME).order_by().query.exists().sql_with_params() for source in _sources]
    statement = ", ".join(f"EXISTS ({sql})" for sql, _ in parts)
    return f"SELECT {statement}", tuple(each for _, parameters in parts for each in parameters)


def _adapt(moment: dt.datetime) -> Any:
    """Return a moment as it is among the parameters of a statement."""
    return connection.ops.adapt_datetimefield_value(moment)


# -- Imports and bulk edits -----------------------------------------------------------------------
def register_operation_notifications() -> None:
    """Register imports and bulk edits that ended or wait; called once, when the app is ready."""
    register_notifications(NotificationSource(list_unseen=list_unseen, build=_build_all))


def _build_all(operations: QuerySet[BulkOperation], limit: int) -> Sequence[Notification]:
    known = {each.api_name: each for each in list_record_objects()}
    return [
        _build(operation=each, vault_object=known[each.of_object])
        for each in operations[:limit]
        if each.of_object in known
    ]


def _build(*, operation: BulkOperation, vault_object: VaultObject) -> Notification:
    file_name = operation.plan.get("file_name", "")
    is_waiting = operation.state == OperationState.DRAFT
    return Notification(
        label=f"{operation.get_kind_display()} of {vault_object.plural_label}{file_name and f': {file_name}'}",
        text="It was checked. Look at what it would do, and confirm it." if is_waiting else operation.message,
        url=reverse("operation", args=(operation.uid,)),
        age=describe_age(operation.finished_at or operation.created_at),
        is_warning=operation.state == OperationState.FAILED or operation.failed > 0,
    )
