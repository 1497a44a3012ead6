"""The form of a report: what is stored, or what was typed, as choices for a template and as the JSON to store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.utils.text import capfirst

from ctms.accounts.models import User
from ctms.records.conditions.forms import ConditionsForm
from ctms.records.fields.kinds.base import Aggregate, kind_of
from ctms.records.lists.columns import get_lead, move_column
from ctms.reports.choices import ChartKind, Period
from ctms.reports.definition import ReportDefinition, TypeDefinition, build_definition
from ctms.reports.engine.columns import Column, can_group, can_show, find_column
from ctms.reports.engine.measures import FUNCTION_LABELS, list_functions
from ctms.reports.engine.opening import (
    MOST_GROUPS,
    MOST_MEASURES,
    OpenReport,
    try_open,
)
from ctms.reports.engine.parts import Part
from ctms.reports.errors import Problem
from ctms.reports.pages.builder.options import (
    Groups,
    group_columns,
    name_column,
    render_choices,
    render_chosen,
    render_options,
    render_ticks,
)
from ctms.reports.pages.report_page import can_sort

MOST_SORTS, MOST_PROMPTS = 3, 5
_RECORDS = "records"  # stands for the records themselves among the columns of a figure
_DOWN = "down"
_ORDERS = (("", "Ascending"), (_DOWN, "Descending"))
_LONGEST_LIMIT = 7  # digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the form: selects by the part of their names, each with its options."""

    number: int
    name: str
    label: str
    is_blank: bool
    selects: list[tuple[str, str, Any]] = field(default_factory=list)  # name, label, options


