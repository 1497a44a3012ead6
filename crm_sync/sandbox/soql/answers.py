"""Runs queries and returns their rows as the CRM's records, with cursors for answers of more than one page."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.recent import note_recent
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql.faults import PageFaults
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.shapes import ChildQuery, Choice, QueryPlan, Shape
from crm_sync.sandbox.soql.translate import Translator

MAX_AGGREGATE_ROWS = 2_000
MAX_OPEN_CURSORS = 10
CURSOR_KEY_PREFIX = "01g"
NO_FAULTS = PageFaults()
# Where a page leads that leads to another host: a reserved name, at which nobody answers.
FOREIGN_HOST = "https://other-organisation.invalid"

Row = tuple[Any, ...]


@dataclass(slots=True)
class Cursor:
    """A query and the ids of its rows when it ran, so that later changes do not shift the pages."""

    user_id: str
    plan: QueryPlan
    ids: list[str]
    batch_size: int
    faults: PageFaults = NO_FAULTS


class CursorStore:
    """The open cursors of an organisation. As in the real CRM, a user's eleventh cursor closes the user's oldest."""

    def __init__(self, organisation: Organisation) -> None:
        """Begin without cursors."""
        self._organisation = organisation
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        self._number = 0

    def keep(self, cursor: Cursor) -> str:
        """Keep a cursor and return its locator."""
        own = [locator for locator, other in self._cursors.items() if other.user_id == cursor.user_id]
        for locator in own[: max(0, len(own) - MAX_OPEN_CURSORS + 1)]:
            del self._cursors[locator]
        self._number += 1
        locator = build_id(key_prefix=CURSOR_KEY_PREFIX, pod=self._organisation.pod, number=self._number)
        self._cursors[locator] = cursor
        return locator

    def find(self, locator: str, *, user_id: str) -> Cursor:
        """Return an open cursor. Raises ApiError `INVALID_QUERY_LOCATOR`."""
        cursor = self._cursors.get(locator)
        if cursor is None or cursor.user_id != user_id:
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor


@dataclass(slots=True)
class QueryRunner:
    """Runs the queries of one request. `base_path` is the path of the API version, for the addresses of records.

    `schema`: the objects that may be queried, unless they are those of the organisation.
    """

    organisation: Organisation
    cursors: CursorStore
    base_path: str
    user_id: str
    schema: Schema | None = None

    def run(
        self, text: str, *, include_deleted: bool, batch_size: int, faults: PageFaults = NO_FAULTS
    ) -> dict[str, Any]:
        """Return the first page of a query's answer."""
        now = self.organisation.read_clock()
        query = parse_query(text)
        schema = self.schema or self.organisation.schema
        translator = Translator(text, schema, now, include_deleted, user_id=self.user_id)
        plan = translator.translate(query)
        plan.noted = query.noted
        if plan.count_only:
            return {"totalSize": self.count_rows(plan), "done": True, "records": []}
        if plan.aggregate:
            rows = self.select_rows(plan, limit=MAX_AGGREGATE_ROWS)
            records = [self.shape_record(plan.shape, row, {}) for row in rows]
            return {"totalSize": len(records), "done": True, "records": records}
        size = min(batch_size, faults.page_size or batch_size)
        rows = self.select_rows(plan, limit=size + 1)
        if len(rows) <= size and not faults.in_force:
            records = self.shape_records(plan, rows)
            return {"totalSize": len(records), "done": True, "records": records}
        ids = faults.arrange_answer(self.select_ids(plan))
        cursor = Cursor(self.user_id, plan, ids, batch_size, faults)
        return self.answer_page(cursor, self.cursors.keep(cursor), start=0, size=size)

    def run_among(self, text: str, *, identifiers: list[str]) -> list[dict[str, Any]]:
        """Return those records of a query that have one of the ids, at most 2,000. Raises ApiError for aggregates."""
        now = self.organisation.read_clock()
        translator = Translator(text, self.organisation.schema, now, include_deleted=False, user_id=self.user_id)
        plan = translator.translate(parse_query(text))
        if plan.aggregate or plan.count_only:
            raise ApiError("MALFORMED_QUERY", "a search returns fields of records alone")
        plan.where = f'({plan.where}) AND t0."Id" IN (SELECT value FROM json_each(?))'
        plan.parameters = [*plan.parameters, json.dumps(identifiers)]
        return self.shape_records(plan, self.select_rows(plan, limit=MAX_AGGREGATE_ROWS))

    def run_more(self, locator: str, *, start: int, page_size: int | None = None) -> dict[str, Any]:
        """Return the page of a cursor that begins at row `start`. `page_size` makes it shorter than the query asked."""
        cursor = self.cursors.find(locator, user_id=self.user_id)
        if not 0 <= start < max(len(cursor.ids), 1):
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self.answer_page(
            cursor, locator, start=start, size=min(cursor.batch_size, page_size or cursor.batch_size)
        )

    def answer_page(self, cursor: Cursor, locator: str, *, start: int, size: int) -> dict[str, Any]:
        """Return one page, with the address of the next if there is one."""
        wanted = cursor.ids[start : start + size]
        plan = cursor.plan
        found = self.organisation.database.fetch_all(
            f'SELECT {", ".join(plan.columns)} FROM {plan.source} WHERE t0."Id" IN (SELECT value FROM json_each(?))',
            (json.dumps(wanted),),
        )
        by_id = {row[plan.shape.id_column]: row for row in found}
        # A record that was purged since the query ran is left out of its page.
        rows = [by_id[identifier] for identifier in wanted if identifier in by_id]
        answer: dict[str, Any] = {"totalSize": len(cursor.ids), "done": True}
        following = self.find_next(cursor, start=start, end=start + len(wanted))
        if following is not None:
            answer["done"] = False
            answer["nextRecordsUrl"] = f"{self.base_path}/query/{locator}-{following}"
        self.break_next(answer, cursor.faults)
        answer["records"] = self.shape_records(plan, cursor.faults.arrange_page(rows))
        return answer

    @staticmethod
    def find_next(cursor: Cursor, *, start: int, end: int) -> int | None:
        """Return the row with which the next page begins, or None after the last page."""
        if end >= len(cursor.ids):
            return start if cursor.faults.next_page == "endless" else None
        return max(end - 1, start + 1) if cursor.faults.rows == "overlapping" else end

    def break_next(self, answer: dict[str, Any], faults: PageFaults) -> None:
        """Let the page lead to the wrong place, if its query is to have such a fault."""
        if faults.next_page not in {"broken", "foreign", "missing"}:
            return
        answer["done"] = False
        address = answer.pop("nextRecordsUrl", f"{self.base_path}/query/{CURSOR_KEY_PREFIX}000000000000AAA-2000")
        if faults.next_page == "foreign":
            answer["nextRecordsUrl"] = FOREIGN_HOST + address
        elif faults.next_page == "broken":
            answer["nextRecordsUrl"] = f"{self.base_path}/query/{CURSOR_KEY_PREFIX}000000000000AAA-2000"

    # -- SQL ------------------------------------------------------------------------------------------

    def count_rows(self, plan: QueryPlan) -> int:
        """Return how many rows a query finds."""
        limit = "" if plan.limit is None else f" LIMIT {plan.limit}"
        row = self.organisation.database.fetch_one(
            f"SELECT count(*) FROM (SELECT 1 FROM {plan.source} WHERE {plan.where}{limit})", plan.parameters
        )
        return int(row[0]) if row else 0

    def select_rows(self, plan: QueryPlan, *, limit: int) -> list[Row]:
        """Return the first rows of a query."""
        bound = limit if plan.limit is None else min(limit, plan.limit)
        selects = [write_select(plan, kept) for kept in plan.grouping.sets]
        return self.organisation.database.fetch_all(
            f"{' UNION ALL '.join(selects)} {write_order(plan)} LIMIT {bound} OFFSET {plan.offset}",
            plan.parameters * len(selects),
        )

    def select_ids(self, plan: QueryPlan) -> list[str]:
        """Return the ids of all records of a query, in the query's order."""
        limit = -1 if plan.limit is None else plan.limit
        return [
            row[0]
            for row in self.organisation.database.fetch_all(
                f'SELECT t0."Id" FROM {plan.source} WHERE {plan.where} {write_order(plan)} '
                f"LIMIT {limit} OFFSET {plan.offset}",
                plan.parameters,
            )
        ]

    # -- shapes ---------------------------------------------------------------------------------------

    def shape_records(self, plan: QueryPlan, rows: list[Row]) -> list[dict[str, Any]]:
        """Return rows as records, with the results of their child queries."""
        identifiers = [row[plan.shape.id_column] for row in rows]
        if plan.noted:
            note_recent(self.organisation, user_id=self.user_id, record_ids=identifiers[::-1])
        children = {name: self.run_children(child, identifiers) for name, child in plan.shape.children.items()}
        return [self.shape_record(plan.shape, row, children) for row in rows]

    def shape_record(
        self, shape: Shape, row: Row, children: dict[str, dict[str, list[dict[str, Any]]]]
    ) -> dict[str, Any]:
        """Return one row as a record."""
        if shape.sobject is None:
            record: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        else:
            name = shape.sobject.name
            owner = name if shape.type_column < 0 else row[shape.type_column]
            record = {"attributes": {"type": name, "url": f"{self.base_path}/sobjects/{owner}/{row[shape.id_column]}"}}
        for key, source in shape.values.items():
            if isinstance(source, Shape):
                record[key] = None if row[source.id_column] is None else self.shape_record(source, row, {})
            elif isinstance(source, Choice):
                chosen = next((each for each in source.shapes if row[each.id_column] is not None), None)
                record[key] = None if chosen is None else self.shape_record(chosen, row, {})
            elif source < 0:
                found = children[key].get(row[shape.id_column])
                record[key] = {"totalSize": len(found), "done": True, "records": found} if found else None
            elif key in shape.booleans:
                record[key] = None if row[source] is None else bool(row[source])
            elif key in shape.compounds:
                record[key] = None if row[source] is None else json.loads(row[source])
            else:
                record[key] = row[source]
        return record

    def run_children(self, child: ChildQuery, parents: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the children of the given records by parent, in one statement."""
        plan = child.plan
        base = plan.source.split(" ", 2)[1]
        rows = self.organisation.database.fetch_all(
            f"SELECT {', '.join(plan.columns)} FROM {plan.source} WHERE {plan.where} "
            f'AND {base}."{child.reference.name}" IN (SELECT value FROM json_each(?)) '
            f"{f'ORDER BY {join_terms(plan)}' if plan.order else ''}",
            [*plan.parameters, json.dumps(parents)],
        )
        by_parent: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            own = by_parent.setdefault(row[-1], [])
            if plan.limit is None or len(own) < plan.limit:
                own.append(self.shape_record(plan.shape, row, {}))
        return by_parent


def write_select(plan: QueryPlan, kept: Sequence[str]) -> str:
    """Return a query of records, or of the groups by the fields `kept`, without its order."""
    columns = [plan.grouping.fill(column, kept=kept) for column in plan.columns]
    # The total of all rows is there even if there are none, but not where there is no grouping at all.
    group = f" GROUP BY {', '.join(kept)}" if kept else ""
    return (
        f"SELECT {', '.join(columns)} FROM {plan.source} WHERE {plan.where}{group} "
        f"{plan.grouping.fill(plan.having, kept=kept)}"
    )


def join_terms(plan: QueryPlan) -> str:
    """Return the terms of ORDER BY."""
    return ", ".join(f"{sql} {direction}" for sql, direction in plan.order)


def write_order_of_subtotals(plan: QueryPlan) -> str:
    """Return the ORDER BY clause of a query with subtotals, by places of selected columns.

    Unless the query says otherwise, each subtotal follows what it sums up. Raises ApiError for other fields.
    """
    terms = plan.order or tuple((name, "ASC NULLS LAST") for name in plan.grouping.fields if name in plan.columns)
    for name, _ in terms:
        if name not in plan.columns:
            raise ApiError("MALFORMED_QUERY", "ORDER BY with ROLLUP or CUBE takes fields that are selected")
    places = ", ".join(f"{plan.columns.index(name) + 1} {direction}" for name, direction in terms)
    return f"ORDER BY {places}" if places else ""


def write_order(plan: QueryPlan) -> str:
    """Return the ORDER BY clause. Without one in the query, records come in the order of their creation."""
    if plan.grouping.has_subtotals:
        return write_order_of_subtotals(plan)
    if plan.order:
        return f"ORDER BY {join_terms(plan)}" if plan.aggregate else f"ORDER BY {join_terms(plan)}, t0.rowid"
    return "" if plan.aggregate else "ORDER BY t0.rowid"
