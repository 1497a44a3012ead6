"""Answering a query: its rows as the CRM shapes them, and the cursors of answers that take more than one page."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.ids import build_id
from crm_sync.sandbox.organisation import Organisation
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.translate import ChildQuery, Plan, Shape, Translator

MAX_AGGREGATE_ROWS = 2_000
MAX_OPEN_CURSORS = 10
CURSOR_KEY_PREFIX = "01g"

Row = tuple[Any, ...]


@dataclass(slots=True)
class Cursor:
    """The rest of an answer: row ids taken when the query ran, so that later changes move no page."""

    user_id: str
    plan: Plan
    row_ids: list[int]
    batch_size: int


class CursorStore:
    """Open cursors of an organisation; a user's eleventh closes the first, as in the real CRM."""

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
        """Return an open cursor. Raises ApiError ``INVALID_QUERY_LOCATOR``."""
        cursor = self._cursors.get(locator)
        if cursor is None or cursor.user_id != user_id:
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor

    def close_all(self) -> None:
        """Close every cursor."""
        self._cursors.clear()


@dataclass(slots=True)
class QueryRunner:
    """Runs queries of one request. ``base_path`` is the path of the API version, for the addresses in records."""

    organisation: Organisation
    cursors: CursorStore
    base_path: str
    user_id: str

    def run(self, text: str, *, include_deleted: bool, batch_size: int, page_size: int | None = None) -> dict[str, Any]:
        """Return the first page of a query's answer; ``page_size`` makes pages shorter than asked for."""
        now = self.organisation.read_clock()
        plan = Translator(text, now, include_deleted).translate(parse_query(text))
        if plan.count_only:
            return {"totalSize": self.count_rows(plan), "done": True, "records": []}
        if plan.aggregate:
            rows = self.select_rows(plan, limit=MAX_AGGREGATE_ROWS)
            records = [self.shape_record(plan.shape, row, {}) for row in rows]
            return {"totalSize": len(records), "done": True, "records": records}
        size = min(batch_size, page_size or batch_size)
        rows = self.select_rows(plan, limit=size + 1)
        if len(rows) <= size:
            records = self.shape_records(plan, rows)
            return {"totalSize": len(records), "done": True, "records": records}
        cursor = Cursor(self.user_id, plan, self.select_row_ids(plan), batch_size)
        locator = self.cursors.keep(cursor)
        return self.answer_page(cursor, locator, rows[:size], start=0)

    def run_more(self, locator: str, *, start: int, page_size: int | None = None) -> dict[str, Any]:
        """Return the page of a cursor that begins at row ``start``."""
        cursor = self.cursors.find(locator, user_id=self.user_id)
        if not 0 <= start < len(cursor.row_ids):
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        size = min(cursor.batch_size, page_size or cursor.batch_size)
        wanted = cursor.row_ids[start : start + size]
        plan = cursor.plan
        found = self.organisation.database.fetch_all(
            f"SELECT {', '.join([*plan.columns, 't0.rowid'])} FROM {plan.source} "
            "WHERE t0.rowid IN (SELECT value FROM json_each(?))",
            (json.dumps(wanted),),
        )
        by_row_id = {row[-1]: row for row in found}
        return self.answer_page(cursor, locator, [by_row_id[row_id] for row_id in wanted], start=start)

    def answer_page(self, cursor: Cursor, locator: str, rows: list[Row], *, start: int) -> dict[str, Any]:
        """Return one page with the address of the next."""
        end = start + len(rows)
        total = len(cursor.row_ids)
        answer: dict[str, Any] = {"totalSize": total, "done": end >= total}
        if end < total:
            answer["nextRecordsUrl"] = f"{self.base_path}/query/{locator}-{end}"
        answer["records"] = self.shape_records(cursor.plan, rows)
        return answer

    # -- SQL ------------------------------------------------------------------------------------------

    def count_rows(self, plan: Plan) -> int:
        """Return how many rows a query finds."""
        limit = "" if plan.limit is None else f" LIMIT {plan.limit}"
        row = self.organisation.database.fetch_one(
            f"SELECT count(*) FROM (SELECT 1 FROM {plan.source} WHERE {plan.where}{limit})", plan.parameters
        )
        return int(row[0]) if row else 0

    def select_rows(self, plan: Plan, *, limit: int) -> list[Row]:
        """Return the first rows of a query, each ending with its row id."""
        bound = limit if plan.limit is None else min(limit, plan.limit)
        columns = plan.columns if plan.aggregate else [*plan.columns, "t0.rowid"]
        return self.organisation.database.fetch_all(
            f"SELECT {', '.join(columns)} FROM {plan.source} WHERE {plan.where} {plan.grouping} "
            f"{write_order(plan)} LIMIT {bound} OFFSET {plan.offset}",
            plan.parameters,
        )

    def select_row_ids(self, plan: Plan) -> list[int]:
        """Return the row ids of all rows of a query, in its order."""
        limit = -1 if plan.limit is None else plan.limit
        return [
            row[0]
            for row in self.organisation.database.fetch_all(
                f"SELECT t0.rowid FROM {plan.source} WHERE {plan.where} {write_order(plan)} "
                f"LIMIT {limit} OFFSET {plan.offset}",
                plan.parameters,
            )
        ]

    # -- shapes ---------------------------------------------------------------------------------------

    def shape_records(self, plan: Plan, rows: list[Row]) -> list[dict[str, Any]]:
        """Return rows as records, with the answers of their child queries."""
        identifiers = [row[plan.shape.id_column] for row in rows]
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
            record = {"attributes": {"type": name, "url": f"{self.base_path}/sobjects/{name}/{row[shape.id_column]}"}}
        for key, source in shape.values.items():
            if isinstance(source, Shape):
                record[key] = None if row[source.id_column] is None else self.shape_record(source, row, {})
            elif source < 0:
                found = children[key].get(row[shape.id_column])
                record[key] = {"totalSize": len(found), "done": True, "records": found} if found else None
            elif key in shape.booleans:
                record[key] = None if row[source] is None else bool(row[source])
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
            f"{f'ORDER BY {plan.order}' if plan.order else ''}",
            [*plan.parameters, json.dumps(parents)],
        )
        by_parent: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            own = by_parent.setdefault(row[-1], [])
            if plan.limit is None or len(own) < plan.limit:
                own.append(self.shape_record(plan.shape, row, {}))
        return by_parent


def write_order(plan: Plan) -> str:
    """Return ORDER BY; without one of the query's own, records come in the order of their creation."""
    if plan.order:
        return f"ORDER BY {plan.order}" if plan.aggregate else f"ORDER BY {plan.order}, t0.rowid"
    return "" if plan.aggregate else "ORDER BY t0.rowid"
