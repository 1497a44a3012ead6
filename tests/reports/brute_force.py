"""What a report answers, computed in Python record by record from what its reader sees."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.periods import list_days
from ctms.records.fields.references import get_target
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition
from ctms.reports.engine.groups import HIDDEN_GROUP
from ctms.reports.sources import ReportConfiguration, find_source, load_report_configuration, open_source

Figures = tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class BruteForce:
    """Answers one definition for one user. It knows the conditions, periods and figures that delivered reports have."""

    user: User
    definition: ReportDefinition
    configuration: ReportConfiguration = field(default_factory=load_report_configuration)
    _seen: dict[str, set[Any]] = field(default_factory=dict)

    _records: list[Any] | None = None

    @property
    def shape(self) -> ObjectShape:
        return self.configuration.get(self.definition.type.primary)

    def list_records(self) -> list[Any]:
        """Return the records that the user sees and that fulfil the filters."""
        if self._records is None:
            found = self._list_all(self.definition.type.primary)
            filters = self.definition.filters
            self._records = [each for each in found if all(self._fulfils(each, stored) for stored in filters)]
        return self._records

    def list_rows(self) -> list[tuple[Any, Any]]:
        """Return each record with each related one; with None if it has none."""
        kind = self.definition.type
        if not kind.related:
            return [(each, None) for each in self.list_records()]
        reference = self.configuration.get(kind.related).fields[kind.reference].attribute
        related = self._list_all(kind.related)
        return [
            (record, other)
            for record in self.list_records()
            for other in [each for each in related if getattr(each, f"{reference}_id") == record.pk] or [None]
        ]

    def list_figures(self, groups: Sequence[GroupDefinition]) -> dict[tuple[str, ...], Figures]:
        """Return the figures of each group by its identities."""
        gathered: dict[tuple[str, ...], list[Any]] = {}
        for record in self.list_records():
            gathered.setdefault(tuple(self._identify(record, each) for each in groups), []).append(record)
        return {names: self.measure(records) for names, records in gathered.items()}

    def list_counts(self, groups: Sequence[GroupDefinition]) -> Counter[tuple[str, ...]]:
        """Return the number of records of each group by its identities."""
        return Counter(tuple(self._identify(each, group) for group in groups) for each in self.list_records())

    def measure(self, records: Iterable[Any]) -> Figures:
        """Return the figures of these records."""
        listed = list(records)
        return tuple(self._measure(listed, each) for each in self.definition.measures or (MeasureDefinition(),))

    def read(self, record: Any, name: str) -> Any:
        """Return the value of a field; what is hidden is `HIDDEN_GROUP`."""
        found = self.shape.fields[name]
        value = record
        for step in found.attribute.split("__"):
            value = getattr(value, step) if value is not None else None
        return self._hide(found, value)

    def _hide(self, found: ObjectField, value: Any) -> Any:
        target = get_target(found)
        if value is None or target is None or target.is_setup:
            return None if value == "" else value
        if target.api_name not in self._seen:
            opened = find_source(user=self.user, object_name=target.api_name, configuration=self.configuration)
            self._seen[target.api_name] = {each.pk for each in opened.list_records()} if opened is not None else set()
        return value if value.pk in self._seen[target.api_name] else HIDDEN_GROUP

    def _list_all(self, name: str) -> list[Any]:
        return list(
            open_source(user=self.user, object_name=name, configuration=self.configuration)
            .list_records()
            .order_by("pk")
        )

    def _fulfils(self, record: Any, stored: Mapping[str, Any]) -> bool:
        value, operator = self.read(record, stored["field"]), stored["operator"]
        if operator == "not_empty":
            return value is not None
        if operator == "within":
            return value is not None and is_within(value, stored["values"][0])
        text = str(value).lower() if isinstance(value, bool) else value
        return bool(text in stored["values"]) is (operator == "is")

    def _identify(self, record: Any, group: GroupDefinition) -> str:
        value = self.read(record, group.column)
        if value is None:
            return ""
        if group.period:
            day = timezone.localtime(value).date() if isinstance(value, dt.datetime) else value
            return str((day.replace(day=1) if group.period == "month" else day).isoformat())
        return str(value.pk if hasattr(value, "pk") else value)

    def _measure(self, records: list[Any], measure: MeasureDefinition) -> Any:
        if not measure.column:
            return len(records)
        values = [self.read(each, measure.column) for each in records]
        given = [each for each in values if each is not None and each != HIDDEN_GROUP]
        if measure.function == "count":
            return len(given)
        if measure.function == "distinct":
            return len(set(given))
        made_by: dict[str, Callable[[list[Any]], Any]] = {"sum": sum, "least": min, "greatest": max}
        return made_by[str(measure.function)](given) if given else None


def is_within(value: Any, period: str) -> bool:
    """Whether a day or a moment lies in a period; the days of a moment are so many times 24 hours."""
    if isinstance(value, dt.datetime):
        days = int(period.removeprefix("last_").removesuffix("_days"))
        return timezone.now() - dt.timedelta(days=days) <= value <= timezone.now()
    first, last = list_days(period=period, today=timezone.localdate())
    return bool((first or value) <= value <= (last or value))
