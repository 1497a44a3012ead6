from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from connections.certificates import create_certificate
from connections.models import ConnectionAuthorization
from ctms.accounts.selectors import get_system_user
from ctms.audit.key_rotation import RotationReport, rotate_encryption_keys
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.core.encryption import create_key, parse_key_ring
from ctms.core.errors import EncryptionKeyError
from tests.factories.base import build_admin_actor
from tests.factories.connections import CONSUMER_KEY, CONSUMER_SECRET, CRM_PASSWORD, AuthorizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FIELDS = ("password", "consumer_key", "consumer_secret")


@pytest.fixture
def keys(settings: Settings) -> dict[str, str]:
    """Set two keys. What a test creates is encrypted with the old one."""
    made = {key_id: create_key(key_id=key_id) for key_id in ("old", "new")}
    settings.FIELD_ENCRYPTION_KEYS = [made["old"]]
    return made


def read_rows() -> list[dict[str, Any]]:
    return [dict(row) for row in ConnectionAuthorization.objects.order_by("pk").values()]


def read_key_ids() -> list[list[str]]:
    records = ConnectionAuthorization.objects.order_by("pk")
    return [[getattr(record, field).key_id for field in FIELDS if getattr(record, field)] for record in records]


def run_command(name: str, *arguments: str) -> str:
    output = StringIO()
    call_command(name, *arguments, stdout=output)
    return output.getvalue()


def test_every_secret_is_encrypted_with_the_first_key_and_reads_the_same(
    keys: dict[str, str], settings: Settings
) -> None:
    AuthorizationFactory.create_batch(2)
    AuthorizationFactory.create(consumer_key="", consumer_secret="")
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    renewed = AuthorizationFactory.create()
    for _ in range(2):
        create_certificate(authorization=renewed, actor=build_admin_actor())

    assert rotate_encryption_keys(actor=build_admin_actor()) == [
        RotationReport(field="connections.ConnectionAuthorization.password", encrypted_anew=3, already_current=1),
        RotationReport(field="connections.ConnectionAuthorization.consumer_key", encrypted_anew=2, already_current=1),
        RotationReport(
            field="connections.ConnectionAuthorization.consumer_secret", encrypted_anew=2, already_current=1
        ),
        RotationReport(field="connections.ConnectionAuthorization.private_key", encrypted_anew=0, already_current=1),
        RotationReport(
            field="connections.ConnectionAuthorization.next_private_key", encrypted_anew=0, already_current=1
        ),
        RotationReport(field="webhooks.Webhook.secret", encrypted_anew=0, already_current=0),
        RotationReport(field="webhooks.Webhook.previous_secret", encrypted_anew=0, already_current=0),
        RotationReport(field="accounts.SecondFactor.secret", encrypted_anew=0, already_current=0),
    ]
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"]]
    assert read_key_ids() == [["new"] * 3, ["new"] * 3, ["new"], ["new"] * 3]
    read = [[getattr(r, field).reveal() for field in FIELDS if getattr(r, field)] for r in _list_records()]
    secrets = [CRM_PASSWORD, CONSUMER_KEY, CONSUMER_SECRET]
    assert read == [secrets, secrets, [CRM_PASSWORD], secrets]


def test_private_keys_are_encrypted_anew_and_still_fit_their_certificates(
    keys: dict[str, str], settings: Settings
) -> None:
    authorization = AuthorizationFactory.create()
    for _ in range(2):
        create_certificate(authorization=authorization, actor=build_admin_actor())
    before = [authorization.private_key.reveal(), authorization.next_private_key.reveal()]
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    rotate_encryption_keys(actor=build_admin_actor())
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"]]
    [read] = _list_records()
    assert [read.private_key.key_id, read.next_private_key.key_id] == ["new", "new"]
    assert [read.private_key.reveal(), read.next_private_key.reveal()] == before


def _list_records() -> list[ConnectionAuthorization]:
    return list(ConnectionAuthorization.objects.order_by("pk"))


def test_a_second_rotation_changes_nothing(keys: dict[str, str], settings: Settings) -> None:
    AuthorizationFactory.create_batch(2)
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    rotate_encryption_keys(actor=build_admin_actor())
    rows, entries = read_rows(), AuditEntry.objects.count()
    reports = rotate_encryption_keys(actor=build_admin_actor())
    assert [(report.encrypted_anew, report.already_current) for report in reports] == [*[(0, 2)] * 3, *[(0, 0)] * 5]
    assert (read_rows(), AuditEntry.objects.count()) == (rows, entries)


