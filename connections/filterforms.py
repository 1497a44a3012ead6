"""The form of an integration rule's filter: one form per condition, and a picker that adds a condition.

It works without JavaScript: a condition's field is chosen first, and its row then offers the operators of this field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from connections.choices import FilterOperator
from connections.filters import (
    MOST_CONDITIONS,
    FilterError,
    Subject,
    compile_conditions,
    find_subject,
    list_operators,
    list_subjects,
)
from connections.filtervalues import takes_values
from connections.models import IntegrationRule
from connections.tables import name_records
from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError, get_object_of_model
from ctms.configuration.snapshot import Configuration
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.fields.kinds.base import Comparison, kind_of

_MOST_SUGGESTIONS = 100
_INPUT = {"class": "vault-input"}
_HINTS = {
    Comparison.WORDS: "Separate several values by commas; “equals” takes the whole text. Upper and lower case count.",
    Comparison.NUMBER: "Digits, with a point before the fraction.",
}


class ConditionForm(forms.Form):
    """One condition. If its field does not exist any more (`subject` is None), it can only be removed."""

    remove = forms.BooleanField(required=False, label="Remove", label_suffix="")

    def __init__(
        self, data: Any = None, *, path: str, subject: Subject | None, user: User, stored: dict[str, Any], prefix: str
    ) -> None:
        super().__init__(data, prefix=prefix, initial={"operator": stored.get("operator")})
        self.path, self.subject, self._user, self._posted = path, subject, user, data
        self.suggestions: list[str] = []
        self.hint = ""
        self.problem = ""  # of the stored condition; set by FilterForm if nothing was posted
        if subject is None:
            return
        self.fields["operator"] = forms.ChoiceField(
            label=f"{subject.label}: operator",
            choices=[(str(each), each.label) for each in list_operators(subject.field)],
            widget=forms.Select(attrs=_INPUT),
        )
        values = [str(each) for each in stored.get("values", [])]
        self._add_values(subject=subject, values=values)

    @property
    def label(self) -> str:
        return self.subject.label if self.subject else self.path

    @property
    def operator_field(self) -> forms.BoundField:
        return self["operator"]

    @property
    def values_field(self) -> forms.BoundField | None:
        return self["values"] if "values" in self.fields else None

    @property
    def text_field(self) -> forms.BoundField | None:
        return self["text"] if "text" in self.fields else None

    @property
    def remove_field(self) -> forms.BoundField:
        return self["remove"]

    @property
    def is_removed(self) -> bool:
        return bool(self.is_bound and self.data.get(self.add_prefix("remove")))

    def read(self) -> dict[str, Any]:
        """Return the condition of a valid form as it is stored."""
        given = self.cleaned_data
        values = list(given.get("values") or [])
        if (text := str(given.get("text") or "").strip()) and self.subject is not None:
            is_listed = given["operator"] in (FilterOperator.IN, FilterOperator.NOT_IN)
            if self.subject.field.reference is not None:
                values += given["found"]
            else:
                values += [part.strip() for part in text.split(",")] if is_listed else [text]
        operator = given.get("operator", FilterOperator.IN)
        return {"field": self.path, "operator": operator, "values": values if takes_values(operator) else []}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.subject is not None and self.subject.field.reference is not None:
            cleaned["found"] = self._find_uids(str(cleaned.get("text") or ""))
        return cleaned

    def _add_values(self, *, subject: Subject, values: list[str]) -> None:
        field = subject.field
        kind = kind_of(field)
        comparison = kind.comparison
        self.hint = _HINTS.get(comparison, "")
        if comparison == Comparison.CHOICE:
            choices = subject.shape.list_choices(field)
            # A value that is not in the picklist any more is shown, so that it can be removed.
            gone = [(value, f"{value} (not in the picklist)") for value in values if value not in dict(choices)]
            self._add_ticks(label="values", choices=[*choices, *gone], ticked=values)
        elif comparison == Comparison.RECORD:
            if self._posted is not None:
                values = self._posted.getlist(self.add_prefix("values"))
            if values:
                names = name_records(field=field, uids=[v for v in values if _is_uid(v)], user=self._user)
                unseen = "gone, or not visible to you"
                choices = [(value, names.get(value) or f"{value} ({unseen})") for value in values]
                self._add_ticks(label="values", choices=choices, ticked=values)
            self._add_text(label="records to add", hint="", listed=self.suggest(subject))
            self.hint = "By name or uid, several separated by commas."
        elif comparison in (Comparison.WORDS, Comparison.NUMBER, Comparison.DAY):
            is_day = comparison == Comparison.DAY
            if is_day:
                self.hint = f"That day included{', by UTC' if kind.is_moment else ''}."
            self._add_text(label="day" if is_day else "value", hint="date" if is_day else "", listed=[])
            self.initial["text"] = ", ".join(values)

    def _add_ticks(self, *, label: str, choices: list[tuple[str, str]], ticked: list[str]) -> None:
        self.fields["values"] = forms.MultipleChoiceField(
            label=f"{self.label}: {label}", choices=choices, required=False, widget=forms.CheckboxSelectMultiple
        )
        self.initial["values"] = ticked

    def _add_text(self, *, label: str, hint: str, listed: list[str]) -> None:
        attributes = {**_INPUT, **({"type": hint} if hint else {})}
        if listed:
            self.suggestions = listed
            attributes["list"] = f"{self.prefix}-suggestions"
        self.fields["text"] = forms.CharField(
            label=f"{self.label}: {label}", required=False, max_length=4000, widget=forms.TextInput(attrs=attributes)
        )

    def suggest(self, subject: Subject) -> list[str]:
        """Return the names of all visible records, or none if there are more than `_MOST_SUGGESTIONS`."""
        visible = _list_visible(subject=subject, user=self._user)
        if visible is None:
            return []
        names = list(visible.order_by("name").values_list("name", flat=True).distinct()[: _MOST_SUGGESTIONS + 1])
        return names if len(names) <= _MOST_SUGGESTIONS else []

    def _find_uids(self, text: str) -> list[str]:
        if not text.strip() or self.subject is None:
            return []
        visible = _list_visible(subject=self.subject, user=self._user)
        found: list[str] = []
        whole = text.strip()
        parts = [part.strip() for part in whole.split(",") if part.strip()]
        if visible is not None and "," in whole and visible.filter(name=whole).exists():
            parts = [whole]
        for part in parts:
            if visible is None:
                found.append(part)  # compile_conditions refuses what is no UID
                continue
            matching = visible.filter(uid=part) if _is_uid(part) else visible.filter(name__iexact=part)
            uids = [str(uid) for uid in matching.values_list("uid", flat=True)[:2]]
            if len(uids) == 1:
                found += uids
            else:
                many = "Several records are" if uids else "No record that you can see is"
                remedy = "Enter the uid of the one that is meant." if uids else "Correct the name, or enter the uid."
                self.add_error("text", f"{many} called “{part}”. {remedy}")
        return found


class FilterForm:
    """The conditions of a filter: those posted if there are `data`, else those of the rule."""

    def __init__(
        self, data: QueryDict | None = None, *, rule: IntegrationRule, configuration: Configuration, user: User
    ) -> None:
        self._rule, self._configuration, self._user = rule, configuration, user
        self.error = ""
        stored = [each if isinstance(each, dict) else {} for each in rule.conditions]
        paths = [str(each.get("field", "")) for each in stored]
        if data is not None:
            paths = data.getlist("path")[: MOST_CONDITIONS + 1]
            stored = [{} for _ in paths]
        self.rows = [
            self._build_row(data=data, path=path, stored=each, number=number)
            for number, (path, each) in enumerate(zip(paths, stored, strict=True))
        ]
        if data is None:
            self._mark_problems()

    def add_row(self, path: str) -> None:
        """Add a condition on the chosen field; set `error` if there is none or the filter is full."""
        if find_subject(configuration=self._configuration, object_name=self._rule.vault_object, path=path) is None:
            self.error = "Choose the field that the condition is about, then Add condition."
        elif len(self.rows) >= MOST_CONDITIONS:
            self.error = f"A filter has at most {MOST_CONDITIONS} conditions. Remove some."
        else:
            self.rows.append(self._build_row(data=None, path=path, stored={}, number=len(self.rows)))

    def is_valid(self) -> bool:
        """Whether every condition that is not removed is valid; if not, the rows hold the errors."""
        kept = [row for row in self.rows if not row.is_removed]
        valid = [row.is_valid() for row in kept]
        for row in kept:
            if not row.errors:
                try:
                    self._compile([row.read()])
                except FilterError as error:
                    row.add_error(None, str(error))
                    valid.append(False)
        return all(valid)

    def read(self) -> list[dict[str, Any]]:
        """Return the conditions of a valid form as they are stored."""
        return [row.read() for row in self.rows if not row.is_removed]

    def list_pickable(self) -> list[tuple[str, list[Subject]]]:
        """Return the fields for conditions in groups: the record's own, then those of each record referred to."""
        groups: dict[str, list[Subject]] = {}
        subjects = list_subjects(
            configuration=self._configuration,
            object_name=self._rule.vault_object,
            object_type=self._rule.vault_object_type,
        )
        for each in subjects:
            groups.setdefault(each.reference.label if each.reference else "Fields of the record", []).append(each)
        return list(groups.items())

    def _build_row(self, *, data: QueryDict | None, path: str, stored: dict[str, Any], number: int) -> ConditionForm:
        subject = find_subject(configuration=self._configuration, object_name=self._rule.vault_object, path=path)
        return ConditionForm(
            data, path=path, subject=subject, user=self._user, stored=stored, prefix=f"condition-{number}"
        )

    def _mark_problems(self) -> None:
        for row, each in zip(self.rows, self._rule.conditions, strict=True):
            try:
                self._compile([each])
            except FilterError as error:
                row.problem = str(error)

    def _compile(self, conditions: Sequence[Any]) -> None:
        compile_conditions(
            configuration=self._configuration, object_name=self._rule.vault_object, stored=list(conditions)
        )


def _list_visible(*, subject: Subject, user: User) -> Any:
    target = get_object_of_model(subject.field.reference) if subject.field.reference else None
    if target is None:
        return None
    try:
        return open_object(user=user, object_name=target.api_name).list_records()
    except (AccessRefusedError, UnknownObjectError):
        return None


def _is_uid(text: str) -> bool:
    try:
        forms.UUIDField().clean(text)
    except forms.ValidationError:
        return False
    return True
