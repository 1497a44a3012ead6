"""What an attacker does to the audit trail with the application's own connection is refused, or shown."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from ctms.audit.guards import list_guard_problems
from ctms.audit.models import AuditEntry
from ctms.audit.sealing import seal_entries
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
REFUSED = r"never changed or removed|itself numbers and dates|currval of sequence"

INSERT = (
    "INSERT {how} INTO audit_auditentry ({more}at, actor_name, actor_role, address, time_zone, source, reference,"
    " action, object_name, object_label, record_name, changes, words, reason, transaction_number) "
    "VALUES ({values}'2020-01-01', 'Nobody', '', '', '', 'page', '', 'created', 'study__v', '', 'Forged', '{{}}', "
    "'{{}}', '', 0)"
)


@pytest.fixture(autouse=True)
def entry() -> AuditEntry:
    StudyFactory.create_batch(2)
    seal_entries()
    return AuditEntry.objects.earliest("id")


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def insert(more: str = "", values: str = "", how: str = "") -> str:
    return INSERT.format(how=how, more=more, values=values)


def read_all() -> list[dict[str, Any]]:
    return [dict(row) for row in AuditEntry.objects.order_by("id").values()]


ON_BOTH = {
    "update": "UPDATE audit_auditentry SET actor_name = 'Nobody'",
    "update of nothing": "UPDATE audit_auditentry SET actor_name = actor_name",
    "delete": "DELETE FROM audit_auditentry",
    "delete of one": "DELETE FROM audit_auditentry WHERE id = {id}",
    "own id": insert("id, ", "{id} - 1, "),
    "id of an entry": insert("id, ", "{id}, "),
    "upsert": insert("id, ", "{id}, ") + " ON CONFLICT (id) DO UPDATE SET actor_name = 'Nobody'",
}
ON_BOTH |= {
    "update of a seal": "UPDATE audit_auditseal SET salt = NULL",
    "delete of a seal": "DELETE FROM audit_auditseal",
    "upsert of a seal": "INSERT INTO audit_auditseal SELECT position, entry_id, format, salt, commitment, salt"
    " FROM audit_auditseal WHERE true ON CONFLICT (position) DO UPDATE SET salt = NULL",
}
ON_SQLITE = {
    "replace of a seal": "REPLACE INTO audit_auditseal SELECT position, entry_id, format, salt, commitment, salt"
    " FROM audit_auditseal",
    "replace": insert("id, ", "{id}, ", how="OR REPLACE"),
    "update or replace": "UPDATE OR REPLACE audit_auditentry SET id = {id} WHERE id > {id}",
    "dated back": insert("written_at, ", "'2020-01-01', "),
    "no date of the database": insert("written_at, ", "NULL, "),
}
ON_POSTGRESQL = {
    "truncate": "TRUNCATE audit_auditentry",
    "truncate of seals": "TRUNCATE audit_auditseal",
    "truncate with others": "TRUNCATE clinical_study, audit_auditentry CASCADE",
    "merge": "MERGE INTO audit_auditentry USING (SELECT {id} AS id) AS mine ON audit_auditentry.id = mine.id "
    "WHEN MATCHED THEN UPDATE SET actor_name = 'Nobody'",
    "in a replica session": "SET LOCAL session_replication_role = replica; DELETE FROM audit_auditentry",
    "truncate in a replica session": "SET LOCAL session_replication_role = replica; TRUNCATE audit_auditentry",
    "with": "WITH gone AS (DELETE FROM audit_auditentry RETURNING id) SELECT count(*) FROM gone",
    "temporary function": "CREATE FUNCTION pg_temp.currval(regclass) RETURNS bigint LANGUAGE sql RETURN {id} - 1; "
    "SET LOCAL search_path = pg_temp, public, pg_catalog; " + insert("id, ", "{id} - 1, "),
}


ATTACKS = ON_BOTH | (ON_POSTGRESQL if connection.vendor == "postgresql" else ON_SQLITE)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_refuses_to_change_what_was_written(attack: str, entry: AuditEntry) -> None:
    before = read_all()
    with pytest.raises(DatabaseError, match=REFUSED):
        run(ATTACKS[attack].replace("{id}", str(entry.pk)))
    assert read_all() == before


def test_a_flush_is_refused() -> None:
    before = read_all()
    with pytest.raises((CommandError, DatabaseError)):
        call_command("flush", interactive=False, verbosity=0)
    assert read_all() == before


@pytest.mark.postgresql
@pytest.mark.parametrize("columns", ["", "written_at, "])
def test_a_copy_gets_its_date_from_the_database(columns: str) -> None:
    dated = "2020-01-01\t" if columns else ""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            f"COPY audit_auditentry ({columns}at, actor_name, actor_role, address, time_zone, source, reference, "
            "action, object_name, object_label, record_name, changes, words, reason, transaction_number) FROM STDIN"
        ) as rows,
    ):
        rows.write(f"{dated}2020-01-01\tNobody\t\t\t\tpage\t\tcreated\tstudy__v\t\tForged\t{{}}\t{{}}\t\t0\n")
    entry = AuditEntry.objects.latest("id")
    assert entry.written_at is not None
    assert entry.written_at.year > entry.at.year
    assert entry.transaction_number > 0


@pytest.mark.postgresql
def test_a_copy_with_an_id_of_its_own_is_refused(entry: AuditEntry) -> None:
    with (
        pytest.raises(psycopg.Error, match=REFUSED),
        connection.cursor() as cursor,
        cursor.copy(
            "COPY audit_auditentry (id, at, actor_name, actor_role, address, time_zone, source, reference, "
            "action, object_name, object_label, record_name, changes, words, reason) FROM STDIN"
        ) as rows,
    ):
        rows.write(f"{entry.pk - 1}\t2020-01-01\tNobody\t\t\t\tpage\t\tcreated\tstudy__v\t\tForged\t{{}}\t{{}}\t\n")


# -- Whoever owns the tables may remove what guards them: that is shown --------------------------------
REMOVALS_POSTGRESQL: dict[str, tuple[str, str]] = {
    "disabled": (
        "ALTER TABLE audit_auditentry DISABLE TRIGGER audit_entry_is_final",
        "audit_entry_is_final .* disabled",
    ),
    "not always": (
        "ALTER TABLE audit_auditentry ENABLE TRIGGER audit_trail_is_kept",
        "audit_trail_is_kept .* disabled",
    ),
    "all disabled": ("ALTER TABLE audit_auditentry DISABLE TRIGGER ALL", "audit_entry_is_stamped .* disabled"),
    "dropped": ("DROP TRIGGER audit_entry_is_final ON audit_auditentry", "audit_entry_is_final .* missing"),
    "emptied": (
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "function refuse_audit_change, was altered",
    ),
    "for one column": (
        (
            "DROP TRIGGER audit_entry_is_final ON audit_auditentry; CREATE TRIGGER audit_entry_is_final BEFORE UPDATE"
            " OF reason OR DELETE ON audit_auditentry FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();"
            " ALTER TABLE audit_auditentry ENABLE ALWAYS TRIGGER audit_entry_is_final"
        ),
        "audit_entry_is_final .* altered",
    ),
    "foreign trigger": (
        (
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            " CREATE TRIGGER zz BEFORE INSERT ON audit_auditentry FOR EACH ROW EXECUTE FUNCTION forge()"
        ),
        "The trigger zz of audit_auditentry is not one of the Vault",
    ),
    "rule": (
        "CREATE RULE swallow AS ON INSERT TO audit_auditentry DO INSTEAD NOTHING",
        "The rule swallow of audit_auditentry is not one of the Vault",
    ),
}
REMOVALS_SQLITE: dict[str, tuple[str, str]] = {
    "dropped": ("DROP TRIGGER audit_entry_is_kept", "audit_entry_is_kept is missing"),
    "emptied": (
        (
            "DROP TRIGGER audit_entry_is_kept\n"
            "CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_auditentry BEGIN SELECT 1; END"
        ),
        "audit_entry_is_kept was altered",
    ),
    "foreign trigger": (
        "CREATE TRIGGER zz AFTER INSERT ON audit_auditentry BEGIN SELECT 1; END",
        "The trigger zz of audit_auditentry is not one of the Vault",
    ),
}


REMOVALS = REMOVALS_POSTGRESQL if connection.vendor == "postgresql" else REMOVALS_SQLITE


@pytest.mark.parametrize("removal", REMOVALS)
def test_a_guard_that_was_removed_is_shown(removal: str) -> None:
    statements, shown = REMOVALS[removal]
    assert list_guard_problems(connection) == []
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements.splitlines():  # SQLite takes one at a time
            cursor.execute(statement)
        problems = list_guard_problems(connection)
        transaction.set_rollback(True)
    assert any(re.search(shown, problem) for problem in problems), problems


def test_a_guard_that_was_removed_is_there_again_after_migrate() -> None:
    name = "audit_entry_is_final ON audit_auditentry" if connection.vendor == "postgresql" else "audit_entry_is_kept"
    run(f"DROP TRIGGER {name}")
    assert list_guard_problems(connection) != []
    call_command("migrate", verbosity=0, interactive=False)
    assert list_guard_problems(connection) == []
