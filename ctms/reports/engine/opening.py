"""Opens a report for a user: checks what it asks against the present configuration and what the user may see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError
from ctms.records.access import AccessRefusedError
from ctms.records.conditions.addresses import read_address
from ctms.records.conditions.tree import Group
from ctms.records.fields.kinds.base import Aggregate, kind_of
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition
from ctms.reports.engine.columns import Column, can_group, find_column
from ctms.reports.engine.groups import GroupBy
from ctms.reports.engine.joins import RELATED, Joins
from ctms.reports.engine.measures import FUNCTION_LABELS, Measure, list_functions
from ctms.reports.engine.parts import Part, find_way, open_part
from ctms.reports.errors import InvalidReportError, Problem
from ctms.reports.sources import load_report_configuration, open_source

MOST_GROUPS, MOST_MEASURES, MOST_COLUMNS, MOST_SORTED = 3, 6, 40, 6
_RELATED_PK = F(f"{RELATED}__pk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A statement that is being built: its joins, and the look-ups to its objects by their marks."""

    joins: Joins
    leads: dict[str, str]

    def lead(self, column: Column) -> str:
        """Return the look-up to the object that the column is of."""
        return self.leads[column.part.mark]


@dataclass(slots=True, kw_only=True)
class OpenReport:
    """A report as one user may run it. What is not valid is among `problems`, and the report does not run then."""

    definition: ReportDefinition
    user: User
    parts: tuple[Part, ...] = ()
    way: str = ""  # the look-up from the primary object to the related records
    conditions: dict[str, list[Group]] = field(default_factory=dict)  # by the mark of the object
    columns: tuple[Column, ...] = ()
    sort: tuple[tuple[Column, bool], ...] = ()
    groups: tuple[GroupBy, ...] = ()
    across: GroupBy | None = None
    measures: tuple[Measure, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # parameters of the address that are no conditions

    @property
    def primary(self) -> Part:
        return self.parts[0]

    @property
    def related(self) -> Part | None:
        return self.parts[1] if len(self.parts) > 1 else None

    @property
    def is_grouped(self) -> bool:
        return bool(self.groups)

    @property
    def scope(self) -> str:
        """Return what tells the order of this report from that of others."""
        stored = self.definition.as_stored()
        order = {name: stored[name] for name in ("sort", "groups", "across", "measures")}
        return hashlib.sha256(json.dumps([order, self.primary.shape.api_name]).encode()).hexdigest()[:16]

    def require_valid(self) -> None:
        """Raise InvalidReportError if something in the report is not valid."""
        if self.problems:
            raise InvalidReportError(self.problems)

    def start(self) -> Start:
        """Begin a statement."""
        joins = Joins()
        leads = {"": ""}
        if self.related is not None:
            records = self.related.limit(self.conditions[self.related.mark])
            leads[self.related.mark] = joins.add_related(path=self.way, records=records)
        return Start(joins=joins, leads=leads)

    def finish(self, start: Start) -> QuerySet[Any]:
        """Return the rows of a statement whose joins are known: records, each as often as it has related records.

        A record without any is one row, unless related records are asked for by conditions.
        """
        rows = start.joins.apply(self.primary.limit(self.conditions[""]))
        if self.related is not None:
            rows = rows.annotate(related_pk=_RELATED_PK)
            if any(self.conditions[self.related.mark]):
                rows = rows.filter(related_pk__isnull=False)
        return rows


def open_report(*, definition: ReportDefinition, user: User, address: QueryDict | None = None) -> OpenReport:
    """Open a report for a user. Conditions in the address narrow it further, as those of a list's address.

    Raises UnknownObjectError, and AccessRefusedError for users who may not read what the report is about.
    """
    configuration = load_report_configuration()
    opened = OpenReport(definition=definition, user=user)
    access = open_source(user=user, object_name=definition.type.primary, configuration=configuration)
    parts = [open_part(access=access)]
    if definition.type.related:
        related = open_source(user=user, object_name=definition.type.related, configuration=configuration)
        opened.way = find_way(related=related.shape, reference=definition.type.reference)
        if opened.way:
            parts.append(open_part(access=related, is_related=True))
        else:
            opened.problems.append(
                _note(
                    "type",
                    f"{related.vault_object.plural_title} do not refer to the primary object (any more). "
                    "Choose another related object.",
                )
            )
    opened.parts = tuple(parts)
    _compile_conditions(opened, address=address)
    _find_columns(opened)
    _find_groups(opened)
    _find_measures(opened)
    return opened


def try_open(*, definition: ReportDefinition, user: User, address: QueryDict | None = None) -> OpenReport:
    """As `open_report`, for a page of the report's own: raises InvalidReportError with the reason."""
    try:
        return open_report(definition=definition, user=user, address=address)
    except (UnknownObjectError, AccessRefusedError) as error:
        raise InvalidReportError([_note("type", str(error))]) from error


def _compile_conditions(opened: OpenReport, *, address: QueryDict | None) -> None:
    stored = {"filters": opened.definition.filters, "related_filters": opened.definition.related_filters}
    for part in opened.parts:
        group, problems = part.compile(stored[part.filters_part])
        opened.conditions[part.mark] = [group]
        opened.problems += problems
    if address is None:
        return
    primary = opened.primary
    asked = read_address(asker=primary.asker, object_name=primary.shape.api_name, parameters=address)
    opened.unknown = asked.unknown
    opened.problems += [_note("prompts", f"{name}: {' '.join(texts)}") for name, texts in asked.problems.items()]
    group, problems = primary.compile(asked.stored)
    opened.conditions[""].append(group)
    opened.problems += [_note("prompts", each.text) for each in problems]


def _find_columns(opened: OpenReport) -> None:
    if len(opened.definition.columns) > MOST_COLUMNS:
        opened.problems.append(_note("columns", f"A report has at most {MOST_COLUMNS} columns. Remove some."))
    opened.columns = tuple(
        found for key in opened.definition.columns if (found := _find(opened, key=key, part="columns")) is not None
    )
    if len(opened.definition.sort) > MOST_SORTED:
        opened.problems.append(_note("sort", f"A report is sorted by at most {MOST_SORTED} columns. Remove some."))
    sort = []
    for name in opened.definition.sort:
        column = _find(opened, key=name.removeprefix("-"), part="sort")
        if column is None:
            continue
        if not kind_of(column.field).is_sortable or (column.field.is_custom and column.field.reference is not None):
            opened.problems.append(_note("sort", f"{column.label} has no order. Sort by another column."))
            continue
        sort.append((column, name.startswith("-")))
    opened.sort = tuple(sort)


def _find_groups(opened: OpenReport) -> None:
    definition = opened.definition
    if len(definition.groups) > MOST_GROUPS:
        opened.problems.append(_note("groups", f"A report has at most {MOST_GROUPS} groups. Remove some."))
    found = [_find_group(opened, definition=each) for each in definition.groups]
    opened.groups = tuple(each for each in found if each is not None)
    if definition.across is not None:
        opened.across = _find_group(opened, definition=definition.across)
        if not definition.groups:
            opened.problems.append(_note("across", "A matrix needs a group for its rows. Add one."))
    for group in definition.groups[:-1]:
        if group.by_measure is not None:
            opened.problems.append(_note("groups", "Only the last group can be in the order of a figure."))


def _find_group(opened: OpenReport, *, definition: GroupDefinition) -> GroupBy | None:
    column = _find(opened, key=definition.column, part="groups")
    if column is None:
        return None
    if not can_group(column.field):
        opened.problems.append(_note("groups", f"A report cannot be grouped by {column.label}. Choose another column."))
        return None
    is_day = kind_of(column.field).is_day
    if definition.period and (not is_day or definition.period not in Period.values):
        choices = ", ".join(Period.labels) if is_day else "none: it is no date"
        opened.problems.append(
            _note("groups", f"{column.label} cannot be gathered by {definition.period}. Choose {choices}.")
        )
        return None
    return GroupBy(column=column, definition=definition)


def _find_measures(opened: OpenReport) -> None:
    asked = opened.definition.measures
    if not asked and opened.is_grouped:
        asked = (MeasureDefinition(),)
    if len(asked) > MOST_MEASURES:
        opened.problems.append(_note("measures", f"A report has at most {MOST_MEASURES} figures. Remove some."))
    found = [_find_measure(opened, definition=each) for each in asked]
    opened.measures = tuple(each for each in found if each is not None)
    for group in opened.definition.groups:
        if group.by_measure is not None and not 0 <= group.by_measure < len(asked):
            opened.problems.append(
                _note("groups", "The groups are in the order of a figure that the report does not have.")
            )


def _find_measure(opened: OpenReport, *, definition: MeasureDefinition) -> Measure | None:
    related = opened.related
    if not definition.column or (related is not None and definition.column == related.mark):
        if definition.function != Aggregate.COUNT:
            opened.problems.append(_note("measures", "Records themselves can only be counted. Choose a column."))
            return None
        part = related if definition.column and related is not None else opened.primary
        return Measure(
            function=Aggregate.COUNT,
            label=part.access.vault_object.plural_title,
            counted="related_pk" if part is related else "pk",
            is_multiplied=related is not None and part is opened.primary,
        )
    column = _find(opened, key=definition.column, part="measures")
    if column is None:
        return None
    functions = list_functions(column)
    function = next((each for each in functions if each == definition.function), None)
    if function is None:
        known = ", ".join(FUNCTION_LABELS[each] for each in functions) or "nothing"
        opened.problems.append(
            _note("measures", f"{definition.function} cannot be made of {column.label}. Choose {known}.")
        )
        return None
    if related is not None and not column.part.mark and function in (Aggregate.SUM, Aggregate.AVERAGE, Aggregate.COUNT):
        opened.problems.append(
            _note(
                "measures",
                f"{FUNCTION_LABELS[function]} {column.label} would count a value once for each of its "
                f"{related.access.vault_object.plural_label}. Use a report type without them.",
            )
        )
        return None
    return Measure(function=function, label=f"{FUNCTION_LABELS[function]} {column.label}", column=column)


def _find(opened: OpenReport, *, key: str, part: str) -> Column | None:
    column = find_column(parts=opened.parts, key=key)
    if column is None:
        title = opened.primary.access.vault_object.title
        opened.problems.append(
            _note(part, f"{title} has no column {key} that you may see (any more). Remove it, or ask an admin.")
        )
    return column


def _note(part: str, text: str) -> Problem:
    return Problem(part=part, text=text)


def list_conditions(opened: OpenReport) -> Sequence[tuple[Part, Group]]:
    """Return the conditions in force, each with the object that it is on."""
    return [(part, group) for part in opened.parts for group in opened.conditions[part.mark] if group]
