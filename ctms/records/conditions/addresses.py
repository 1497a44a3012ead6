"""Conditions in addresses: each is a parameter that people can read and write.

The name is the field, or a path of fields joined by points (`study__v.sponsor__v`), and a suffix for what is asked:

    channel__v=phone__v&channel__v=video__v     is any of several
    channel__v__not=phone__v                    is none of them
    subject__v__contains=dose                   also `__not_contains`, `__begins`
    date__v__from=2026-01-01&date__v__to=…      from and until, both included
    date__v__within=last_30_days                also `__not_within`
    site__v__empty=true                         `false`: is not empty

All must hold. Parameters with the same prefix `any1.`, `any2.` … are a group of which one must hold; inside of it,
those with `all1.`, `all2.` … must hold together: `any1.all1.channel__v=phone__v`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from ctms.records.conditions.subjects import Subject, find_subject
from ctms.records.conditions.tree import DEEPEST, TOO_DEEP, Joint, read_joint
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import EMPTINESS, NUMBER_OF_VALUES, Operator

EMPTY_SUFFIX = "empty"
SUFFIXES: Mapping[str, Operator] = {
    "not": Operator.IS_NOT,
    "has_all": Operator.HAS_ALL,
    "contains": Operator.CONTAINS,
    "not_contains": Operator.NOT_CONTAINS,
    "begins": Operator.BEGINS,
    "from": Operator.FROM,
    "to": Operator.UNTIL,
    "within": Operator.WITHIN,
    "not_within": Operator.NOT_WITHIN,
    EMPTY_SUFFIX: Operator.EMPTY,
}
_SUFFIX_OF: Mapping[Operator, str] = {operator: suffix for suffix, operator in SUFFIXES.items()}
_GROUP = re.compile(r"((?:any|all)[1-9][0-9]?)\.")
_YES_NO = {"true": Operator.EMPTY, "false": Operator.NOT_EMPTY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of a parameter says: the groups that it stands in, its field, and what is asked."""

    groups: tuple[str, ...]
    subject: Subject
    operator: Operator


