"""A Vault that was restored is older than its CRM: reconciliation finds what, and nothing is doubled or revived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities.models import Activity
from connections.models import Connection
from crm_sync.actions.pausing import resume_connection
from crm_sync.choices import RecordWord
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.machine.backups.databases import run_on
from ctms.machine.backups.making import make_backup
from ctms.machine.backups.restoring import restore_backup
from ctms.machine.declaring import declare_vault
from tests.crm_sync.reconciliation.conftest import list_words, reconcile_world, repair_all
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.machine.backups.conftest import target, tools

__all__ = ["target", "tools"]  # fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
KEY, SUBJECT = "Vault_External_ID_vod__c", "Subject_vod__c"


def list_shown(world: World) -> dict[str, tuple[str, str]]:
    """CRM id and subject of each interaction that the CRM has, by the uid that the Vault gave it."""
    rows = [row for row in world.list_interactions() if not row["IsDeleted"]]
    shown = {row[KEY]: (row["Id"], row[SUBJECT]) for row in rows}
    assert len(shown) == len(rows)  # nothing is there twice
    return shown


def test_a_vault_that_is_back_in_time_doubles_and_revives_nothing(
    transactional_db: None, world: World, target: dict[str, Any], tmp_path: Path
) -> None:
    people = create_people(6)
    world.add_accounts(people)
    kept, edited, ended, deleted = create_activities(4, people=people[:4])
    world.transfer()
    backup = make_backup(to=tmp_path)
    # What the Vault did after the backup, and forgets.
    edited.subject = "Edited after the backup"
    save_record(record=edited, actor=build_admin_actor())
    ended.status = RecordStatus.INACTIVE
    save_record(record=ended, actor=build_admin_actor())
    delete_record(record=Activity.objects.get(pk=deleted.pk), actor=build_admin_actor())
    (created,) = create_activities(1, people=people[4:5])
    world.transfer()
    before = list_shown(world)
    assert [before[str(each.uid)][1] for each in (kept, edited, ended, deleted, created)] == [
        "Activity 0",
        "Edited after the backup",
        "Activity 2 Deleted",
        "Activity 3 Deleted",
        "Activity 0",
    ]

    restore_backup(folder=backup.folder, database=target)

    def go_on() -> dict[str, str]:
        """As the runbook says: declare, reconcile, look, resume."""
        declare_vault(actor=build_admin_actor())
        assert Connection.objects.get().paused_at is not None
        words = list_words(reconcile_world(world))
        resume_connection(connection=Connection.objects.get(), actor=build_admin_actor())
        world.transfer()
        return words

    words = run_on(target, go_on)

    # What was forgotten is found, each record by its word …
    assert words == {
        str(edited.uid): RecordWord.DIFFERS,
        str(ended.uid): RecordWord.DIFFERS,
        str(deleted.uid): RecordWord.DIFFERS,
        str(created.uid): RecordWord.ORPHANED,
    }
    # … and the transfer neither doubles nor revives nor takes back any of it by itself.
    assert list_shown(world) == before

    def repair() -> dict[str, str]:
        repair_all(world, reconcile_world(world))
        return list_words(reconcile_world(world))

    assert run_on(target, repair) == {}
    # A repair, which somebody asks for, makes the CRM what the Vault is: in place, nothing twice.
    after = list_shown(world)
    assert after[str(deleted.uid)][1] == "Activity 3"
    assert after[str(created.uid)][1] == "Activity 0 Deleted"
    assert {uid: crm_id for uid, (crm_id, _) in after.items()} == {uid: crm_id for uid, (crm_id, _) in before.items()}
