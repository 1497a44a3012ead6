"""The filters of a list: the conditions in its address, what is wrong with them, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.conditions.addresses import Address, read_address, split_name
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.compiling import MOST_CONDITIONS, Compiler, count_stored
from ctms.records.conditions.matching import limit_records
from ctms.records.conditions.subjects import list_own_subjects
from ctms.records.conditions.tree import Condition, Group
from ctms.records.conditions.words import describe_condition, describe_group

_TOO_MANY = f"A list has at most {MOST_CONDITIONS} filters. Remove some."


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """A filter in force, in words. Removing `parameters` from the address removes it.

    `path` is the path of its field, empty for a group.
    """

    label: str
    text: str
    parameters: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    """The conditions of an address. `problems` maps parameters that are not valid to what is wrong."""

    asker: UserAsker
    object_name: str
    address: Address
    group: Group
    problems: dict[str, list[str]] = field(default_factory=dict)
    # The place in the address of each member of the group, which lacks what is not valid.
    places: tuple[int, ...] = ()

    def limit(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records that fulfil the conditions; none if one of them is not valid."""
        if self.problems:
            return records.none()
        return limit_records(records=records, group=self.group, asker=self.asker)

    def list_active(self) -> list[ActiveFilter]:
        """Return the valid filters in words."""
        return [
            self._describe(member=member, parameters=tuple(self.address.list_parameters((place,))))
            for member, place in zip(self.group.members, self.places, strict=True)
        ]

    def name_parameter(self, name: str) -> str:
        """Return a parameter with the label of its field; the bare name if it is about no field."""
        named = split_name(asker=self.asker, object_name=self.object_name, name=name)
        return f"{named.subject.label} ({name})" if named is not None else name

    def _describe(self, *, member: Condition | Group, parameters: tuple[str, ...]) -> ActiveFilter:
        if isinstance(member, Group):
            return ActiveFilter(label=member.joint.label, text=describe_group(member), parameters=parameters, path="")
        return ActiveFilter(
            label=member.subject.label,
            text=describe_condition(member),
            parameters=parameters,
            path=member.subject.path,
        )


def read_filters(
    *, access: ObjectAccess, parameters: QueryDict, others: Iterable[str] = (), takes_instants: bool = False
) -> ListFilters:
    """Read the filters of an address. A parameter that is neither a filter nor one of `others` is a problem.

    With `takes_instants`, as for programs, moments are compared with instants too; pages have forms for days alone.
    """
    asker, object_name = UserAsker(access=access, takes_instants=takes_instants), access.shape.api_name
    known = frozenset(others)
    asked = QueryDict(mutable=True)
    for name, values in parameters.lists():
        if name not in known:
            asked.setlist(name, values)
    address = read_address(asker=asker, object_name=object_name, parameters=asked)
    problems = dict(address.problems)
    for name in address.unknown:
        problems[name] = [f"{access.vault_object.plural_title} cannot be filtered by this."]
    group = Group()
    places: tuple[int, ...] = ()
    if count_stored(address.stored) > MOST_CONDITIONS:
        problems[next(iter(asked))] = [_TOO_MANY]
    else:
        group, places = _compile(asker=asker, address=address, object_name=object_name, problems=problems)
    return ListFilters(
        asker=asker,
        object_name=object_name,
        address=address,
        group=group,
        problems={name: problems[name] for name in asked if name in problems},
        places=places,
    )


def list_filterable_fields(access: ObjectAccess) -> list[ObjectField]:
    """Return the fields of the object itself that its lists can be filtered by, by label."""
    found = list_own_subjects(asker=UserAsker(access=access), object_name=access.shape.api_name)
    return [each.field for each in found]


def _compile(
    *, asker: UserAsker, address: Address, object_name: str, problems: dict[str, list[str]]
) -> tuple[Group, tuple[int, ...]]:
    compiler = Compiler(asker=asker, object_name=object_name)
    members: list[Condition | Group] = []
    places: list[int] = []
    for index, stored in enumerate(address.stored):
        before = len(compiler.problems)
        compiled = compiler.compile_group(stored=[stored])
        for error in compiler.problems[before:]:
            # Compiled one by one, so that each keeps its place: the first index is that among the one.
            for name in address.list_parameters((index, *error.place[1:])):
                problems.setdefault(name, []).append(error.text)
        if len(compiler.problems) == before:
            members += compiled.members
            places.append(index)
    return Group(members=tuple(members)), tuple(places)
