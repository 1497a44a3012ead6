"""Redactions: two persons, a reason, values that are gone for good, and a chain that still holds."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.chain import VALUE_COLUMNS, get_redacted_text
from ctms.audit.choices import RedactionState
from ctms.audit.models import AuditEntry, AuditRedaction, AuditSeal
from ctms.audit.redaction import RedactionRefusedError, approve_redaction, ask_redaction, refuse_redaction
from ctms.audit.sealing import seal_entries
from ctms.audit.services import save_record
from ctms.audit.verification import verify_trail
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import PersonFactory
from tests.rows import without_triggers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
FINAL = "audit entries are never changed or removed"


@pytest.fixture
def asker() -> User:
    return UserFactory.create(
        is_staff=True,
        security_profile=SecurityProfileFactory.create(permissions=["admin:redaction"], sees_all_studies=True),
    )


@pytest.fixture
def approver(asker: User) -> User:
    return UserFactory.create(is_staff=True, security_profile=asker.security_profile)


@pytest.fixture
def entry(approver: User) -> AuditEntry:
    """The entry of a person's creation, sealed."""
    person = PersonFactory.create(last_name="Forgotten")
    seal_entries()
    return AuditEntry.objects.get(record_uid=person.uid)


def act(user: User) -> Actor:
    return Actor(user=user, source="admin")


def ask(user: User, *entry_ids: int) -> AuditRedaction:
    redaction = AuditRedaction(entry_ids=list(entry_ids), reason="Erasure was asked for")
    ask_redaction(redaction=redaction, actor=act(user))
    return redaction


def read_row(entry: AuditEntry) -> dict[str, Any]:
    return dict(AuditEntry.objects.filter(pk=entry.pk).values().get())


# -- What it does -----------------------------------------------------------------------------------
def test_the_values_go_with_their_salt_and_the_chain_holds(asker: User, approver: User, entry: AuditEntry) -> None:
    before = read_row(entry)
    approve_redaction(redaction=ask(asker, entry.pk), actor=act(approver))
    left = read_row(entry)
    gone = {name: left[name] for name in left if left[name] != before[name]}
    assert gone == {
        "actor_name": "[redacted]",
        "record_name": "[redacted]",
        "reason": "[redacted]",
        "address": "[redacted]",
        "changes": {"[redacted]": ["[redacted]", "[redacted]"]},
        "words": {},
    }
    assert AuditSeal.objects.get(entry_id=entry.pk).salt is None
    seal_entries()
    result = verify_trail()
    assert result.findings == []
    (told,) = result.redactions
    assert told.startswith(f"Entry {entry.pk} of ")
    assert f"asked for by {asker}, approved by {approver} (Erasure was asked for)" in told


def test_the_redaction_itself_is_in_the_audit_trail(asker: User, approver: User, entry: AuditEntry) -> None:
    redaction = ask(asker, entry.pk)
    approve_redaction(redaction=redaction, actor=act(approver))
    created, changed, redacted = AuditEntry.objects.filter(record_uid=redaction.uid).order_by("id")
    assert (created.actor, created.changes["entry_ids"]) == (asker, [None, [entry.pk]])
    assert (changed.actor, changed.changes["state"]) == (approver, ["requested", "done"])
    assert (redacted.actor, redacted.changes) == (approver, {"redacted_entries": [entry.pk]})
    assert {created.reason, changed.reason, redacted.reason} == {"Erasure was asked for"}


def test_the_command_lists_what_was_redacted(asker: User, approver: User, entry: AuditEntry, capsys: Any) -> None:
    approve_redaction(redaction=ask(asker, entry.pk), actor=act(approver))
    call_command("verify_audit_trail")
    assert f"approved by {approver}" in capsys.readouterr().out


# -- Two persons --------------------------------------------------------------------------------------
def test_whoever_asked_cannot_approve(asker: User, entry: AuditEntry) -> None:
    redaction = ask(asker, entry.pk)
    before = read_row(entry)
    with pytest.raises(RedactionRefusedError, match="cannot approve it"):
        approve_redaction(redaction=redaction, actor=act(asker))
    redaction.refresh_from_db()
    assert (redaction.state, read_row(entry)) == (RedactionState.REQUESTED, before)


def test_the_database_refuses_one_person_as_well(asker: User, entry: AuditEntry) -> None:
    redaction = ask(asker, entry.pk)
    with pytest.raises(IntegrityError, match="audit_redaction_takes_two_persons"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_auditredaction SET state = 'done', decided_by_id = created_by_id WHERE id = %s",
            [redaction.pk],
        )


