"""Reads a list's filters, search and order from the parameters of an address, for pages, exports and the API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.references import can_name_all
from ctms.records.lists.filters import ListFilters, read_filters
from ctms.records.lists.order.found import ManyFound, narrow
from ctms.records.lists.order.grouping import Grouping, find_grouping, list_groupings
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, Sort, look_around
from ctms.records.lists.search import MOST_WORDS, build_search

# Parameters that are not filters.
QUERY, SORT, GROUP, CURSOR, SIZE, COLUMNS, VIEW = "q", "sort", "group", "cursor", "size", "columns", "view"
RESERVED = frozenset({QUERY, SORT, GROUP, CURSOR, SIZE, COLUMNS, VIEW})
LARGEST_SIZE = 200
_LONGEST_QUERY = 200


class InvalidListError(VaultError):
    """Parameters of the address are not valid. `problems` maps their names to what is wrong."""

    def __init__(self, problems: dict[str, list[str]]) -> None:
        super().__init__(" ".join(f"{name}: {' '.join(found)}" for name, found in problems.items()))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecords:
    """The records of a list, and how many they are, at most `COUNT_CAP` + 1.

    With `many`, they are the records that are searched, and the list has only those that it finds.
    """

    records: QuerySet[Any]
    number: int
    many: ManyFound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A list as its address describes it. `problems` maps parameters that are not valid to what is wrong.

    `size` and `columns` are None if the address does not set them.
    """

    access: ObjectAccess
    parameters: QueryDict
    text: str
    sort: Sort
    size: int | None
    columns: tuple[ObjectField, ...] | None
    filters: ListFilters
    problems: dict[str, list[str]]

    def list_records(self) -> QuerySet[Any]:
        """Return the records, not ordered yet; none if a filter is not valid."""
        return self.list_searched().filter(self.build_search())

    def list_searched(self) -> QuerySet[Any]:
        """Return the records that are searched: those that the filters leave."""
        return self.filters.limit(self.access.list_records())

    def build_search(self) -> Q:
        """Return the condition that a record is found; true of all if nothing is searched for."""
        return build_search(access=self.access, vault_object=self.access.vault_object, query=self.text)

    def look_around(self) -> FoundRecords:
        """Return the records of which pages are read, not ordered yet, in at most two statements besides the search."""
        searched, condition = self.list_searched(), self.build_search()
        records, number = look_around(searched.filter(condition))
        if number <= COUNT_CAP or not self.text:
            return FoundRecords(records=records, number=number)
        if self.sort.name == self.access.vault_object.default_sort and self.sort.grouping is None:
            return FoundRecords(records=searched, number=number, many=ManyFound(condition=condition))
        return FoundRecords(records=narrow(records), number=number)

    def is_narrowed(self) -> bool:
        """Whether the list is filtered or searched."""
        return bool(self.text or self.filters.address.stored)

    def require_valid(self) -> None:
        """Raise InvalidListError if a parameter of the address is not valid."""
        if self.problems:
            raise InvalidListError(self.problems)


def read_list(*, access: ObjectAccess, parameters: QueryDict, takes_instants: bool = False) -> ListQuery:
    """Read the list that the parameters of an address describe. Parameters without a value are ignored.

    With `takes_instants`, as for programs, moments are compared with instants too.
    """
    parameters = drop_blanks(parameters)
    filters = read_filters(access=access, parameters=parameters, others=RESERVED, takes_instants=takes_instants)
    problems = dict(filters.problems)
    for name in RESERVED.intersection(parameters):
        if len(parameters.getlist(name)) > 1:
            problems[name] = ["This is given more than once. Give it once."]
    text = _read_text(parameters=parameters, problems=problems)
    sort = read_sort(access=access, name=parameters.get(SORT, ""), problems=problems)
    sort = replace(sort, grouping=_read_grouping(access=access, name=parameters.get(GROUP, ""), problems=problems))
    return ListQuery(
        access=access,
        parameters=parameters,
        text=text,
        sort=sort,
        size=_read_size(parameters=parameters, problems=problems),
        columns=_read_columns(access=access, parameters=parameters, problems=problems),
        filters=filters,
        problems=problems,
    )


