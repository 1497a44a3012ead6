"""What Housekeeping keeps: how many rows there are of each kind, how large their tables are, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from ctms.jobs.retention import RetentionRule, list_retention_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Model

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """A kind of rows: for how long it is kept, in words, the rows of its table, and its tables with their indexes.

    `megabytes` is None where the database does not tell; tables of several kinds are counted with each.
    """

    rule: RetentionRule
    kept_for: str
    rows: int
    megabytes: float | None


def list_kept_rows() -> list[KeptRows]:
    """Return what is kept of each kind, by name.

    PostgreSQL says how many rows its statistics know, in one statement; SQLite counts, in one for each table.
    """
    rules = sorted(list_retention_rules(), key=lambda rule: rule.name)
    tables = {model._meta.db_table for rule in rules for model in rule.models}
    sizes = _ask_postgresql(tables) if connection.vendor == "postgresql" else _count(rules)
    found = []
    for rule in rules:
        ours = [sizes[model._meta.db_table] for model in rule.models]
        size = [bytes_ for _, bytes_ in ours if bytes_ is not None]
        found.append(
            KeptRows(
                rule=rule,
                kept_for=_describe(rule.days),
                rows=ours[0][0],
                megabytes=sum(size) / _MEGABYTE if size else None,
            )
        )
    return found


def _describe(days: int | None) -> str:
    if days is None:
        return "Until they have ended"
    if days == 0:
        return "For ever"
    return f"{days:,} day{'' if days == 1 else 's'}"


def _ask_postgresql(tables: Iterable[str]) -> dict[str, tuple[int, int | None]]:
    """Return `(rows, bytes)` by table; a table that was never analysed is counted by its pages."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, greatest(s.n_live_tup, c.reltuples::bigint, 0), pg_total_relation_size(c.oid) "
            "FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid "
            "WHERE c.relkind = 'r' AND c.relname = ANY(%s) AND c.relnamespace = current_schema()::regnamespace",
            [sorted(tables)],
        )
        return {name: (int(rows), int(size)) for name, rows, size in cursor.fetchall()}


def _count(rules: Iterable[RetentionRule]) -> dict[str, tuple[int, int | None]]:
    models: dict[str, type[Model]] = {model._meta.db_table: model for rule in rules for model in rule.models}
    return {table: (model._base_manager.count(), None) for table, model in models.items()}
