"""The form of conditions, the same for the filters of lists and for those of integration rules.

It is shown again for each condition that is added or removed: nothing is kept before it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.datastructures import MultiValueDict

from ctms.accounts.models import User
from ctms.records.access import ObjectAccess
from ctms.records.conditions.compiling import MOST_CONDITIONS, Compiler
from ctms.records.conditions.kinds import list_operators
from ctms.records.conditions.rows import ConditionRow
from ctms.records.conditions.subjects import Subject, find_subject, list_subjects
from ctms.records.conditions.tree import DEEPEST, Joint, read_joint
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.references import get_target, list_visible

ADD, ADD_GROUP, REMOVE, MORE = "add", "add_group", "remove", "more"
_BUTTONS = (ADD, ADD_GROUP, REMOVE, MORE)
# The value of `add` for the outermost conditions, because a button without a value sends nothing.
TOP = "top"
_MOST_TICKED = 50
_LONGEST_NUMBER = 4  # digits of a row's number


@dataclass(slots=True, kw_only=True)
class Section:
    """A group of the form: rows and sections, in order. `place` is empty for the outermost."""

    place: str
    members: list[ConditionRow | Section] = field(default_factory=list)

    is_section = True

    @property
    def joint(self) -> Joint:
        name = self.place.rpartition(".")[2].rstrip("0123456789")
        return Joint(name) if name else Joint.ALL

    @property
    def add_value(self) -> str:
        return self.place or TOP

    def list_rows(self) -> Iterator[tuple[tuple[int, ...], ConditionRow]]:
        """Iterate over the rows of this section and the sections in it, with the place of each in the stored form."""
        for index, each in enumerate(self.members):
            if isinstance(each, Section):
                yield from (((index, *place), row) for place, row in each.list_rows())
            else:
                yield (index,), each

    def as_stored(self) -> list[Any]:
        """Return the conditions of the section as JSON."""
        return [
            {str(each.joint): each.as_stored()} if isinstance(each, Section) else each.stored for each in self.members
        ]


class ConditionsForm:
    """The conditions that are stored, or those that were typed if there are `data`.

    `object_type` limits the fields that are offered to those of a type. `prefix` stands before the names of all inputs,
    where a form has the conditions of two objects.
    """

    def __init__(
        self,
        *,
        asker: Asker,
        user: User,
        object_name: str,
        object_type: str = "",
        stored: Sequence[Any] = (),
        data: MultiValueDict[str, str] | None = None,
        has_typeahead: bool = True,
        prefix: str = "",
    ) -> None:
        self.asker, self.user, self.object_name, self.object_type = asker, user, object_name, object_type
        self.data, self.has_typeahead, self.prefix = data, has_typeahead, prefix
        self.error = ""
        self.rows: list[ConditionRow] = []
        if data is None:
            self._build_stored(stored=stored, place="")
            self.check()
        else:
            self._build_typed(data)

    @property
    def section(self) -> Section:
        """Return the rows in their groups."""
        sections: dict[str, Section] = {"": Section(place="")}
        for row in self.rows:
            _open_section(sections=sections, place=row.place).members.append(row)
        return sections[""]

    @property
    def groups(self) -> list[tuple[str, list[Subject]]]:
        """Return the fields to choose from: the object's own, then those of each record that it refers to."""
        found: dict[str, list[Subject]] = {}
        offered = list_subjects(asker=self.asker, object_name=self.object_name, object_type=self.object_type)
        for each in offered:
            found.setdefault(each.group or "Fields of the record", []).append(each)
        return list(found.items())

    def act(self) -> bool:
        """Do what a button asked for that changes the form; False if the conditions are to be applied."""
        data = self.data if self.data is not None else MultiValueDict()
        pressed = {name: str(data[f"{self.prefix}{name}"]) for name in _BUTTONS if f"{self.prefix}{name}" in data}
        if REMOVE in pressed:
            self.rows = [each for each in self.rows if str(each.number) != pressed[REMOVE]]
        elif MORE in pressed:
            for each in self.rows:
                each.blanks += str(each.number) == pressed[MORE]
        elif ADD_GROUP in pressed:
            self.add(path=self._read_about(TOP), place=self._name_group())
        elif ADD in pressed:
            place = pressed[ADD]
            self.add(path=self._read_about(place), place="" if place == TOP else place)
        else:
            return False
        return True

    def add(self, *, path: str, place: str = "") -> None:
        """Add a condition on a field; set `error` if there is no such field, or there are too many conditions."""
        subject = find_subject(asker=self.asker, object_name=self.object_name, path=path)
        operators = list_operators(asker=self.asker, field=subject.field) if subject is not None else []
        if not operators:
            self.error = "Choose the field that the condition is about, then add it."
        elif len(self.rows) >= MOST_CONDITIONS:
            self.error = f"A filter has at most {MOST_CONDITIONS} conditions. Remove some."
        else:
            # Who looks for something types a part of a text; a rule that nobody wrote otherwise means the whole.
            is_part = self.asker.user is not None and Operator.CONTAINS in operators
            operator = Operator.CONTAINS if is_part else operators[0]
            self._add_row(stored={"field": path, "operator": str(operator), "values": []}, place=place)

    def check(self) -> bool:
        """Check all conditions; the rows hold what is wrong with them."""
        compiler = Compiler(asker=self.asker, object_name=self.object_name)
        section = self.section
        compiler.compile_group(stored=section.as_stored())
        by_place = dict(section.list_rows())
        for error in compiler.problems:
            row = by_place.get(error.place)
            if row is None:
                self.error = str(error)
            elif not row.errors:
                row.errors.append(error.text)
        return not self.error and not any(row.errors for row in self.rows)

    def read(self) -> list[Any]:
        """Return the conditions as JSON."""
        return self.section.as_stored()

    def _read_about(self, place: str) -> str:
        data = self.data if self.data is not None else MultiValueDict()
        return str(data.get(f"{self.prefix}about-{place}", ""))

    def _build_stored(self, *, stored: Sequence[Any], place: str) -> None:
        numbers = dict.fromkeys(Joint, 0)
        for each in stored:
            group = read_joint(each)
            if group is None:
                self._add_row(stored=each if isinstance(each, dict) else {}, place=place)
                continue
            joint, members = group
            numbers[joint] += 1
            self._build_stored(stored=members, place=".".join(filter(None, (place, f"{joint}{numbers[joint]}"))))

    def _build_typed(self, data: MultiValueDict[str, str]) -> None:
        paths, places, numbers = (data.getlist(f"{self.prefix}{name}") for name in ("condition", "place", "number"))
        for path, place, number in list(zip(paths, places, numbers, strict=False))[: MOST_CONDITIONS + 1]:
            if number.isdecimal() and len(number) <= _LONGEST_NUMBER and _is_place(place):
                row = self._add_row(stored={"field": path}, place=place, number=int(number))
                row.data = data
                row.read()

    def _add_row(self, *, stored: dict[str, Any], place: str, number: int | None = None) -> ConditionRow:
        path = str(stored.get("field", ""))
        subject = find_subject(asker=self.asker, object_name=self.object_name, path=path)
        entry = self._build_entry(subject) if subject is not None else None
        row = ConditionRow(
            asker=self.asker,
            user=self.user,
            names=f"{self.prefix}c",
            number=max((each.number for each in self.rows), default=-1) + 1 if number is None else number,
            place=place,
            path=path,
            subject=subject,
            stored=stored,
            entry=entry,
            offered=self._list_offered(subject) if subject is not None and entry is None else (),
        )
        self.rows.append(row)
        return row

    def _build_entry(self, subject: Subject) -> ReferenceField | None:
        """Return the field in which a record to add is typed; None if the user may not read the records."""
        access = ObjectAccess(user=self.user, shape=subject.shape, configuration=self.asker.configuration)
        if get_target(subject.field) is None or list_visible(access=access, field=subject.field) is None:
            return None
        # Records may refer to inactive records too.
        return ReferenceField(access=access, field=subject.field, takes_any=True, required=False)

    def _list_offered(self, subject: Subject) -> tuple[tuple[str, str], ...]:
        """Return uid and name of the records of the set-up that may be chosen, unless there are many."""
        target = self.asker.find_target(subject.field) if self.asker.user is not None else None
        if target is None:
            return ()
        records = self.asker.list_records(target).order_by("name", "pk")[: _MOST_TICKED + 1]
        found = [(str(each.uid), str(each)) for each in records]
        return tuple(found) if len(found) <= _MOST_TICKED else ()

    def _name_group(self) -> str:
        taken = {each.place.partition(".")[0] for each in self.rows}
        return next(name for name in (f"{Joint.ANY}{number}" for number in range(1, 100)) if name not in taken)


def _is_place(place: str) -> bool:
    names = [each.rstrip("0123456789") for each in place.split(".")] if place else []
    return len(names) < DEEPEST and all(name in Joint.values for name in names)


def _open_section(*, sections: dict[str, Section], place: str) -> Section:
    if place not in sections:
        outer = _open_section(sections=sections, place=place.rpartition(".")[0])
        sections[place] = Section(place=place)
        outer.members.append(sections[place])
    return sections[place]
