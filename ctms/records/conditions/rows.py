"""A row of the form of conditions: a field, an operator, and the inputs for its values.

All inputs that the field's operators need are in the page, and the stylesheet shows those of the chosen operator, so
that no script is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString

from ctms.accounts.models import User
from ctms.core.uuids import read_uid
from ctms.records.conditions.kinds import get_kind, list_operators
from ctms.records.conditions.mine import ME
from ctms.records.conditions.referred import ReferenceConditions
from ctms.records.conditions.subjects import Subject
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.comparing.periods import LONGEST, PERIOD_CHOICES, SIDES, UNITS, join_period, split_period
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.references import describe_choice

_MOST_SUGGESTED = 100
_MOST_USERS = 200
_COUNTED = [(f"{side}_{unit}", f"in the {side} … {unit}") for side in SIDES for unit in UNITS]
# What the inputs of an operator are called: the stylesheet shows the parts that the chosen operator takes.
_PARTS: Mapping[Operator, str] = {
    Operator.FROM: "from",
    Operator.UNTIL: "until",
    Operator.BETWEEN: "from until",
    Operator.WITHIN: "period",
    Operator.NOT_WITHIN: "period",
    Operator.EMPTY: "none",
    Operator.NOT_EMPTY: "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A choice of a select or a check-box."""

    value: str
    label: str
    is_chosen: bool = False
    takes: str = ""  # the parts that an operator takes; `counted` of a period with a number


