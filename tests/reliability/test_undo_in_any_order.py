"""After edits, bulk edits, imports, deletions and undos in any order, both sides are as the undone history gives.

The story replays what users did without what was undone. Which fields of which records an undo has put back is read
from the trail; that the values are right is not, it follows from the replay.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.change_sets import ChangeSet
from ctms.audit.models import AuditEntry
from ctms.audit.sealing import seal_entries
from ctms.audit.services import save_record
from ctms.audit.verification import verify_trail
from ctms.clinical.models import Person
from ctms.records.models import BulkOperation
from tests.crm_sync.reconciliation.conftest import reconcile_world
from tests.crm_sync.world import World, build_world
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.records.bulk.steps import do_edit, do_import, run_job
from tests.records.undo.steps import delete, edit_field, find_last, undo
from tests.reliability.test_any_order import forget_afterwards

pytestmark = pytest.mark.both_databases

EXAMPLES = {"sqlite": 12, "postgresql": 4}
ACTIVITY = "crm_activity__v"
SUBJECTS = ("Call", "Visit", "Training", "Letter")

FIELDS = ("subject", "complete")

Values = dict[str, Any]
Place = tuple[UUID, str]


def list_places(entry: AuditEntry) -> list[Place]:
    """Return the record of an entry with each field that it changed; with none for a creation or deletion."""
    assert entry.record_uid is not None
    names = [name for name in FIELDS if name in entry.changes] if entry.action == "changed" else [""]
    return [(entry.record_uid, name) for name in names]


@dataclass(slots=True)
class Deed:
    """What users did in one change set: record → the values that it set, {} for a deletion.

    `is_off` has records and fields for which it is undone; the empty field stands for a creation or deletion. The undo
    of an undo is a deed that turns the first deed on again.
    """

    change_set: ChangeSet | None
    values: dict[UUID, Values]
    makes: bool = False
    undoes: Deed | None = None
    is_off: set[Place] = field(default_factory=set)

    def turn(self, places: set[Place]) -> None:
        deed = self
        while deed.undoes is not None:
            deed = deed.undoes
        deed.is_off ^= places


@dataclass(slots=True)
class Story:
    """A random sequence of events, and what users did in it."""

    world: World
    client: Client
    dice: random.Random
    person: Person
    deeds: list[Deed] = field(default_factory=list)
    number: int = 0

    def list_present(self) -> list[Activity]:
        return list(Activity.objects.order_by("pk"))

    def choose_some(self) -> list[Activity]:
        present = self.list_present()
        return self.dice.sample(present, self.dice.randint(1, len(present))) if present else []

    # -- What people do ---------------------------------------------------------------------------

    def import_new(self) -> None:
        """New activities, and perhaps others that change."""
        self.number += 1
        rows = {f"A-{self.number}-{each}": self.dice.choice(SUBJECTS) for each in range(self.dice.randint(1, 3))}
        made = "".join(
            f"{key},Clinical Activity,{self.person.external_id},2026-03-31,Phone,{text}\n" for key, text in rows.items()
        )
        self._import(f"External ID,Object type,Person,Date,Channel,Subject\n{made}", makes=True)

    def import_changes(self) -> None:
        rows = "".join(f"{each.external_id},{self.dice.choice(SUBJECTS)}\n" for each in self.choose_some())
        if rows:
            self._import(f"External ID,Subject\n{rows}")

    def edit(self) -> None:
        for activity in self.choose_some()[:1]:
            edit_field(self.client, activity, "subject__v", self._new(activity))
            self._note(find_last(activity))

    def complete_many(self) -> None:
        chosen = self.choose_some()
        if chosen:
            word = self.dice.choice(["yes", "no"])
            operation = do_edit(self.client, ACTIVITY, chosen, complete__v=word, subject__v=self.dice.choice(SUBJECTS))
            self._note_operation(operation)

    def delete(self) -> None:
        for activity in self.choose_some()[:1]:
            delete(self.client, activity)
            self.deeds.append(Deed(change_set=find_last(activity), values={activity.uid: {}}))

    def edit_as_another(self) -> None:
        """Somebody else, whose change nobody undoes here."""
        for activity in self.choose_some()[:1]:
            activity.subject = self._new(activity)
            save_record(record=activity, actor=build_admin_actor())
            self.deeds.append(Deed(change_set=None, values={activity.uid: {"subject": activity.subject}}))

    def undo(self) -> None:
        deed = self.dice.choice([each for each in self.deeds if each.change_set] or [None])
        if deed is not None and deed.change_set is not None:
            self._undo(deed, change_set=deed.change_set)

    def undo_latest(self) -> None:
        deeds = [each for each in self.deeds if each.change_set]
        if deeds and deeds[-1].change_set is not None:
            self._undo(deeds[-1], change_set=deeds[-1].change_set)

    def transfer(self) -> None:
        self.world.transfer()

    def _undo(self, deed: Deed, *, change_set: ChangeSet) -> None:
        undo(self.client, change_set)
        operation = BulkOperation.objects.filter(kind="undo").order_by("id").last()
        if operation is None:
            return  # there was nothing to undo, and no operation is left of it
        if operation.state == "draft":
            self.client.post(f"/records/{ACTIVITY}/undo/{operation.uid}/", {"mode": self.dice.choice(["valid", "all"])})
            run_job(operation)
        done = ChangeSet(kind="undo", key=str(operation.uid))
        if any(each.change_set == done for each in self.deeds):
            return  # there was nothing to undo, and no operation is left of it
        undone = {place for entry in done.list_entries() for place in list_places(entry)}
        if undone:
            deed.turn(undone)
            self.deeds.append(Deed(change_set=done, values={}, undoes=deed))

    def _import(self, content: str, *, makes: bool = False) -> None:
        self._note_operation(do_import(self.client, ACTIVITY, content), makes=makes)

    def _note_operation(self, operation: BulkOperation, *, makes: bool = False) -> None:
        assert not operation.failed, list(operation.problems.values_list("message", flat=True))
        self._note(ChangeSet(kind=operation.kind, key=str(operation.uid)), makes=makes)

    def _note(self, change_set: ChangeSet, *, makes: bool = False) -> None:
        """Note what a deed has set, as it stands now in the records that it wrote."""
        entries = list(change_set.list_entries())
        values = {}
        for activity in Activity.objects.filter(uid__in=[entry.record_uid for entry in entries]):
            (entry,) = [each for each in entries if each.record_uid == activity.uid]
            fields = FIELDS if makes else entry.changes.keys() & set(FIELDS)
            values[activity.uid] = {name: getattr(activity, name) for name in fields}
        if values:
            self.deeds.append(Deed(change_set=change_set, values=values, makes=makes))

    def _new(self, activity: Activity) -> str:
        return self.dice.choice([each for each in SUBJECTS if each != activity.subject])

    # -- What has to hold in the end --------------------------------------------------------------

    def replay(self) -> dict[UUID, Values]:
        """Return the values of all records that the history gives without what was undone."""
        state: dict[UUID, Values] = {}
        for deed in self.deeds:
            for uid, values in deed.values.items():
                if (uid, "") in deed.is_off:
                    continue
                if not values:
                    del state[uid]
                elif deed.makes and uid not in state:
                    state[uid] = dict(values)
                else:
                    state[uid] |= {name: each for name, each in values.items() if (uid, name) not in deed.is_off}
        return state

    def check(self) -> None:
        expected = self.replay()
        found = {each.uid: {"subject": each.subject, "complete": each.complete} for each in self.list_present()}
        assert found == expected
        for _ in range(2):
            self.world.transfer()
        rows = {row["Vault_External_ID_vod__c"]: row["Subject_vod__c"] for row in self.world.list_interactions()}
        assert len(rows) == len(self.world.list_interactions()), "an external id is there twice"
        live = {uid: subject for uid, subject in rows.items() if not subject.endswith(" Deleted")}
        assert live == {str(uid): values["subject"] for uid, values in expected.items()}
        assert reconcile_world(self.world).unexplained == 0
        seal_entries()
        assert verify_trail().holds
        assert set(rebuild_contacts().values()) == {0}
        for uid, version in Activity.objects.values_list("uid", "version"):
            assert version <= AuditEntry.objects.filter(record_uid=uid).count()


EVENTS: tuple[Callable[[Story], None], ...] = (
    Story.import_new,
    Story.import_changes,
    Story.edit,
    Story.edit,
    Story.complete_many,
    Story.delete,
    Story.edit_as_another,
    Story.undo,
    Story.undo,
    Story.undo,
    Story.undo_latest,
    Story.undo_latest,
    Story.transfer,
)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=int(os.environ.get("SOAK_EXAMPLES") or EXAMPLES[database.vendor]),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(events=st.lists(st.sampled_from(range(len(EVENTS))), min_size=5, max_size=20), seed=st.integers(0, 2**16))
def test_both_sides_are_as_the_undone_history_gives(settings: Any, events: list[int], seed: int) -> None:
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox, forget_afterwards():
        client = Client()
        client.force_login(UserFactory.create(is_superuser=True))
        world = build_world(crm=sandbox["na"])
        person = PersonFactory.create(external_id="P-1")
        world.add_accounts([person])
        story = Story(world=world, client=client, dice=random.Random(seed), person=person)  # noqa: S311
        story.import_new()
        for event in events:
            EVENTS[event](story)
        story.check()