def test_nobody_without_the_permission_asks_or_decides(asker: User, entry: AuditEntry) -> None:
    stranger = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["admin:audit"]))
    with pytest.raises(RedactionRefusedError, match="admin:redaction"):
        ask(stranger, entry.pk)
    redaction = ask(asker, entry.pk)
    for decide in (approve_redaction, refuse_redaction):
        with pytest.raises(RedactionRefusedError, match="admin:redaction"):
            decide(redaction=redaction, actor=act(stranger))


def test_it_is_decided_once(asker: User, approver: User, entry: AuditEntry) -> None:
    redaction = ask(asker, entry.pk)
    refuse_redaction(redaction=redaction, actor=act(asker))
    with pytest.raises(RedactionRefusedError, match="decided already: Refused"):
        approve_redaction(redaction=redaction, actor=act(approver))
    assert read_row(entry)["actor_name"] != "[redacted]"


def test_what_cannot_be_redacted_is_said_beside_the_field(asker: User, approver: User, entry: AuditEntry) -> None:
    approve_redaction(redaction=ask(asker, entry.pk), actor=act(approver))
    PersonFactory.create()
    unsealed = AuditEntry.objects.latest("id").pk
    for entry_ids, message in (
        ([], "at least one"),
        ([0], "There is no entry 0"),
        ([entry.pk], "redacted already"),
        ([unsealed], "not sealed yet"),
    ):
        with pytest.raises(ValidationError) as refused:
            ask(asker, *entry_ids)
        assert message in refused.value.message_dict["entry_ids"][0]


# -- What the triggers let through ---------------------------------------------------------------------
VALUES = ", ".join(f"{name} = '{get_redacted_text(name)}'" for name in VALUE_COLUMNS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET {values}, source = 'job' WHERE id = {id}",
        "UPDATE audit_auditentry SET {values}, at = '2020-01-01 00:00:00+00' WHERE id = {id}",
        "UPDATE audit_auditentry SET actor_name = 'Nobody' WHERE id = {id}",
        "UPDATE audit_auditentry SET actor_name = '[redacted]' WHERE id = {id}",
        "UPDATE audit_auditentry SET {values}",  # others, too
        "UPDATE audit_auditseal SET salt = NULL",
        "UPDATE audit_auditseal SET salt = NULL, hash = commitment WHERE entry_id = {id}",
        "UPDATE audit_auditseal SET salt = hash WHERE entry_id = {id}",
        "DELETE FROM audit_auditentry WHERE id = {id}",
    ],
)
def test_an_approved_redaction_opens_the_door_for_itself_alone(
    asker: User, approver: User, entry: AuditEntry, statement: str
) -> None:
    redaction = ask(asker, entry.pk)
    redaction.state, redaction.decided_by = RedactionState.DONE, approver  # approved, and not carried out
    save_record(record=redaction, actor=act(approver))
    before = read_row(entry)
    with pytest.raises(DatabaseError, match=FINAL), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.replace("{id}", str(entry.pk)).replace("{values}", VALUES))
    assert read_row(entry) == before


def test_a_request_that_nobody_approved_opens_no_door(asker: User, entry: AuditEntry) -> None:
    ask(asker, entry.pk)
    with pytest.raises(DatabaseError, match=FINAL), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditentry SET {VALUES} WHERE id = %s", [entry.pk])  # noqa: S608  constants


def test_a_redaction_past_the_triggers_is_named(entry: AuditEntry) -> None:
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute(f"UPDATE audit_auditentry SET {VALUES} WHERE id = %s", [entry.pk])  # noqa: S608  constants
        cursor.execute("UPDATE audit_auditseal SET salt = NULL WHERE entry_id = %s", [entry.pk])
    (finding,) = verify_trail().findings
    assert finding.startswith(f"Entry {entry.pk} of ")
    assert finding.endswith("it was redacted, and nobody approved it.")


