"""The triggers by which the database itself refuses to change, remove, renumber or date back entries, and their seals.

The one change that they let through is an approved redaction.

`manage.py migrate` installs those that are missing or differ, after its migrations. `list_guard_problems` shows what
somebody has done to them: it compares what the database has with what is written here.

Sources: PostgreSQL manual, "ALTER TABLE" (ENABLE ALWAYS TRIGGER also fires where `session_replication_role` is
`replica`) and "Writing SECURITY DEFINER Functions Safely" (`pg_temp` last in the search path); SQLite, "CREATE TRIGGER"
and "The ON CONFLICT Clause" (REPLACE removes rows without firing triggers for DELETE).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from ctms.audit.chain import VALUE_COLUMNS, get_redacted_text
from ctms.audit.choices import RedactionState
from ctms.audit.models import AuditEntry, AuditRedaction, AuditSeal

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db import models
    from django.db.backends.base.base import BaseDatabaseWrapper

_ENTRIES = AuditEntry._meta.db_table
_SEALS = AuditSeal._meta.db_table
_REDACTIONS = AuditRedaction._meta.db_table
_VALUES = f"ARRAY{list(VALUE_COLUMNS)}"  # as PostgreSQL writes arrays of texts, too
_FINAL = "audit entries are never changed or removed"
_NUMBERED = "the database itself numbers and dates audit entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """A trigger function of PostgreSQL: the text between BEGIN and END."""

    name: str
    body: str

    @property
    def source(self) -> str:
        return f"\nBEGIN\n{self.body}\nEND;\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trigger:
    """A trigger of PostgreSQL. `kind` is `pg_trigger.tgtype`; with `always` it fires in replica sessions too."""

    name: str
    table: str
    event: str
    kind: int
    function: _Function
    always: bool = True

    @property
    def state(self) -> str:
        """What `pg_trigger.tgenabled` holds for the trigger."""
        return "A" if self.always else "O"


_REFUSE = _Function(
    name="refuse_audit_change",
    body=f"    RAISE EXCEPTION '{_FINAL}' USING ERRCODE = 'restrict_violation';",
)
# What every UPDATE must fulfil: two persons approved the redaction of the entry.
_APPROVED_POSTGRESQL = f"""EXISTS (
            SELECT 1 FROM {_REDACTIONS} AS redaction
            WHERE redaction.state = '{RedactionState.DONE}' AND redaction.decided_by_id <> redaction.created_by_id
            AND redaction.entry_ids @> to_jsonb(%s)
        )"""  # noqa: S608  constants
_APPROVED_SQLITE = (
    f"EXISTS (SELECT 1 FROM {_REDACTIONS} AS redaction, json_each(redaction.entry_ids) AS named "  # noqa: S608  constants
    f"WHERE redaction.state = '{RedactionState.DONE}' AND redaction.decided_by_id <> redaction.created_by_id "
    "AND named.value = %s)"
)
_LET_REDACT = _Function(
    name="let_redact_audit_entry",
    body=f"""    IF to_jsonb(NEW) - {_VALUES} = to_jsonb(OLD) - {_VALUES}
        AND {" AND ".join(f"NEW.{name}::text = '{get_redacted_text(name)}'" for name in VALUE_COLUMNS)}
        AND {_APPROVED_POSTGRESQL % "OLD.id"}
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '{_FINAL}' USING ERRCODE = 'restrict_violation';""",
)
_LET_FORGET = _Function(
    name="let_forget_audit_salt",
    body=f"""    IF NEW.salt IS NULL AND to_jsonb(NEW) - 'salt' = to_jsonb(OLD) - 'salt'
        AND {_APPROVED_POSTGRESQL % "OLD.entry_id"}
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '{_FINAL}' USING ERRCODE = 'restrict_violation';""",
)
# The default of the id has just taken a number of the sequence; whoever gives an id of their own has not.
_STAMP = _Function(
    name="stamp_audit_entry",
    body=f"""    IF NEW.id <> currval('{_ENTRIES}_id_seq') THEN
        RAISE EXCEPTION '{_NUMBERED}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.written_at := clock_timestamp();
    NEW.transaction_number := pg_current_xact_id()::text::bigint;
    RETURN NEW;""",
)
# The bits of tgtype: 1 for each row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
_POSTGRESQL = (
    _Trigger(
        name="audit_entry_is_final",
        table=_ENTRIES,
        event="BEFORE DELETE ON {table} FOR EACH ROW",
        kind=1 | 2 | 8,
        function=_REFUSE,
    ),
    _Trigger(
        name="audit_entry_is_redacted_alone",
        table=_ENTRIES,
        event="BEFORE UPDATE ON {table} FOR EACH ROW",
        kind=1 | 2 | 16,
        function=_LET_REDACT,
    ),
    _Trigger(
        name="audit_trail_is_kept",
        table=_ENTRIES,
        event="BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
        kind=2 | 32,
        function=_REFUSE,
    ),
    _Trigger(
        name="audit_seal_is_final",
        table=_SEALS,
        event="BEFORE DELETE ON {table} FOR EACH ROW",
        kind=1 | 2 | 8,
        function=_REFUSE,
    ),
    _Trigger(
        name="audit_seal_forgets_its_salt_alone",
        table=_SEALS,
        event="BEFORE UPDATE ON {table} FOR EACH ROW",
        kind=1 | 2 | 16,
        function=_LET_FORGET,
    ),
    _Trigger(
        name="audit_seals_are_kept",
        table=_SEALS,
        event="BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
        kind=2 | 32,
        function=_REFUSE,
    ),
    # A replica gets numbers and dates from its primary.
    _Trigger(
        name="audit_entry_is_stamped",
        table=_ENTRIES,
        event="BEFORE INSERT ON {table} FOR EACH ROW",
        kind=1 | 2 | 4,
        function=_STAMP,
        always=False,
    ),
)
_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"


def _refuse_all_but(condition: str) -> str:
    return f"WHEN NOT ({condition}) BEGIN SELECT RAISE(ABORT, '{_FINAL}'); END"


def _build_same(model: type[models.Model], *, but: Collection[str]) -> str:
    """Return the condition that an UPDATE changes no other columns than these."""
    columns = [field.column for field in model._meta.concrete_fields if field.column not in but]
    return " AND ".join(f"NEW.{column} IS OLD.{column}" for column in columns)


_REDACTS = " AND ".join(
    [
        _build_same(AuditEntry, but=VALUE_COLUMNS),
        *(f"NEW.{name} IS '{get_redacted_text(name)}'" for name in VALUE_COLUMNS),
        _APPROVED_SQLITE % "OLD.id",
    ]
)
_FORGETS = f"NEW.salt IS NULL AND {_build_same(AuditSeal, but=['salt'])} AND {_APPROVED_SQLITE % 'OLD.entry_id'}"
_SQLITE = {
    "audit_entry_is_unchanged": f"BEFORE UPDATE ON {_ENTRIES} {_refuse_all_but(_REDACTS)}",
    "audit_entry_is_kept": f"BEFORE DELETE ON {_ENTRIES} BEGIN SELECT RAISE(ABORT, '{_FINAL}'); END",
    "audit_entry_is_not_replaced": (
        f"BEFORE INSERT ON {_ENTRIES} WHEN EXISTS (SELECT 1 FROM {_ENTRIES} WHERE id = NEW.id) "  # noqa: S608  constants
        f"BEGIN SELECT RAISE(ABORT, '{_FINAL}'); END"
    ),
    "audit_seal_is_unchanged": f"BEFORE UPDATE ON {_SEALS} {_refuse_all_but(_FORGETS)}",
    "audit_seal_is_kept": f"BEFORE DELETE ON {_SEALS} BEGIN SELECT RAISE(ABORT, '{_FINAL}'); END",
    "audit_seal_is_not_replaced": (
        f"BEFORE INSERT ON {_SEALS} WHEN EXISTS (SELECT 1 FROM {_SEALS} "  # noqa: S608  constants
        "WHERE position = NEW.position OR entry_id = NEW.entry_id) "
        f"BEGIN SELECT RAISE(ABORT, '{_FINAL}'); END"
    ),
    # `now` is the same throughout a statement, so the default of the column is exactly this.
    "audit_entry_is_stamped": (
        f"AFTER INSERT ON {_ENTRIES} WHEN NEW.id <> (SELECT max(id) FROM {_ENTRIES}) "  # noqa: S608  constants
        f"OR NEW.written_at IS NOT {_SQLITE_NOW} BEGIN SELECT RAISE(ABORT, '{_NUMBERED}'); END"
    ),
}
_READ_TRIGGERS = """
    SELECT tgname, tgenabled, tgtype, tgqual IS NULL AND tgattr = '', proname, prosrc, proconfig
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = %s::regclass AND NOT tgisinternal
"""
_READ_RULES = "SELECT rulename FROM pg_rewrite WHERE ev_class = %s::regclass"


def list_guard_problems(connection: BaseDatabaseWrapper) -> list[str]:
    """Return a sentence for each trigger that is missing, disabled, altered, or not one of the Vault's."""
    if connection.vendor == "postgresql":
        return [problem for table in _list_tables() for problem in _list_postgresql_problems(connection, table)]
    return _list_sqlite_problems(connection)