@dataclass(slots=True, kw_only=True)
class ConditionRow:
    """A condition as it is stored or was typed. One whose field is gone (`subject` is None) can only be removed."""

    asker: Asker
    user: User
    number: int
    place: str  # of the group that it stands in, such as `any1`; empty for the outermost
    path: str
    subject: Subject | None
    stored: dict[str, Any]
    entry: ReferenceField | None = None
    data: MultiValueDict[str, str] | None = None
    blanks: int = 0
    names: str = "c"  # what the names of its inputs begin with
    offered: tuple[tuple[str, str], ...] = ()  # uid and name of all records to choose from, if they are ticked
    errors: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"{self.names}{self.number}"

    @property
    def label(self) -> str:
        return self.subject.label if self.subject is not None else self.path

    @property
    def operators(self) -> list[Option]:
        """Return the operators to choose from, with the one of the condition even if it is not offered any more."""
        if self.subject is None:
            return []
        offered = list_operators(asker=self.asker, field=self.subject.field)
        chosen = self.stored.get("operator")
        if chosen in Operator.values and chosen not in offered:
            offered.append(Operator(chosen))
        return [
            Option(value=each, label=each.label, is_chosen=each == chosen, takes=_PARTS.get(each, "values"))
            for each in offered
        ]

    @property
    def values(self) -> list[str]:
        return [str(each) for each in self.stored.get("values", [])]

    @property
    def input_type(self) -> str:
        """Return the type of the inputs of single values; empty if values are ticked."""
        if self.subject is None or self.ticks or self.has_entry:
            return ""
        return get_kind(self.subject.field).input_type

    @property
    def single_values(self) -> list[str]:
        """Return the values to type, one an input, and blanks for more."""
        shown = self.values if self._takes("values") else []
        return [*shown, *[""] * max(self.blanks, 0 if shown else 1)]

    @property
    def can_have_more(self) -> bool:
        return bool(self.input_type)

    @property
    def ticks(self) -> list[Option]:
        """Return the values to tick: of a picklist, Yes/No, or the records chosen so far."""
        if self.subject is None:
            return []
        chosen, kind = self.values if self._takes("values") else [], get_kind(self.subject.field)
        if isinstance(kind, ReferenceConditions):
            choices = self._list_referred(kind=kind, chosen=chosen)
        else:
            choices = list(kind.list_ticks(self.subject.shape.list_choices(self.subject.field)))
            # A value that is not in the picklist any more is shown, so that it can be removed.
            if choices:
                choices += [(each, f"{each} (not in the picklist)") for each in chosen if each not in dict(choices)]
        return [Option(value=value, label=label, is_chosen=value in chosen) for value, label in choices]

    @property
    def has_entry(self) -> bool:
        """Whether records to add are typed."""
        return (
            self.subject is not None and self.subject.field.reference is not None and not (self.users or self.offered)
        )

    @property
    def entry_html(self) -> SafeString:
        """Return the input with suggestions for a record to add."""
        if self.entry is None:
            return SafeString("")
        attributes = {"id": f"{self.prefix}-entry", "aria-label": f"{self.label}: record to add"}
        return self.entry.widget.render(self.entry_name, self._typed_entry or None, attrs=attributes)

    @property
    def entry_name(self) -> str:
        return f"{self.prefix}-entry"

    @property
    def typed_entry(self) -> str:
        """Return what was typed for records to add, and could not be found."""
        return self._typed_entry

    @property
    def suggestions(self) -> list[str]:
        """Return the names of all records to choose from, unless there are many."""
        if self.entry is None:
            return []
        names = self.entry.visible.order_by("name").values_list("name", flat=True).distinct()[: _MOST_SUGGESTED + 1]
        found = list(names)
        return found if len(found) <= _MOST_SUGGESTED else []

    @property
    def users(self) -> list[Option]:
        """Return the users to add, for a reference to users."""
        if self.subject is None or self.subject.field.reference is not User:
            return []
        known = User._default_manager.filter(is_active=True).order_by("username")[:_MOST_USERS]
        return [Option(value=each.username, label=str(each)) for each in known if each.username not in self.values]

    @property
    def first(self) -> str:
        return self.values[0] if self._takes("from") and self.values else ""

    @property
    def last(self) -> str:
        return self.values[-1] if self._takes("until") and self.values else ""

    @property
    def has_periods(self) -> bool:
        return any(option.takes == "period" for option in self.operators)

    @property
    def has_span(self) -> bool:
        return any("from" in option.takes for option in self.operators)

    @property
    def periods(self) -> list[Option]:
        form = split_period(self.values[0])[0] if self._takes("period") and self.values else ""
        return [
            *[Option(value=value, label=label, is_chosen=value == form) for value, label in PERIOD_CHOICES],
            *[Option(value=value, label=label, is_chosen=value == form, takes="counted") for value, label in _COUNTED],
        ]

    @property
    def period_number(self) -> str:
        number = split_period(self.values[0])[1] if self._takes("period") and self.values else ""
        return number or "30"

    @property
    def longest_period(self) -> int:
        return LONGEST

    def read(self) -> None:
        """Read what was typed into `stored`; what cannot be found is an error."""
        if self.data is None:
            return
        operator = self.data.get(f"{self.prefix}-operator", "")
        values: list[str] = []
        for part in self._list_parts(operator):
            if part == "values":
                values += [*self._get_typed("value"), *self._find_entries()]
            elif part == "period":
                number = next(iter(self._get_typed("number")), "").lstrip("0")
                values += [join_period(each, number) for each in self._get_typed("period")]
            else:
                values += self._get_typed(part)
        self.stored = {"field": self.path, "operator": operator, "values": values}

    def _get_typed(self, name: str) -> list[str]:
        typed = self.data.getlist(f"{self.prefix}-{name}") if self.data is not None else []
        return [each.strip() for each in typed if each.strip()]

    @property
    def _typed_entry(self) -> str:
        if self.data is None or not self.errors:
            return ""
        return str(self.data.get(f"{self.entry_name}__text", "") or "")

    def _takes(self, part: str) -> bool:
        return part in self._list_parts(self.stored.get("operator", ""))

    def _list_parts(self, operator: str) -> list[str]:
        return (_PARTS.get(Operator(operator), "values") if operator in Operator.values else "values").split()

    def _find_entries(self) -> list[str]:
        """Return the uids of the records that were typed: one by its name, or several separated by commas."""
        data = self.data or MultiValueDict()
        if self.entry is None:
            text = str(data.get(f"{self.entry_name}__text", "")).strip()
            return [each.strip() for each in text.split(",")] if text else []
        typed = self.entry.widget.value_from_datadict(data, {}, self.entry_name)
        if not typed:
            return []
        try:
            return [str(self.entry.find(typed).uid)]
        except ValidationError as error:
            parts = [each.strip() for each in str(typed).split(",") if each.strip()]
            if len(parts) < 2:  # noqa: PLR2004  one name
                self.errors += error.messages
                return []
        found = []
        for each in parts:
            try:
                found.append(str(self.entry.find(each).uid))
            except ValidationError as error:
                self.errors += error.messages
        return found

    def _list_referred(self, *, kind: ReferenceConditions, chosen: Sequence[str]) -> list[tuple[str, str]]:
        if self.subject is None:
            return []
        words = kind.list_words(asker=self.asker, field=self.subject.field)
        uids = [each for each in chosen if each not in dict([*words, *self.offered])]
        names: dict[str, str] = {}
        if self.subject.field.reference is User:
            known = User._default_manager.filter(username__in=uids) if uids else []
            names = {each.username: str(each) for each in known}
        elif self.entry is not None and uids:
            seen = self.entry.visible.filter(uid__in=[each for each in uids if read_uid(each)])
            names = {str(each.uid): describe_choice(each) for each in seen}
        unseen = [(each, names.get(each, f"{each} (gone, or not visible to you)")) for each in uids]
        return [
            *((value, label.capitalize() if value == ME else label) for value, label in words),
            *self.offered,
            *unseen,
        ]