def drop_blanks(parameters: QueryDict) -> QueryDict:
    """Return the parameters without empty ones, which browsers send for empty inputs."""
    kept = QueryDict(mutable=True)
    for name, values in parameters.lists():
        if said := [value for value in values if value.strip()]:
            kept.setlist(name, said)
    return kept


def change_parameters(parameters: QueryDict, **changes: Any) -> QueryDict:
    """Return a copy of the parameters with changes, for the first page. None removes a parameter.

    A list or tuple of values repeats the parameter.
    """
    changed = parameters.copy()
    for name, value in ({CURSOR: None} | changes).items():
        changed.pop(name, None)
        if value is not None:
            changed.setlist(name, list(value) if isinstance(value, (list, tuple)) else [str(value)])
    return changed


def is_sortable(field: ObjectField) -> bool:
    """Whether lists can be sorted by the field: not long texts, computed fields, users or custom references."""
    if field.reference is not None and (field.is_custom or field.reference is User):
        return False
    return not field.is_computed and kind_of(field).is_sortable


def can_sort(*, access: ObjectAccess, field: ObjectField) -> bool:
    """Whether the user may sort by the field. Order and cursors would reveal the names of records hidden from them."""
    return is_sortable(field) and (field.reference is None or can_name_all(access=access, model=field.reference))


def write_columns(columns: Iterable[ObjectField]) -> str:
    """Return the value of the `columns` parameter."""
    return ",".join(each.api_name for each in columns)


def _read_text(*, parameters: QueryDict, problems: dict[str, list[str]]) -> str:
    text = parameters.get(QUERY, "").replace("\x00", " ").strip()
    if len(text) > _LONGEST_QUERY or len(text.split()) > MOST_WORDS:
        problems[QUERY] = [f"Search for at most {MOST_WORDS} words of {_LONGEST_QUERY} characters altogether."]
        return " ".join(text[:_LONGEST_QUERY].split()[:MOST_WORDS])
    return text


def read_sort(*, access: ObjectAccess, name: str, problems: dict[str, list[str]]) -> Sort:
    """Return the order that a name such as `-date__v` asks for; that of the object, with a problem, if it is none."""
    shape = access.shape
    default = access.vault_object.default_sort
    field = shape.fields.get(name.removeprefix("-"))
    if name and field is not None and can_sort(access=access, field=field):
        return Sort(field=field, descending=name.startswith("-"))
    if name:
        names = [known for known, each in shape.fields.items() if can_sort(access=access, field=each)]
        problems[SORT] = [f"Sort by one of {', '.join(names)}."]
    return Sort(field=shape.fields.get(default.removeprefix("-")), descending=default.startswith("-"))


def _read_grouping(*, access: ObjectAccess, name: str, problems: dict[str, list[str]]) -> Grouping | None:
    grouping = find_grouping(access=access, name=name)
    if name and grouping is None:
        fields = access.shape.fields.values()
        names = [each.name for field in fields for each in list_groupings(access=access, field=field)]
        problems[GROUP] = [f"Group by one of {', '.join(names)}."]
    return grouping


def _read_size(*, parameters: QueryDict, problems: dict[str, list[str]]) -> int | None:
    text = parameters.get(SIZE, "")
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= LARGEST_SIZE:
        return int(text)
    problems[SIZE] = [f"A page has from 1 to {LARGEST_SIZE} rows."]
    return None


def _read_columns(
    *, access: ObjectAccess, parameters: QueryDict, problems: dict[str, list[str]]
) -> tuple[ObjectField, ...] | None:
    names = list(dict.fromkeys(filter(None, parameters.get(COLUMNS, "").split(","))))
    if not names:
        return None
    unknown = [name for name in names if name not in access.shape.fields]
    if unknown:
        problems[COLUMNS] = [f"{access.vault_object.plural_title} have no field {', '.join(unknown)}."]
    return tuple(access.shape.fields[name] for name in names if name in access.shape.fields) or None
