"""What a report asks, read from the JSON that is stored of it, and written back.

A column is named by its path of API names, `study__v.name__v`; that of the related object has the object's name before
it, `exception_item__sys:error_type__sys`. Reading only puts the JSON into shape; `engine.opening` checks it against
the present configuration and what a user may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.models import Report, ReportType

RELATED_MARK = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDefinition:
    """What reports of a type are about. `related` and `reference` are empty without a related child object."""

    primary: str
    related: str = ""
    reference: str = ""

    @property
    def stored_relation(self) -> str:
        """Return how report types store the related object; empty without one."""
        return f"{self.related}.{self.reference}" if self.related else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDefinition:
    """A column to group by. `period` gathers days and moments; `descending` turns its order round.

    With `by_measure`, the number of a measure, groups are in the order of that figure; only the last group may be.
    """

    column: str
    period: str = ""
    descending: bool = False
    by_measure: int | None = None

    def as_stored(self) -> dict[str, Any]:
        """Return the group as JSON."""
        stored: dict[str, Any] = {"column": self.column}
        if self.period:
            stored["period"] = self.period
        if self.descending:
            stored["descending"] = True
        if self.by_measure is not None:
            stored["by_measure"] = self.by_measure
        return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureDefinition:
    """A figure: what to make of the values of a column. Without a column, it counts records of the primary object.

    With the related object's name and its mark alone, `exception_item__sys:`, it counts the related records.
    """

    function: str = Aggregate.COUNT
    column: str = ""

    def as_stored(self) -> dict[str, Any]:
        """Return the measure as JSON."""
        return {"function": str(self.function), "column": self.column}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDefinition:
    """What a report asks. Without groups it lists rows; with `across`, the last dimension makes the columns."""

    type: TypeDefinition
    filters: tuple[Any, ...] = ()
    related_filters: tuple[Any, ...] = ()
    prompts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    groups: tuple[GroupDefinition, ...] = ()
    across: GroupDefinition | None = None
    measures: tuple[MeasureDefinition, ...] = ()
    chart: Mapping[str, Any] = field(default_factory=dict)
    row_limit: int | None = None

    def as_stored(self) -> dict[str, Any]:
        """Return what a `Report` stores, by attribute."""
        return {
            "filters": list(self.filters),
            "related_filters": list(self.related_filters),
            "prompts": list(self.prompts),
            "columns": list(self.columns),
            "sort": list(self.sort),
            "groups": [each.as_stored() for each in self.groups],
            "across": self.across.as_stored() if self.across else {},
            "measures": [each.as_stored() for each in self.measures],
            "chart": dict(self.chart),
            "row_limit": self.row_limit,
        }


def read_type(report_type: ReportType) -> TypeDefinition:
    """Return what reports of a stored type are about."""
    related = str(report_type.related_objects[0]) if report_type.related_objects else ""
    name, _, reference = related.partition(".")
    return TypeDefinition(primary=report_type.primary_object, related=name, reference=reference)


def read_definition(report: Report) -> ReportDefinition:
    """Return what a stored report asks."""
    return build_definition(type_definition=read_type(report.report_type), stored=vars(report))


def build_definition(*, type_definition: TypeDefinition, stored: Mapping[str, Any]) -> ReportDefinition:
    """Return what JSON by attribute asks, such as that of the builder. What is of another form is left out."""
    across = _read_group(stored.get("across"))
    limit = stored.get("row_limit")
    return ReportDefinition(
        type=type_definition,
        filters=tuple(_list(stored.get("filters"))),
        related_filters=tuple(_list(stored.get("related_filters"))),
        prompts=tuple(map(str, _list(stored.get("prompts")))),
        columns=tuple(dict.fromkeys(map(str, _list(stored.get("columns"))))),
        sort=tuple(map(str, _list(stored.get("sort")))),
        groups=tuple(found for each in _list(stored.get("groups")) if (found := _read_group(each)) is not None),
        across=across,
        measures=tuple(
            MeasureDefinition(function=str(each.get("function", Aggregate.COUNT)), column=str(each.get("column", "")))
            for each in _list(stored.get("measures"))
            if isinstance(each, dict)
        ),
        chart=stored.get("chart") if isinstance(stored.get("chart"), dict) else {},  # type: ignore[arg-type]
        row_limit=limit if isinstance(limit, int) and limit > 0 else None,
    )


def _read_group(stored: Any) -> GroupDefinition | None:
    if not isinstance(stored, dict) or not stored.get("column"):
        return None
    by_measure = stored.get("by_measure")
    return GroupDefinition(
        column=str(stored["column"]),
        period=str(stored.get("period", "")),
        descending=stored.get("descending") is True,
        by_measure=by_measure if isinstance(by_measure, int) else None,
    )


def _list(stored: Any) -> Sequence[Any]:
    return stored if isinstance(stored, list | tuple) else ()