@dataclass(slots=True, kw_only=True)
class Address:
    """The conditions of an address.

    `stored` is their JSON; `parameters` maps the place of each condition to the parameters that say it. `problems`
    maps parameters to what is wrong with them, and `unknown` are those that name no field.
    """

    stored: list[Any] = field(default_factory=list)
    parameters: dict[tuple[int, ...], tuple[str, ...]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def list_parameters(self, place: tuple[int, ...]) -> list[str]:
        """Return the parameters of the condition or the group at a place."""
        found = [names for at, names in self.parameters.items() if at[: len(place)] == place]
        return [name for names in found for name in names]


def split_name(*, asker: Asker, object_name: str, name: str) -> Named | None:
    """Return what the name of a parameter says; None if it is about no field that the asker may ask about."""
    groups: list[str] = []
    rest = name
    while (found := _GROUP.match(rest)) is not None:
        groups.append(found[1])
        rest = rest[found.end() :]
    for suffix, operator in (("", Operator.IS), *SUFFIXES.items()):
        path = rest.removesuffix(f"__{suffix}") if suffix else rest
        if suffix and path == rest:
            continue
        subject = find_subject(asker=asker, object_name=object_name, path=path)
        if subject is not None:
            return Named(groups=tuple(groups), subject=subject, operator=operator)
    return None


def read_address(*, asker: Asker, object_name: str, parameters: QueryDict) -> Address:
    """Read the conditions of an address, in the order of its parameters. *From* and *to* of a field become one."""
    address = Address()
    groups: dict[tuple[str, ...], tuple[tuple[int, ...], list[Any]]] = {(): ((), address.stored)}
    bounds: dict[tuple[tuple[str, ...], str], tuple[int, ...]] = {}
    for name, values in parameters.lists():
        named = split_name(asker=asker, object_name=object_name, name=name)
        if named is None:
            address.unknown.append(name)
            continue
        if len(named.groups) >= DEEPEST:
            address.problems[name] = [TOO_DEEP]
            continue
        place, members = _open_group(groups=groups, path=named.groups)
        stored = _store(address=address, named=named, name=name, values=values)
        if stored is None:
            continue
        key = (named.groups, named.subject.path)
        earlier = bounds.get(key) if named.operator in (Operator.FROM, Operator.UNTIL) else None
        if earlier is not None and _merge(condition=members[earlier[-1]], other=stored):
            address.parameters[earlier] += (name,)
            continue
        here = (*place, len(members))
        members.append(stored)
        address.parameters[here] = (name,)
        if named.operator in (Operator.FROM, Operator.UNTIL):
            bounds[key] = here
    return address


def write_address(stored: Sequence[Any]) -> list[tuple[str, str]]:
    """Return the parameters, in order, that `read_address` reads as these stored conditions."""
    return list(_write(stored=stored, joint=Joint.ALL, prefix=""))


def join_name(*, path: str, operator: Operator) -> str:
    """Return the name of the parameter that asks this of the field at a path."""
    if operator in EMPTINESS:
        return f"{path}__{EMPTY_SUFFIX}"
    suffix = _SUFFIX_OF.get(operator, "")
    return f"{path}__{suffix}" if suffix else path


def _open_group(
    *, groups: dict[tuple[str, ...], tuple[tuple[int, ...], list[Any]]], path: tuple[str, ...]
) -> tuple[tuple[int, ...], list[Any]]:
    if path not in groups:
        place, members = _open_group(groups=groups, path=path[:-1])
        inner: list[Any] = []
        groups[path] = ((*place, len(members)), inner)
        members.append({path[-1][:3]: inner})
    return groups[path]


def _store(*, address: Address, named: Named, name: str, values: list[str]) -> dict[str, Any] | None:
    operator = named.operator
    if len(values) > 1 and (operator == Operator.EMPTY or NUMBER_OF_VALUES[operator][1] == 1):
        address.problems[name] = ["This is given more than once. Give it once."]
        return None
    if operator == Operator.EMPTY:
        if values[0] not in _YES_NO:
            address.problems[name] = [f"{values[0]!r} is neither yes nor no. Enter true or false."]
            return None
        return {"field": named.subject.path, "operator": str(_YES_NO[values[0]]), "values": []}
    return {"field": named.subject.path, "operator": str(operator), "values": list(values)}


def _merge(*, condition: dict[str, Any], other: dict[str, Any]) -> bool:
    """Make *from* and *until* one condition; False if they are not one of each."""
    if {condition["operator"], other["operator"]} != {Operator.FROM, Operator.UNTIL}:
        return False
    first, last = sorted((condition, other), key=lambda each: each["operator"] == Operator.UNTIL)
    condition.update(operator=str(Operator.BETWEEN), values=[*first["values"], *last["values"]])
    return True


def _write(*, stored: Sequence[Any], joint: Joint, prefix: str) -> Iterator[tuple[str, str]]:
    numbers = dict.fromkeys(Joint, 0)
    taken: set[str] = set()
    for each in stored:
        group = read_joint(each)
        if group is None:
            pairs = list(_write_condition(each))
            names = {name for name, _ in pairs}
            if not names & taken:
                taken |= names
                yield from ((f"{prefix}{name}", value) for name, value in pairs)
                continue
            # The name is taken by a condition that would take the values for its own: this one gets a group.
            group = (joint, [each])
        joint_here, members = group
        numbers[joint_here] += 1
        yield from _write(stored=members, joint=joint_here, prefix=f"{prefix}{joint_here}{numbers[joint_here]}.")


def _write_condition(stored: dict[str, Any]) -> Iterator[tuple[str, str]]:
    path, operator, values = stored["field"], Operator(stored["operator"]), stored.get("values", [])
    if operator == Operator.BETWEEN:
        yield f"{path}__{_SUFFIX_OF[Operator.FROM]}", values[0]
        yield f"{path}__{_SUFFIX_OF[Operator.UNTIL]}", values[1]
    elif operator in EMPTINESS:
        yield join_name(path=path, operator=operator), "true" if operator == Operator.EMPTY else "false"
    else:
        yield from ((join_name(path=path, operator=operator), value) for value in values)