@pytest.mark.parametrize("how", ["one more entry", "made up"])
def test_a_redaction_that_was_forged_in_its_table_is_named(
    asker: User, approver: User, entry: AuditEntry, how: str
) -> None:
    """What the application's own role could do by SQL, past no trigger."""
    other = AuditEntry.objects.exclude(pk=entry.pk).earliest("id")
    redaction = ask(asker, entry.pk)
    if how == "one more entry":
        approve_redaction(redaction=redaction, actor=act(approver))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_auditredaction SET state = 'done', decided_by_id = %s, entry_ids = %s WHERE id = %s",
            [approver.pk, f"[{entry.pk}, {other.pk}]", redaction.pk],
        )
        cursor.execute(f"UPDATE audit_auditentry SET {VALUES} WHERE id = %s", [other.pk])  # noqa: S608  constants
        cursor.execute("UPDATE audit_auditseal SET salt = NULL WHERE entry_id = %s", [other.pk])
    seal_entries()
    findings = verify_trail().findings
    assert any(finding.startswith(f"Entry {other.pk} of ") for finding in findings)
    assert all(finding.endswith("it was redacted, and nobody approved it.") for finding in findings)


def test_an_entry_about_a_redaction_is_not_redacted(asker: User, approver: User, entry: AuditEntry) -> None:
    redaction = ask(asker, entry.pk)
    seal_entries()
    about = AuditEntry.objects.filter(record_uid=redaction.uid).earliest("id")
    with pytest.raises(ValidationError, match="is about a redaction"):
        ask(approver, about.pk)


def test_a_seal_that_lost_its_salt_alone_is_named(entry: AuditEntry) -> None:
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute("UPDATE audit_auditseal SET salt = NULL WHERE entry_id = %s", [entry.pk])
    (finding,) = verify_trail().findings
    assert "lost its salt" in finding


# -- The page ---------------------------------------------------------------------------------------
def test_one_asks_and_another_approves_in_the_console(
    asker: User, approver: User, entry: AuditEntry, client: Client
) -> None:
    client.force_login(asker)
    add = reverse("admin:audit_auditredaction_add")
    refused = client.post(add, {"entry_ids": "12, x", "reason": "Erasure"})
    assert "Enter whole numbers with commas between" in refused.content.decode()
    refused = client.post(add, {"entry_ids": "0", "reason": "Erasure"})
    assert "There is no entry 0" in refused.content.decode()
    page = client.post(add, {"entry_ids": str(entry.pk), "reason": "Erasure"}, follow=True).content.decode()
    redaction = AuditRedaction.objects.get()
    approve = reverse("admin:audit_auditredaction_approve", args=(redaction.pk,))
    assert approve in page
    assert "cannot approve it" in client.post(approve, follow=True).content.decode()

    client.force_login(approver)
    assert "Redact for good" in client.get(approve).content.decode()
    page = client.post(approve, follow=True).content.decode()
    assert approve not in page
    assert read_row(entry)["record_name"] == "[redacted]"


def test_the_page_of_an_entry_leads_to_its_redaction(entry: AuditEntry, client: Client) -> None:
    redact = reverse("admin:audit_auditentry_redact", args=(entry.pk,))
    page = reverse("admin:audit_auditentry_change", args=(entry.pk,))
    reader = SecurityProfileFactory.create(permissions=["admin:audit"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=reader, is_staff=True))
    assert redact not in client.get(page).content.decode()
    assert client.get(redact).status_code == 403
    both = SecurityProfileFactory.create(permissions=["admin:audit", "admin:redaction"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=both, is_staff=True))
    assert redact in client.get(page).content.decode()
    form = client.get(redact, follow=True).content.decode()
    assert f'value="{entry.pk}"' in form


def test_the_console_refuses_whoever_has_no_permission(asker: User, entry: AuditEntry, client: Client) -> None:
    redaction = ask(asker, entry.pk)
    profile = SecurityProfileFactory.create(permissions=["admin:audit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(reverse("admin:audit_auditredaction_add")).status_code == 403
    for name in ("approve", "refuse"):
        url = reverse(f"admin:audit_auditredaction_{name}", args=(redaction.pk,))
        assert client.post(url).status_code == 403
    redaction.refresh_from_db()
    assert redaction.state == RedactionState.REQUESTED


def test_a_request_is_refused_in_the_console(asker: User, entry: AuditEntry, client: Client) -> None:
    redaction = ask(asker, entry.pk)
    client.force_login(asker)
    client.post(reverse("admin:audit_auditredaction_refuse", args=(redaction.pk,)))
    redaction.refresh_from_db()
    assert (redaction.state, redaction.decided_by) == (RedactionState.REFUSED, asker)


def test_an_entry_that_the_asker_does_not_see_is_answered_as_one_that_does_not_exist(entry: AuditEntry) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:redaction"])
    with pytest.raises(ValidationError, match=f"There is no entry {entry.pk}"):
        ask(UserFactory.create(security_profile=profile), entry.pk)
