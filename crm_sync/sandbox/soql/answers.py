"""Runs queries and returns their rows as the CRM's records, with cursors for answers of more than one page."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql.faults import PageFaults
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.translate import ChildQuery, QueryPlan, Shape, Translator

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
    """Runs the queries of one request. `base_path` is the path of the API version, for the addresses of records."""

    organisation: Organisation
    cursors: CursorStore
    base_path: str
    user_id: str

    def run(
        self, text: str, *, include_deleted: bool, batch_size: int, faults: PageFaults = NO_FAULTS
    ) -> dict[str, Any]:
        """Return the first page of a query's answer."""
        now = self.organisation.read_clock()
        plan = Translator(text, now, include_deleted).translate(parse_query(text))
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
        return self.organisation.database.fetch_all(
            f"SELECT {', '.join(plan.columns)} FROM {plan.source} WHERE {plan.where} {plan.grouping} "
            f"{write_order(plan)} LIMIT {bound} OFFSET {plan.offset}",
            plan.parameters,
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


def write_order(plan: QueryPlan) -> str:
    """Return the ORDER BY clause. Without one in the query, records come in the order of their creation."""
    if plan.order:
        return f"ORDER BY {plan.order}" if plan.aggregate else f"ORDER BY {plan.order}, t0.rowid"
    return "" if plan.aggregate else "ORDER BY t0.rowid"