def install_guards(connection: BaseDatabaseWrapper) -> None:
    """Install the triggers that are missing or differ; those of others stay. The role needs to own the tables."""
    if not list_guard_problems(connection):
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _install_postgresql(cursor)
        else:
            for name, definition in _SQLITE.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                cursor.execute(f"CREATE TRIGGER {name} {definition}")


def remove_sqlite_guards(connection: BaseDatabaseWrapper) -> None:
    """Remove the triggers of a SQLite database, which rebuilds tables that change, and their triggers not."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for name in _SQLITE:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


# -- PostgreSQL -----------------------------------------------------------------------------------
def _list_tables() -> list[str]:
    return list(dict.fromkeys(trigger.table for trigger in _POSTGRESQL))


def _list_functions() -> list[_Function]:
    return list({trigger.function.name: trigger.function for trigger in _POSTGRESQL}.values())


def _install_postgresql(cursor: Any) -> None:
    schema = _read_schema(cursor)
    for function in _list_functions():
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {function.name}() RETURNS trigger LANGUAGE plpgsql "
            f"SET search_path = {schema}, pg_temp AS $${function.source}$$"
        )
    for trigger in _POSTGRESQL:
        cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name} ON {trigger.table}")
        event = trigger.event.format(table=trigger.table)
        cursor.execute(f"CREATE TRIGGER {trigger.name} {event} EXECUTE FUNCTION {trigger.function.name}()")
        if trigger.always:
            cursor.execute(f"ALTER TABLE {trigger.table} ENABLE ALWAYS TRIGGER {trigger.name}")


def _read_schema(cursor: Any) -> str:
    cursor.execute("SELECT quote_ident(current_schema())")
    return str(cursor.fetchone()[0])


def _list_postgresql_problems(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    with connection.cursor() as cursor:
        path = [f"search_path={_read_schema(cursor)}, pg_temp"]
        cursor.execute(_READ_TRIGGERS, [table])
        found = {name: rest for name, *rest in cursor.fetchall()}
        cursor.execute(_READ_RULES, [table])
        rules = [name for (name,) in cursor.fetchall()]
    problems = [f"The rule {name} of {table} is not one of the Vault." for name in rules]
    for trigger in _POSTGRESQL:
        if trigger.table != table:
            continue
        function = trigger.function
        now = found.pop(trigger.name, None)
        if now is None:
            problems.append(f"The trigger {trigger.name} of {table} is missing.")
        elif now[0] != trigger.state:
            problems.append(f"The trigger {trigger.name} of {table} is disabled, or not enabled as it should be.")
        elif now[1:] != [trigger.kind, True, function.name, function.source, path]:
            problems.append(f"The trigger {trigger.name} of {table}, or its function {function.name}, was altered.")
    return problems + [f"The trigger {name} of {table} is not one of the Vault." for name in sorted(found)]


# -- SQLite ---------------------------------------------------------------------------------------
def _list_sqlite_problems(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        found = {name: (text, table) for name, text, table in cursor.fetchall()}
    problems = []
    for name, definition in _SQLITE.items():
        text, _ = found.pop(name, ("", ""))
        if not text:
            problems.append(f"The trigger {name} is missing.")
        elif text != f"CREATE TRIGGER {name} {definition}":
            problems.append(f"The trigger {name} was altered.")
    others = sorted((name, table) for name, (_, table) in found.items() if table in {_ENTRIES, _SEALS})
    return problems + [f"The trigger {name} of {table} is not one of the Vault." for name, table in others]
