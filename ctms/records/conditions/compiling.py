"""Compiles stored conditions: checks names, operators and values against the present configuration.

A condition that is not valid is an error and is never left out, because that would let more records through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctms.records.conditions.errors import ConditionError
from ctms.records.conditions.kinds import get_kind, list_accepted_operators, read_value
from ctms.records.conditions.subjects import Subject, find_subject
from ctms.records.conditions.tree import DEEPEST, TOO_DEEP, Condition, Group, Joint, read_joint
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.comparisons import refuse_reversed
from ctms.records.fields.comparing.operators import NUMBER_OF_VALUES, Operator

MOST_CONDITIONS = 40
# Of one condition, and of all together: SQLite refuses statements that join more than a thousand comparisons.
MOST_VALUES = 500
_UNREADABLE = "Condition {number} of the filter cannot be read. Remove it."


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Compiles the conditions on one object, and collects what is wrong with them. `values` counts those read."""

    asker: Asker
    object_name: str
    values: int = 0
    problems: list[ConditionError] = field(default_factory=list)

    def compile_group(self, *, stored: Sequence[Any], joint: Joint = Joint.ALL, place: tuple[int, ...] = ()) -> Group:
        """Return the valid members of a group; what is wrong with the others is added to `problems`."""
        members: list[Condition | Group] = []
        for index, each in enumerate(stored):
            try:
                members.append(self._compile(stored=each, place=(*place, index)))
            except ConditionError as error:
                self.problems.append(error)
        if joint == Joint.ALL:
            self._refuse_reversed(members=members, place=place)
        return Group(joint=joint, members=tuple(members))

    def _compile(self, *, stored: Any, place: tuple[int, ...]) -> Condition | Group:
        group = read_joint(stored)
        if group is None:
            return self._compile_condition(stored=stored, place=place)
        if len(place) >= DEEPEST:
            raise ConditionError(TOO_DEEP, place=place)
        if not group[1]:
            raise ConditionError("A group has no condition. Add one, or remove the group.", place=place)
        return self.compile_group(stored=group[1], joint=group[0], place=place)

    def _compile_condition(self, *, stored: Any, place: tuple[int, ...]) -> Condition:
        if not isinstance(stored, dict) or not isinstance(stored.get("values", []), list):
            raise ConditionError(_UNREADABLE.format(number=".".join(str(each + 1) for each in place)), place=place)
        path, values = str(stored.get("field", "")), [str(value) for value in stored.get("values", [])]
        subject = find_subject(asker=self.asker, object_name=self.object_name, path=path)
        if subject is None:
            title = self.asker.configuration.get(self.object_name).vault_object.title
            raise ConditionError(
                f"The filter asks about {path}, which {title} does not have (any more). Remove the condition, or make "
                "the field Active again.",
                place=place,
            )
        return self._compile_values(subject=subject, name=str(stored.get("operator")), values=values, place=place)

    def _compile_values(
        self, *, subject: Subject, name: str, values: Sequence[str], place: tuple[int, ...]
    ) -> Condition:
        label, asked = subject.label, subject.field
        operator = next(
            (known for known in list_accepted_operators(asker=self.asker, field=asked) if known == name), None
        )
        if operator is None:
            word = Operator(name).label if name in Operator.values else name
            raise ConditionError(
                f"“{word}” cannot be asked of it. Choose another operator, or remove the condition.",
                label=label,
                place=place,
            )
        try:
            cleaned = self._read_values(subject=subject, operator=operator, values=values)
            meaning = (
                get_kind(asked).mean(asker=self.asker, field=asked, operator=operator, values=cleaned)
                if cleaned
                else None
            )
        except ValueError as error:
            raise ConditionError(str(error), label=label, place=place) from None
        return Condition(subject=subject, operator=operator, values=cleaned, meaning=meaning)

    def _read_values(self, *, subject: Subject, operator: Operator, values: Sequence[str]) -> tuple[str, ...]:
        cleaned = _clean_values(subject=subject, operator=operator, values=values)
        self.values += len(cleaned)
        if self.values > MOST_VALUES:
            raise ValueError(f"All conditions together have at most {MOST_VALUES} values. Remove some.")
        return cleaned

    def _refuse_reversed(self, *, members: Sequence[Condition | Group], place: tuple[int, ...]) -> None:
        """Refuse *from* and *until* of one field, as two conditions that must both hold, that no value can fulfil."""
        bounds: dict[tuple[str, Operator], Any] = {}
        for index, each in enumerate(members):
            if not isinstance(each, Condition) or each.operator not in (Operator.FROM, Operator.UNTIL):
                continue
            kind = get_kind(each.subject.field)
            if not kind.is_ordered:
                continue
            bounds[each.subject.path, each.operator] = kind.read_bound(each.values[0])
            first = bounds.get((each.subject.path, Operator.FROM))
            last = bounds.get((each.subject.path, Operator.UNTIL))
            if first is None or last is None:
                continue
            try:
                refuse_reversed(first=first, last=last)
            except ValueError as error:
                self.problems.append(ConditionError(str(error), label=each.subject.label, place=(*place, index)))


def compile_conditions(*, asker: Asker, object_name: str, stored: Sequence[Any]) -> Group:
    """Check and return conditions that must all hold. Raises ConditionError for the first that is not valid."""
    compiler = Compiler(asker=asker, object_name=object_name)
    group = compiler.compile_group(stored=stored)
    if count_stored(stored) > MOST_CONDITIONS:
        raise ConditionError(f"A filter has at most {MOST_CONDITIONS} conditions. Remove some.")
    if compiler.problems:
        raise min(compiler.problems, key=lambda each: each.place)
    return group


def count_stored(stored: Sequence[Any]) -> int:
    """Return how many conditions stand in stored conditions and groups."""
    groups = [read_joint(each) for each in stored]
    return sum(1 if group is None else count_stored(group[1]) for group in groups)


def _clean_values(*, subject: Subject, operator: Operator, values: Sequence[str]) -> tuple[str, ...]:
    found = [value.strip() for value in values if value.strip()]
    least, most = NUMBER_OF_VALUES[operator]
    if most == 0:
        return ()
    if most is None:
        found = list(dict.fromkeys(found))
    if not found:
        raise ValueError("Enter a value, or choose “is empty” or “is not empty”.")
    if len(found) < least:
        raise ValueError("Enter both values, from and until.")
    if most is not None and len(found) > most:
        raise ValueError(f"Enter {'one value' if most == 1 else 'two values'}; “{operator.label}” takes no more.")
    if len(found) > MOST_VALUES:
        raise ValueError(f"Enter at most {MOST_VALUES} values.")
    read = (read_value(shape=subject.shape, field=subject.field, operator=operator, value=value) for value in found)
    return tuple(dict.fromkeys(read)) if most is None else tuple(read)
