"""Joins that reach only what the user sees: a hidden record is an empty row, in columns and in groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, FilteredRelation, Model, Q, QuerySet
from django.db.models.lookups import In
from django.db.models.sql.datastructures import Join

RELATED = "related"
_STEP = "step_{number}"


@dataclass(frozen=True, slots=True)
class SeenRecords:
    """Records that a join may reach. Django takes a query set for the condition of a join only in such a cover."""

    records: QuerySet[Any]

    def build_query(self) -> Any:
        """Return the subquery of their primary keys."""
        query = self.records.order_by().values("pk").query.clone()
        query.subquery = True  # so that it is written in parentheses
        return query


class AmongSeen(In):
    """`site__pk__among_seen=SeenRecords(…)`, for the condition of a join."""

    lookup_name = "among_seen"

    def get_prep_lookup(self) -> Any:
        self.rhs = self.rhs.build_query()
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # as Django's own
        try:
            found, parameters = super().as_sql(compiler, connection)
        except EmptyResultSet:
            # No record is seen, and so none is joined; the rows themselves stay.
            return "1 = 0", []
        return found, list(parameters)


Field.register_lookup(AmongSeen)


class OuterJoin(Join):
    """A join that keeps the row where nothing is joined.

    Django joins what a reference that is never empty leads to by an inner join, although the condition may hide it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.nullable = self.nullable or self.filtered_relation is not None


@dataclass(slots=True, kw_only=True)
class Joins:
    """The joins of one statement, by the name under which expressions find them."""

    relations: dict[str, FilteredRelation] = field(default_factory=dict)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def add_related(self, *, path: str, records: QuerySet[Any]) -> str:
        """Join the related records, and return the look-up to them."""
        self.relations[RELATED] = _build(path=path, records=records)
        return f"{RELATED}__"

    def follow(self, *, lead: str, attribute: str, records: QuerySet[Any]) -> str:
        """Join what a reference leads to, as far as it is among the records, and return the look-up to it."""
        path = f"{lead}{attribute}"
        if not is_limited(records):
            return f"{path}__"
        key = (path, records.model._meta.label)
        if key not in self._known:
            self._known[key] = _STEP.format(number=len(self._known) + 1)
            self.relations[self._known[key]] = _build(path=path, records=records)
        return f"{self._known[key]}__"

    def apply(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records with the joins, in an order of their own."""
        joined = records.order_by()
        if self.relations:
            joined = joined.alias(**self.relations)
            joined.query.join_class = OuterJoin
        return joined


def is_limited(records: QuerySet[Any]) -> bool:
    """Whether some records of the model are not among these."""
    return bool(records.query.where) or records.query.is_sliced


def get_foreign_key(model: type[Model], attribute: str) -> str:
    """Return the look-up of the column that holds a reference, at a path of attributes."""
    *steps, last = attribute.split("__")
    here: Any = model
    for step in steps:
        here = here._meta.get_field(step).related_model
    return "__".join([*steps, here._meta.get_field(last).attname])


def _build(*, path: str, records: QuerySet[Any]) -> FilteredRelation:
    if not is_limited(records):
        return FilteredRelation(path)
    return FilteredRelation(path, condition=Q(**{f"{path}__pk__{AmongSeen.lookup_name}": SeenRecords(records)}))