class ReportForm:
    """The builder of reports of a type. `stored` are the attributes of a report; `data` what was typed instead.

    Raises InvalidReportError if the user may not read what the type is about.
    """

    def __init__(
        self, *, user: User, type_definition: TypeDefinition, stored: Mapping[str, Any], data: QueryDict | None = None
    ) -> None:
        self.user, self.type_definition, self.data = user, type_definition, data
        empty = build_definition(type_definition=type_definition, stored={})
        self._empty: OpenReport = try_open(definition=empty, user=user)
        self.name = str(stored.get("name", "") if data is None else data.get("name", ""))
        self.description = str(stored.get("description", "") if data is None else data.get("description", ""))
        self.errors: dict[str, str] = {}
        self.filters = {part.mark: self._open_filters(part=part, stored=stored) for part in self.parts}
        self.asked = dict(stored) if data is None else self._read(data)
        self._opened: OpenReport | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._empty.parts

    @cached_property
    def columns(self) -> Groups:
        return group_columns(self._empty)

    @property
    def sections(self) -> list[tuple[Part, ConditionsForm]]:
        """Return the conditions on each object."""
        return [(part, self.filters[part.mark]) for part in self.parts]

    @property
    def filter_titles(self) -> list[tuple[str, str, ConditionsForm]]:
        """Return part, title and form of the conditions on each object, such as *User Exception Message filters*."""
        return [
            (part.filters_part, f"{' '.join(map(str, map(capfirst, part.label.split())))} filters", form)
            for part, form in self.sections
        ]

    def act(self) -> bool:
        """Do what a button asked for that changes the form; False if the report is to be saved."""
        data = self.data if self.data is not None else QueryDict()
        acted = False
        for part, form in self.sections:
            if form.act():
                acted = True
                self.asked[part.filters_part] = form.read()
        for step, distance in (("up", -1), ("down", 1)):
            if step in data:
                acted = True
                names = self.asked["columns"]
                self.asked["columns"] = move_column(names=names, name=str(data[step]), step=distance)
        self._opened = None
        return acted or "preview" in data

    def check(self) -> bool:
        """Check what is to be saved; errors stand beside their fields."""
        if not self.name.strip():
            self.errors["name"] = "Enter a name."
        # Each form is asked, so that all errors are shown.
        fine = [form.check() for form in self.filters.values()]
        return all(fine) and not self.errors and not self.open().problems

    @property
    def definition(self) -> ReportDefinition:
        return build_definition(type_definition=self.type_definition, stored=self.asked)

    def open(self) -> OpenReport:
        """Return what the form asks, as its user may run it."""
        if self._opened is None:
            self._opened = try_open(definition=self.definition, user=self.user)
        return self._opened

    @property
    def column_problems(self) -> list[Problem]:
        """Return what is wrong with columns and order."""
        return self._list_problems("columns", "sort")

    @property
    def group_problems(self) -> list[Problem]:
        """Return what is wrong with groups and figures."""
        return self._list_problems("groups", "across", "measures")

    # -- Columns and order ----------------------------------------------------------------------------------------

    @property
    def chosen_columns(self) -> Any:
        return render_chosen((key, self._name(key)) for key in self.asked.get("columns", ()))

    @property
    def other_columns(self) -> list[tuple[str, Any]]:
        """Return the columns to add, by what they stand under."""
        chosen = set(self.asked.get("columns", ()))
        groups = [
            (label, [each for each in columns if each.key not in chosen]) for label, columns in self.columns.items()
        ]
        return [(label, render_ticks(columns)) for label, columns in groups if columns]

    @property
    def sorts(self) -> list[Line]:
        asked = list(self.asked.get("sort", ()))
        return [
            Line(
                number=number,
                name=f"sort-{number}",
                label="Sort by" if not number else "then by",
                is_blank=not name,
                selects=[
                    ("", "Column", render_options(self.columns, chosen=key, blank="No order", allows=can_sort)),
                    ("-order", "Order", render_choices(_ORDERS, chosen=_DOWN if name.startswith("-") else "")),
                ][: 2 if key else 1],
            )
            for number, name in enumerate([*asked, ""][:MOST_SORTS])
            for key in [name.removeprefix("-")]
        ]

    # -- Groups and figures ---------------------------------------------------------------------------------------

    @property
    def groups(self) -> list[Line]:
        asked = list(self.asked.get("groups", ()))
        last = len(asked) - 1
        return [
            self._build_group(
                name=f"group-{number}",
                number=number,
                label="Group by" if not number else "then by",
                stored=stored,
                with_figures=number == last,
            )
            for number, stored in enumerate([*asked, {}][:MOST_GROUPS])
        ]

    @property
    def across(self) -> Line:
        return self._build_group(
            name="across", number=0, label="Across", stored=self.asked.get("across") or {}, with_figures=False
        )

    @property
    def measures(self) -> list[Line]:
        # Without a figure, records are counted.
        asked = list(self.asked.get("measures") or [{"column": ""}])
        return [
            self._build_measure(number=number, stored=stored)
            for number, stored in enumerate([*asked, None][:MOST_MEASURES])
        ]

    @property
    def is_grouped(self) -> bool:
        return bool(self.asked.get("groups"))

    # -- Prompts, chart, limit ------------------------------------------------------------------------------------

    @property
    def prompts(self) -> list[Line]:
        primary = self.parts[0]
        paths = {each.path for _, subjects in self.filters[""].groups for each in subjects}
        own = {label: columns for label, columns in self.columns.items() if columns[0].part is primary}
        return [
            Line(
                number=number,
                name=f"prompt-{number}",
                label="Ask for",
                is_blank=not path,
                selects=[
                    (
                        "",
                        "Field",
                        render_options(own, chosen=path, blank="Nothing", allows=lambda column: column.key in paths),
                    )
                ],
            )
            for number, path in enumerate([*self.asked.get("prompts", ()), ""][:MOST_PROMPTS])
        ]

    @property
    def chart_kinds(self) -> Any:
        chosen = str((self.asked.get("chart") or {}).get("kind", ""))
        return render_choices([("", "No chart"), *ChartKind.choices], chosen=chosen)

    @property
    def chart_measures(self) -> Any:
        chosen = str((self.asked.get("chart") or {}).get("measure", 0))
        return render_choices(
            [(str(number), each.label) for number, each in enumerate(self.open().measures)], chosen=chosen
        )

    @property
    def row_limit(self) -> str:
        if self.data is not None:
            return str(self.data.get("row_limit", ""))
        return str(self.asked.get("row_limit") or "")

    def _list_problems(self, *parts: str) -> list[Problem]:
        return [each for each in self.open().problems if each.part in parts]

    # -- Reading --------------------------------------------------------------------------------------------------

    def _open_filters(self, *, part: Part, stored: Mapping[str, Any]) -> ConditionsForm:
        return ConditionsForm(
            asker=part.asker,
            user=self.user,
            object_name=part.shape.api_name,
            stored=list(stored.get(part.filters_part) or ()),
            data=self.data,
            has_typeahead=not part.access.vault_object.is_setup,
            prefix="related-" if part.mark else "",
        )

    def _read(self, data: QueryDict) -> dict[str, Any]:
        measures = [found for number in range(MOST_MEASURES) if (found := self._read_measure(data, number=number))]
        groups = [found for number in range(MOST_GROUPS) if (found := self._read_group(data, name=f"group-{number}"))]
        for group in groups[:-1]:
            group.pop("by_measure", None)
        chart = str(data.get("chart", ""))
        measure = str(data.get("chart-measure", ""))
        return {
            **{part.filters_part: self.filters[part.mark].read() for part in self.parts},
            "columns": list(dict.fromkeys(data.getlist("column"))),
            "sort": [
                f"{'-' if data.get(f'sort-{number}-order') == _DOWN else ''}{key}"
                for number in range(MOST_SORTS)
                if (key := data.get(f"sort-{number}", ""))
            ],
            "groups": groups,
            "across": self._read_group(data, name="across") or {},
            "measures": measures,
            "prompts": list(
                dict.fromkeys(filter(None, (data.get(f"prompt-{number}", "") for number in range(MOST_PROMPTS))))
            ),
            "chart": {"kind": chart, "measure": int(measure) if measure.isdecimal() and len(measure) == 1 else 0}
            if chart in ChartKind.values
            else {},
            "row_limit": self._read_limit(data),
        }

    def _read_group(self, data: QueryDict, *, name: str) -> dict[str, Any] | None:
        key = str(data.get(name, ""))
        if not key:
            return None
        column, order = self._find(key), str(data.get(f"{name}-order", ""))
        stored: dict[str, Any] = {"column": key}
        period = str(data.get(f"{name}-period", ""))
        if column is not None and kind_of(column.field).is_day:
            stored["period"] = period if period in Period.values else str(Period.MONTH)
        figure, _, direction = order.partition("-")
        if figure.isdecimal() and len(figure) == 1:
            stored |= {"by_measure": int(figure), "descending": direction == _DOWN}
        elif order == _DOWN:
            stored["descending"] = True
        return stored

    def _read_measure(self, data: QueryDict, *, number: int) -> dict[str, Any] | None:
        key = str(data.get(f"measure-{number}", ""))
        if not key:
            return None
        related = self._empty.related
        if key == _RECORDS or (related is not None and key == related.mark):
            return {"function": str(Aggregate.COUNT), "column": "" if key == _RECORDS else key}
        column = self._find(key)
        offered = list(map(str, list_functions(column))) if column is not None else []
        function = str(data.get(f"measure-{number}-function", ""))
        return {"function": function if function in offered else next(iter(offered), function), "column": key}

    def _read_limit(self, data: QueryDict) -> int | None:
        text = str(data.get("row_limit", "")).strip()
        if not text:
            return None
        if not text.isdecimal() or len(text) > _LONGEST_LIMIT or not int(text):
            self.errors["row_limit"] = "Enter a whole number from 1 to 9,999,999, or leave it empty for all."
            return None
        return int(text)

    # -- Drawing --------------------------------------------------------------------------------------------------

    def _build_group(
        self, *, name: str, number: int, label: str, stored: Mapping[str, Any], with_figures: bool
    ) -> Line:
        key = str(stored.get("column", ""))
        column = self._find(key) if key else None
        selects = [
            (
                "",
                "Column",
                render_options(self.columns, chosen=key, blank="No group", allows=lambda each: can_group(each.field)),
            )
        ]
        if column is not None and kind_of(column.field).is_day:
            selects.append(("-period", "Period", render_choices(Period.choices, chosen=str(stored.get("period", "")))))
        if key:
            orders = list(_ORDERS)
            if with_figures:
                figures = [(index, each.label) for index, each in enumerate(self.open().measures) if not each.is_money]
                orders += [
                    (f"{index}-{direction}", f"{figure}, {words} first")
                    for index, figure in figures
                    for direction, words in ((_DOWN, "most"), ("up", "least"))
                ]
            selects.append(("-order", "Order", render_choices(orders, chosen=_name_order(stored))))
        return Line(number=number, name=name, label=label, is_blank=not key, selects=selects)

    def _build_measure(self, *, number: int, stored: Mapping[str, Any] | None) -> Line:
        key = "" if stored is None else str(stored.get("column") or _RECORDS)
        column = self._find(key) if key and key != _RECORDS else None
        first = [(_RECORDS, f"{self.parts[0].access.vault_object.plural_title} (number)")]
        related = self._empty.related
        if related is not None:
            first.append((related.mark, f"{related.access.vault_object.plural_title} (number)"))
        options = render_options(
            self.columns,
            chosen=key,
            blank="No figure",
            allows=lambda each: bool(list_functions(each)),
            first=first,
        )
        selects = [("", "Of", options)]
        if column is not None and stored is not None:
            functions = [(str(each), FUNCTION_LABELS[each]) for each in list_functions(column)]
            chosen = str(stored.get("function", ""))
            selects.insert(0, ("-function", "Figure", render_choices(functions, chosen=chosen)))
        return Line(number=number, name=f"measure-{number}", label="Figure", is_blank=not key, selects=selects)

    def _find(self, key: str) -> Column | None:
        return find_column(parts=self.parts, key=key)

    def _name(self, key: str) -> str:
        column = self._find(key)
        has_parts = len(self.parts) > 1
        return name_column(column, has_parts=has_parts) if column is not None else f"{key} (not there any more)"


def suggest(part: Part, related: Part | None) -> dict[str, Any]:
    """Return what a new report of these objects begins with: the columns of their lists."""
    columns = dict.fromkeys((get_lead(part.shape), *part.access.vault_object.list_columns))
    found = [name for name in columns if name in part.shape.fields and can_show(part.shape.fields[name])]
    if related is not None:
        shape = related.shape
        names = [name for name in shape.vault_object.list_columns if name in shape.fields]
        found += [f"{related.mark}{name}" for name in names if can_show(shape.fields[name])]
    return {"columns": found}


def _name_order(stored: Mapping[str, Any]) -> str:
    is_down = stored.get("descending") is True
    by_measure = stored.get("by_measure")
    if isinstance(by_measure, int):
        return f"{by_measure}-{_DOWN if is_down else 'up'}"
    return _DOWN if is_down else ""
