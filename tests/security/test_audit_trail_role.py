"""With the application's own role on PostgreSQL, the audit trail can be added to and read, and nothing else."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from ctms.audit.actors import Actor
from ctms.audit.chain import VALUE_COLUMNS
from ctms.audit.models import AuditEntry, AuditRedaction
from ctms.audit.redaction import approve_redaction, ask_redaction
from ctms.audit.roles import list_role_problems
from ctms.audit.sealing import seal_entries
from ctms.audit.services import delete_record, save_record
from ctms.audit.verification import verify_trail
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
PASSWORD = secrets.token_hex(8)


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role that the command created, dropped after the test: roles are of the whole server."""
    name = f"application_{secrets.token_hex(4)}"
    monkeypatch.setenv("APPLICATION_ROLE_PASSWORD", PASSWORD)
    call_command("grant_application_role", name, apply=True)
    try:
        yield name
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {name}")
            cursor.execute(f"DROP ROLE {name}")


@contextmanager
def acting_as(role: str) -> Iterator[Any]:
    """In the `with` block, this connection has the rights of the role alone."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {role}")
        try:
            yield cursor
        finally:
            cursor.execute("RESET SESSION AUTHORIZATION")


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


ATTACKS = {
    "update": "UPDATE audit_auditentry SET actor_name = 'Nobody'",
    "update of a number": "UPDATE audit_auditentry SET transaction_number = 1",
    "update of a place": "UPDATE audit_auditentry SET id = id + 1",
    "delete": "DELETE FROM audit_auditentry",
    "truncate": "TRUNCATE audit_auditentry",
    "upsert": "INSERT INTO audit_auditentry SELECT * FROM audit_auditentry ON CONFLICT (id) DO UPDATE SET reason = ''",
    "disable": "ALTER TABLE audit_auditentry DISABLE TRIGGER ALL",
    "drop trigger": "DROP TRIGGER audit_entry_is_final ON audit_auditentry",
    "add trigger": "CREATE TRIGGER mine BEFORE INSERT ON audit_auditentry EXECUTE FUNCTION refuse_audit_change()",
    "empty function": "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "function of the schema": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "rule": "CREATE RULE mine AS ON INSERT TO audit_auditentry DO INSTEAD NOTHING",
    "replica": "SET session_replication_role = replica",
    "drop": "DROP TABLE audit_auditentry CASCADE",
    "rename": "ALTER TABLE audit_auditentry RENAME TO mine",
    "take over": "ALTER TABLE audit_auditentry OWNER TO current_user",
    "superuser": "ALTER ROLE current_user SUPERUSER",
    "number": "SELECT setval('audit_auditentry_id_seq', 1)",
    "seal": "UPDATE audit_auditseal SET salt = NULL",
    "no seal": "DELETE FROM audit_auditseal",
    "truncate seals": "TRUNCATE audit_auditseal",
    "migrations": "DELETE FROM django_migrations",
    "file": "COPY audit_auditentry FROM PROGRAM 'true'",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_applications_role_is_refused(role: str, attack: str) -> None:
    StudyFactory.create()
    seal_entries()
    before = list(AuditEntry.objects.order_by("id").values())
    with acting_as(role):
        assert list_role_problems(connection) == []
        with pytest.raises(
            DatabaseError, match=r"permission denied|must be (owner|superuser)|never changed or removed|itself numbers"
        ):
            run(ATTACKS[attack])
    assert list(AuditEntry.objects.order_by("id").values()) == before
    assert verify_trail().findings == []


def test_a_temporary_table_of_the_same_name_hides_nothing_from_the_triggers(role: str) -> None:
    StudyFactory.create()
    with acting_as(role) as cursor:
        cursor.execute("CREATE TEMPORARY TABLE audit_auditentry (LIKE public.audit_auditentry)")
        cursor.execute("DELETE FROM audit_auditentry")  # the temporary one
        with pytest.raises(DatabaseError, match="permission denied"):
            run("DELETE FROM public.audit_auditentry")
        cursor.execute("DROP TABLE pg_temp.audit_auditentry")


def test_the_application_works_with_its_role(role: str) -> None:
    study = StudyFactory.create()
    with acting_as(role):
        study.name = "Renamed"
        save_record(record=study, actor=build_admin_actor())
        delete_record(record=study, actor=build_admin_actor())
        assert seal_entries() > 0
        assert verify_trail().findings == []
        assert run_checks(databases=["default"], include_deployment_checks=True, tags=["database"]) == []


def test_the_role_logs_in_with_the_password_of_the_environment(role: str) -> None:
    values = connection.settings_dict
    with psycopg.connect(
        host=values["HOST"], port=values["PORT"] or 5432, dbname=values["NAME"], user=role, password=PASSWORD
    ) as other:
        assert other.execute("SELECT current_user").fetchone() == (role,)


def test_the_application_redacts_with_its_role(role: str) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:redaction"])
    asker, approver = UserFactory.create_batch(2, security_profile=profile)
    entry = AuditEntry.objects.earliest("id")
    seal_entries()
    with acting_as(role):
        redaction = AuditRedaction(entry_ids=[entry.pk], reason="Erasure was asked for")
        ask_redaction(redaction=redaction, actor=Actor(user=asker, source="admin"))
        approve_redaction(redaction=redaction, actor=Actor(user=approver, source="admin"))
        seal_entries()
        result = verify_trail()
    assert (result.findings, result.redacted) == ([], 1)


def test_seals_that_the_application_makes_up_are_shown(role: str) -> None:
    StudyFactory.create()
    seal_entries()
    StudyFactory.create()
    last = AuditEntry.objects.latest("id")
    with acting_as(role) as cursor:
        cursor.execute(
            "INSERT INTO audit_auditseal SELECT position + 1, %s, format, salt, commitment, hash FROM audit_auditseal"
            " ORDER BY position DESC LIMIT 1",
            [last.pk],
        )
    assert any(finding.startswith(f"Entry {last.pk} ") for finding in verify_trail().findings)


def test_the_grants_take_away_what_the_role_had(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON audit_auditentry TO {role}")
        cursor.execute("SELECT current_schema()")
        schema = cursor.fetchone()[0]
        cursor.execute(f"GRANT CREATE ON SCHEMA {schema} TO {role}, PUBLIC")
    with acting_as(role):
        (problem,) = list_role_problems(connection)
    assert problem == (
        "The application's role in the database may update it beyond redactions, may delete from it, may truncate it, "
        "may add triggers: "
        "audit_auditentry."
    )
    call_command("grant_application_role", role, apply=True)
    with acting_as(role) as cursor:
        assert list_role_problems(connection) == []
        # A function or table of its own could stand before those of the Vault.
        cursor.execute("SELECT has_schema_privilege(%s, 'CREATE')", [schema])
        assert cursor.fetchone() == (False,)


def test_the_check_warns_of_a_role_that_owns_the_audit_trail() -> None:
    found = run_checks(databases=["default"], include_deployment_checks=True, tags=["database"])
    assert [each.id for each in found] == ["audit.W001", "audit.W001"]
    assert "owns it" in found[0].msg
    assert run_checks(databases=["default"], tags=["database"]) == []  # nothing while the owner migrates


def test_statements_are_printed_without_being_executed(capsys: Any) -> None:
    call_command("grant_application_role", "vault_application")
    printed = capsys.readouterr().out
    columns = ", ".join(VALUE_COLUMNS)
    assert f'INSERT, UPDATE ({columns}) ON "audit_auditentry" TO "vault_application";\n' in printed
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON "clinical_study" TO "vault_application";\n' in printed
    assert os.environ.get("APPLICATION_ROLE_PASSWORD", "") == ""


def test_what_cannot_be_granted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLICATION_ROLE_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="There is no such role"):
        call_command("grant_application_role", "nobody_of_this_name", apply=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        owner = cursor.fetchone()[0]
    with pytest.raises(CommandError, match="is the role that owns the tables"):
        call_command("grant_application_role", owner)