def test_a_rotation_is_in_the_audit_trail_with_its_reason_and_without_the_secrets(
    keys: dict[str, str], settings: Settings
) -> None:
    authorization = AuthorizationFactory.create()
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    run_command("rotate_encryption_keys")
    entry = AuditEntry.objects.filter(record_uid=authorization.uid).latest("id")
    assert entry.changes == {field: ["set", "set"] for field in FIELDS}
    assert (entry.reason, entry.actor, entry.source, entry.reference) == (
        "Encrypted with the key new",
        get_system_user(),
        "command",
        "rotate_encryption_keys",
    )


def test_records_that_today_would_be_refused_are_rotated_too(keys: dict[str, str], settings: Settings) -> None:
    authorization = AuthorizationFactory.create()
    authorization.username = ""
    save_record(record=authorization, actor=build_admin_actor(), validate=False)
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    rotate_encryption_keys(actor=build_admin_actor())
    assert read_key_ids() == [["new"] * 3]


@pytest.mark.parametrize("wrong", ["missing", "another under the same id"])
def test_with_a_wrong_key_nothing_is_changed_and_the_record_is_named(
    keys: dict[str, str], settings: Settings, wrong: str
) -> None:
    AuthorizationFactory.create()
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="lost")]
    unreadable = AuthorizationFactory.create(name="Unreadable")
    rows, entries = read_rows(), AuditEntry.objects.count()

    others = {"missing": [], "another under the same id": [create_key(key_id="lost")]}[wrong]
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"], *others]
    with pytest.raises(EncryptionKeyError, match=rf"^Unreadable \({unreadable.uid}\): The secret stored for .*'lost'"):
        rotate_encryption_keys(actor=build_admin_actor())
    with pytest.raises(CommandError, match=r"^Unreadable \("):
        run_command("rotate_encryption_keys")
    assert (read_rows(), AuditEntry.objects.count()) == (rows, entries)


def test_a_record_under_the_right_id_but_another_key_is_found_although_it_needs_no_rotation(
    keys: dict[str, str], settings: Settings
) -> None:
    AuthorizationFactory.create()
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="old")]
    with pytest.raises(EncryptionKeyError, match="the key is another one"):
        rotate_encryption_keys(actor=build_admin_actor())


def test_a_record_deleted_while_the_rotation_runs_is_passed_over(
    keys: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = AuthorizationFactory.create_batch(2)
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]

    def delete_second_while_saving(**values: Any) -> bool:
        if ConnectionAuthorization.objects.filter(pk=second.pk).exists():
            delete_record(record=second, actor=build_admin_actor())
        return save_record(**values)

    monkeypatch.setattr("ctms.audit.key_rotation.save_record", delete_second_while_saving)
    reports = rotate_encryption_keys(actor=build_admin_actor())
    assert [report.encrypted_anew for report in reports] == [1, 1, 1, 0, 0, 0, 0, 0]
    assert list(ConnectionAuthorization.objects.all()) == [first]


def test_the_command_reports_counts_by_field(keys: dict[str, str], settings: Settings) -> None:
    AuthorizationFactory.create_batch(3)
    settings.FIELD_ENCRYPTION_KEYS = [keys["new"], keys["old"]]
    assert run_command("rotate_encryption_keys").splitlines() == [
        *(
            f"connections.ConnectionAuthorization.{field}: 3 encrypted with the key 'new', 0 already were"
            for field in FIELDS
        ),
        "connections.ConnectionAuthorization.private_key: 0 encrypted with the key 'new', 0 already were",
        "connections.ConnectionAuthorization.next_private_key: 0 encrypted with the key 'new', 0 already were",
        "webhooks.Webhook.secret: 0 encrypted with the key 'new', 0 already were",
        "webhooks.Webhook.previous_secret: 0 encrypted with the key 'new', 0 already were",
        "accounts.SecondFactor.secret: 0 encrypted with the key 'new', 0 already were",
    ]


def test_the_key_command_prints_a_new_key_each_time() -> None:
    printed = [run_command("create_encryption_key", "--id", "2026-01").strip() for _ in range(2)]
    assert [list(parse_key_ring([key])) for key in printed] == [["2026-01"]] * 2
    assert printed[0] != printed[1]


def test_the_key_command_names_a_key_after_the_day() -> None:
    key_id = run_command("create_encryption_key").partition(":")[0]
    assert len(key_id.split("-")) == 3


def test_the_key_command_refuses_an_id_that_is_none() -> None:
    with pytest.raises(CommandError, match=r"'a\.b' is no id of a key"):
        run_command("create_encryption_key", "--id", "a.b")
