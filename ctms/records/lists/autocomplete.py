"""Suggestions while a user types into a reference field.

Records whose name begins with the query come first, then those that contain it. Ranked choices are sorted by rank
before that; of choices that the object calls likely, each group comes before the next, and all before the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ctms.configuration.fields import ObjectField
from ctms.configuration.form_offers import Likely
from ctms.configuration.registry import VaultObject
from ctms.core.text.expressions import collate
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import (
    RANK,
    can_name_record,
    describe_choice,
    describe_filled,
    get_target,
    list_filled,
    select_scopes,
)
from ctms.records.fields.users import names_user, search_users
from ctms.records.lists.namesakes import describe_namesakes
from ctms.records.lists.order.found import narrow
from ctms.records.lists.order.keyset_pagination import Sort, order_records
from ctms.records.lists.search import search_records

MOST_CHOICES = 20
LONGEST_QUERY = 200
# So many can be chosen in one step, such as the people of a site.
MOST_TOGETHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A suggestion. `fills` maps API names of the parent references that choosing it fills to uid and label."""

    uid: str
    label: str
    detail: str
    fills: Mapping[str, Mapping[str, str]]


def find_choices(
    *,
    access: ObjectAccess,
    field: ObjectField,
    records: QuerySet[Any],
    query: str,
    likely: Sequence[Likely] = (),
    near: Collection[UUID] = (),
) -> tuple[list[Choice], bool]:
    """Return the first records that match, and whether there are more.

    `likely` are groups that come first. `near` are the uids of what is chosen beside the reference: what a record has
    to do with that is told first.
    """
    if names_user(field):
        return _find_users(users=records, query=query)
    target = get_target(field)
    if target is None:
        raise TypeError(f"{field.api_name} refers to no object.")
    records = select_scopes(records=records, shape=access.shape, field=field)
    found: list[Any] = []
    told: dict[Any, str] = {}
    for group in [*likely, None]:
        among = records.exclude(pk__in=[each.pk for each in found]) if found else records
        if group is not None:
            among = among.filter(group.condition)
        limit = MOST_CHOICES + 1 - len(found)
        more = find_matching(access=access, records=among, vault_object=target, query=query, limit=limit)
        told |= {each.pk: group.told for each in more if group is not None}
        found += more
        if len(found) > MOST_CHOICES:
            break
    choices = _build_choices(
        access=access, field=field, target=target, records=found[:MOST_CHOICES], told=told, near=near
    )
    return choices, len(found) > MOST_CHOICES


def find_together(
    *,
    access: ObjectAccess,
    field: ObjectField,
    records: QuerySet[Any],
    likely: Sequence[Likely],
    near: Collection[UUID] = (),
) -> tuple[list[Choice], bool]:
    """Return the choices of the groups that can be chosen in one step, and whether there are too many for that."""
    target = get_target(field)
    if target is None:
        raise TypeError(f"{field.api_name} refers to no object.")
    records = select_scopes(records=records, shape=access.shape, field=field)
    found: dict[Any, Any] = {}
    told: dict[Any, str] = {}
    for group in likely:
        if group.is_together:
            for each in _order_by_name(records.filter(group.condition))[: MOST_TOGETHER + 1]:
                told.setdefault(each.pk, group.told)
                found.setdefault(each.pk, each)
    shown = list(found.values())[:MOST_TOGETHER]
    choices = _build_choices(access=access, field=field, target=target, records=shown, told=told, near=near)
    return choices, len(found) > MOST_TOGETHER


def _build_choices(
    *,
    access: ObjectAccess,
    field: ObjectField,
    target: VaultObject,
    records: Sequence[Any],
    told: Mapping[Any, str],
    near: Collection[UUID],
) -> list[Choice]:
    told_apart = describe_namesakes(access=access, records=records, near=near)
    return [
        _build_choice(
            access=access,
            field=field,
            target=target,
            record=each,
            told_apart=told_apart.get(each.pk) or told.get(each.pk, ""),
        )
        for each in records
    ]


def _find_users(*, users: QuerySet[Any], query: str) -> tuple[list[Choice], bool]:
    matching = search_users(users=users, query=clean_query(query)).order_by("last_name", "first_name", "username", "pk")
    found = list(matching[: MOST_CHOICES + 1])
    choices = [
        Choice(uid=str(each.uid), label=describe_choice(each), detail="", fills={}) for each in found[:MOST_CHOICES]
    ]
    return choices, len(found) > MOST_CHOICES


def find_matching(
    *,
    access: ObjectAccess,
    records: QuerySet[Any],
    vault_object: VaultObject,
    query: str,
    limit: int,
    sort: Sort | None = None,
) -> list[Any]:
    """Return at most `limit` records that match the query, in at most five statements besides those of the search.

    Records that merely contain the words are sorted by `sort`, or else by name.
    """
    query = clean_query(query)
    if not query:
        return list(_order_by_name(records)[:limit])
    bare = records.select_related(None)
    # The order of codes says nothing, and there are as many as records.
    keys = _list_first(
        records=bare.filter(name__folded_startswith=query), sort=sort if vault_object.title_field else None, limit=limit
    )
    if len(keys) < limit:
        holding = search_records(access=access, records=bare, vault_object=vault_object, query=query)
        others = _list_first(records=holding, sort=sort, limit=limit)
        keys = list(dict.fromkeys([*keys, *others]))[:limit]
    found = records.in_bulk(keys) if keys else {}
    return [found[key] for key in keys if key in found]


def _list_first(*, records: QuerySet[Any], sort: Sort | None, limit: int) -> list[Any]:
    if RANK not in records.query.annotations:  # ranked choices are few already
        records = narrow(records)
    ordered = _order_by_name(records) if sort is None else order_records(records=records, sort=sort)
    return list(ordered.values_list("pk", flat=True)[:limit])


def _order_by_name(records: QuerySet[Any]) -> QuerySet[Any]:
    rank = (RANK,) if RANK in records.query.annotations else ()
    return records.order_by(*rank, collate("name"), "pk")


def clean_query(query: str) -> str:
    """Return the query without null characters, which PostgreSQL refuses, stripped and cut to `LONGEST_QUERY`."""
    return query.replace("\x00", " ").strip()[:LONGEST_QUERY]


def _build_choice(
    *, access: ObjectAccess, field: ObjectField, target: VaultObject, record: Any, told_apart: str
) -> Choice:
    filled = list_filled(shape=access.shape, field=field, record=record)
    words = [str(each) for each in filled.values() if can_name_record(access=access, record=each)]
    if told_apart:
        words.append(told_apart)
    if target.object_types:
        words.insert(0, access.configuration.get(target.api_name).get_type(record.object_type).label)
    return Choice(
        uid=str(record.uid),
        label=describe_choice(record),
        detail=" · ".join(words),
        fills=describe_filled(access=access, filled=filled),
    )
