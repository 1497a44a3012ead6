"""The chain of seals: what it covers, who is sealed when, and what its verification names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, models, transaction

from ctms.audit import sealing
from ctms.audit.chain import COLUMNS, CURRENT_FORMAT, FORMATS, Head, UnreadableHeadError
from ctms.audit.models import AuditEntry, AuditSeal, AuditSealing
from ctms.audit.sealing import read_head, seal_entries
from ctms.audit.tasks import seal_entries as seal_by_task
from ctms.audit.verification import verify_trail
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.rows import without_triggers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@contextmanager
def owner() -> Iterator[Any]:
    """A cursor of somebody whom no trigger hinders."""
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        yield cursor


@pytest.fixture
def entries() -> list[int]:
    """The ids of some sealed entries."""
    StudyFactory.create_batch(2)
    seal_entries()
    return list(AuditEntry.objects.order_by("id").values_list("id", flat=True))


def find() -> list[str]:
    return verify_trail().findings


# -- What is covered --------------------------------------------------------------------------------
def test_every_column_of_an_entry_is_covered_by_the_present_format() -> None:
    covered = {*FORMATS[CURRENT_FORMAT].plain, *FORMATS[CURRENT_FORMAT].values}
    assert covered == {field.attname for field in AuditEntry._meta.concrete_fields}
    assert set(COLUMNS) >= covered


CHANGED: dict[str, str] = {
    "at": "'2026-01-01 00:00:00+00'",
    "written_at": "NULL",
    "transaction_number": "transaction_number + 1",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "actor_name": "actor_name || ' '",
    "actor_role": "'x'",
    "address": "'192.0.2.1'",
    "time_zone": "'Asia/Tokyo'",
    "source": "'job'",
    "reference": "'x'",
    "action": "'deleted'",
    "object_name": "'x'",
    "object_label": "'x'",
    "study_uid": "record_uid",
    "connection_uid": "record_uid",
    "record_uid": "NULL",
    "record_name": "upper(record_name)",
    "changes": "'{}'",
    "words": "'{\"x\": 1}'",
    "reason": "' '",
}


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "id"])
def test_an_entry_that_was_changed_in_one_column_is_named_and_no_other(entries: list[int], column: str) -> None:
    assert find() == []
    with owner() as cursor:
        cursor.execute(f"UPDATE audit_auditentry SET {column} = {CHANGED[column]} WHERE id = %s", [entries[2]])  # noqa: S608  constants
    findings = find()
    assert findings
    assert all(finding.startswith(f"Entry {entries[2]} ") for finding in findings), findings


def test_an_entry_that_was_removed_is_named(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute("DELETE FROM audit_auditentry WHERE id = %s", [entries[1]])
    assert find() == [f"Entry {entries[1]} (position 2) was removed."]


def test_an_entry_that_was_removed_with_its_seal_is_shown(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute("DELETE FROM audit_auditentry WHERE id = %s", [entries[1]])
        cursor.execute("DELETE FROM audit_auditseal WHERE position = 2")
    first, second = find()
    assert first == "Seals were removed: position 2."
    assert second.startswith(f"Entry {entries[2]} ")


def test_the_last_entries_are_missed_when_they_were_removed_with_their_seals(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute("DELETE FROM audit_auditentry WHERE id = %s", [entries[-1]])
        cursor.execute("DELETE FROM audit_auditseal WHERE entry_id = %s", [entries[-1]])
    end = len(entries)
    assert find() == [f"The chain once had position {end}, and has it no longer: it ends at position {end - 1}."]


def test_a_seal_that_was_removed_or_changed_is_shown(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute("UPDATE audit_auditseal SET hash = salt WHERE position = 2")
        cursor.execute("DELETE FROM audit_auditseal WHERE position = 4")
    findings = find()
    assert f"Entry {entries[3]} has no seal" in findings[-1]
    assert findings[0].startswith(f"Entry {entries[1]} ")
    assert findings[1] == "Seals were removed: position 4."
    assert findings[2].startswith(f"Entry {entries[4]} ")
    assert len(findings) == 4


def test_entries_that_changed_places_are_named(entries: list[int]) -> None:
    with owner() as cursor:
        for entry_id, place in ((0, 2), (entries[1], 3), (entries[2], 2)):
            cursor.execute("UPDATE audit_auditseal SET entry_id = %s WHERE position = %s", [entry_id, place])
    assert len(find()) == 2


def test_an_entry_that_was_inserted_with_a_seal_of_its_own_is_named(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute(
            "INSERT INTO audit_auditseal (position, entry_id, format, salt, commitment, hash) SELECT position + 1, 0, "
            "1, salt, commitment, hash FROM audit_auditseal ORDER BY position DESC LIMIT 1"
        )
    assert find() == [f"Entry 0 (position {len(entries) + 1}) was removed."]


def test_an_entry_that_was_inserted_among_the_old_ones_is_named(entries: list[int]) -> None:
    StudyFactory.create()
    seal_entries()
    last = AuditEntry.objects.latest("id").pk
    with owner() as cursor:
        cursor.execute("DELETE FROM audit_auditseal WHERE entry_id = %s", [last])
    assert f"Entry {last} has no seal" in find()[-1]


# -- When it was written ----------------------------------------------------------------------------
def test_an_entry_that_was_dated_back_by_its_writer_is_named(entries: list[int]) -> None:
    with time_machine.travel(datetime(2020, 1, 1, tzinfo=UTC), tick=False):
        StudyFactory.create()
    last = AuditEntry.objects.latest("id")
    seal_entries()
    (finding,) = find()
    assert finding.startswith(f"Entry {last.pk} of 2020-01-01 00:00:00 UTC")
    assert "the database wrote it at 20" in finding


def test_an_entry_that_was_dated_back_past_the_database_is_named(entries: list[int]) -> None:
    StudyFactory.create()
    last = AuditEntry.objects.latest("id").pk
    with owner() as cursor:
        cursor.execute("UPDATE audit_auditentry SET at = '2020-01-01', written_at = '2020-01-01' WHERE id = %s", [last])
    seal_entries()
    (finding,) = find()
    assert finding.startswith(f"Entry {last} of 2020-01-01 00:00:00 UTC")
    assert "dated back" in finding


def test_entries_from_before_the_database_dated_them_hold(entries: list[int]) -> None:
    with owner() as cursor:
        cursor.execute("DELETE FROM audit_auditseal")
        cursor.execute("DELETE FROM audit_auditsealing")
        cursor.execute("UPDATE audit_auditentry SET written_at = NULL, at = '2020-01-01' WHERE id <= %s", [entries[1]])
    seal_entries()
    assert find() == []


# -- What is sealed when ------------------------------------------------------------------------------
def test_the_task_seals_each_entry_once_and_in_order(entries: list[int]) -> None:
    StudyFactory.create()
    assert verify_trail().unsealed > 0
    seal_by_task()
    seal_by_task()
    sealed = list(AuditSeal.objects.order_by("position").values_list("entry_id", flat=True))
    assert sealed == list(AuditEntry.objects.order_by("id").values_list("id", flat=True))
    assert verify_trail().unsealed == 0
    assert find() == []


def test_an_old_trail_is_sealed_in_batches_and_the_next_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_BATCH", 3)
    PersonFactory.create_batch(8)
    total = AuditEntry.objects.count()
    assert total > 6
    assert seal_entries(batches=2) == 6
    assert AuditSealing.objects.get().bookmark == ""
    assert seal_entries() == total - 6
    assert AuditSealing.objects.get().bookmark != ""
    assert find() == []


@pytest.mark.postgresql
def test_an_entry_that_becomes_visible_late_is_sealed_then(entries: list[int]) -> None:
    is_written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            StudyFactory.create()
            is_written.set()
            may_commit.wait(timeout=60)
        connections.close_all()

    user = threading.Thread(target=write_slowly)
    user.start()
    try:
        assert is_written.wait(timeout=60)
        StudyFactory.create()  # committed at once, with a later number
        assert seal_entries() > 0
        assert find() == []
    finally:
        may_commit.set()
        user.join()
    assert verify_trail().unsealed > 0
    seal_entries()
    assert verify_trail().unsealed == 0
    assert find() == []
    sealed = list(AuditSeal.objects.order_by("position").values_list("entry_id", flat=True))
    assert sealed != sorted(sealed)


@pytest.mark.postgresql
def test_several_sealers_make_one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_BATCH", 2)
    PersonFactory.create_batch(20)

    def seal() -> None:
        seal_entries()
        connections.close_all()

    sealers = [threading.Thread(target=seal) for _ in range(4)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    assert AuditSeal.objects.count() == AuditEntry.objects.count()
    assert find() == []


def test_a_place_of_another_database_means_that_every_entry_is_looked_at(entries: list[int]) -> None:
    StudyFactory.create()
    AuditSealing.objects.update(bookmark="7001:10:20:")
    assert find() == []
    assert seal_entries() > 0
    assert verify_trail().unsealed == 0


# -- Heads and the command ---------------------------------------------------------------------------
def test_a_head_that_was_kept_is_led_through_and_a_chain_made_anew_is_not(entries: list[int], tmp_path: Path) -> None:
    call_command("verify_audit_trail", write=tmp_path / "head")
    kept = (tmp_path / "head").read_text()
    assert kept == f"{read_head()}\n"
    StudyFactory.create()
    call_command("verify_audit_trail", seal=True, expect=kept)
    call_command("verify_audit_trail", since=kept)
    with owner() as cursor:  # whoever may do everything changes an entry, and makes the chain anew
        cursor.execute("UPDATE audit_auditentry SET reason = 'forged' WHERE id = %s", [entries[0]])
        cursor.execute("DELETE FROM audit_auditseal")
        cursor.execute("DELETE FROM audit_auditsealing")
    seal_entries()
    call_command("verify_audit_trail")
    for option in ("expect", "since"):
        with pytest.raises(CommandError, match="does not hold"):
            call_command("verify_audit_trail", **{option: kept})


def test_the_command_prints_the_head_and_that_of_each_day(entries: list[int], capsys: Any) -> None:
    call_command("verify_audit_trail", head=True)
    assert capsys.readouterr().out == f"{read_head()}\n"
    call_command("verify_audit_trail", days=True)
    (last,) = AuditEntry.objects.aggregate(models.Max("written_at")).values()
    assert f"{last.date()} {read_head()}" in capsys.readouterr().out


def test_the_command_names_a_trigger_that_is_missing(entries: list[int], capsys: Any) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            on = " ON audit_auditseal" if connection.vendor == "postgresql" else ""
            name = "audit_seal_is_final" if connection.vendor == "postgresql" else "audit_seal_is_kept"
            cursor.execute(f"DROP TRIGGER {name}{on}")
        with pytest.raises(CommandError, match="1 findings"):
            call_command("verify_audit_trail")
        transaction.set_rollback(True)
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "12", "x:00", "12:00", f"-1:{'0' * 64}", f"12:{'g' * 64}"])
def test_what_is_no_head_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UnreadableHeadError, match="is no head of the audit trail"):
        Head.parse(text)
    if text:
        with pytest.raises(CommandError, match="is no head of the audit trail"):
            call_command("verify_audit_trail", expect=text)


def test_a_seal_outside_of_the_chain_is_refused_and_named(entries: list[int]) -> None:
    StudyFactory.create()
    unsealed = AuditEntry.objects.latest("id").pk
    columns = "position, entry_id, format, salt, commitment, hash"
    seal = f"INSERT INTO audit_auditseal ({columns}) VALUES (-1, %s, 1, 'x', 'x', 'x')"  # noqa: S608  constants
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(seal, [unsealed])
