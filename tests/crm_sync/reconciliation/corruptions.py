"""Corrupts records on both sides behind the transfer's back, and knows the word that each has to be given.

No version, stamp, link or audit entry changes, so that nothing but the records themselves tells of it.
"""

# ruff: noqa: S608  names in SQL are those of this module; every value is a parameter

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from django.conf import settings

from activities.choices import Channel
from activities.models import Activity
from connections.models import IntegrationProgress
from crm_sync.models import AccountMatch
from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.data.timestamps import format_datetime
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people

OBJECT = "Vault_Clinical_Interaction_vod__c"
KEY = "Vault_External_ID_vod__c"
CALL = "Call2_vod__c"
PEOPLE = 50


@dataclass(slots=True, kw_only=True)
class Corruptor:
    """Sent activities and received calls of a world, of which `plant` corrupts some; `expected` are their words.

    Keys are the UID of the record here, or the CRM id if there is none.
    """

    world: World
    random: Random
    activities: list[Activity] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    deleted_here: list[str] = field(default_factory=list)  # UIDs of activities
    deleted_there: list[Activity] = field(default_factory=list)
    deleted_calls: list[str] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)

    def transfer_records(self, *, records: int, deleted: int) -> None:
        """Transfer `records` activities and calls, half of each, and three times `deleted` that are then deleted."""
        people = create_people(PEOPLE)
        self.accounts = self.world.add_accounts(people)
        half = records // 2
        activities = create_activities(half + 2 * deleted, people=people)
        calls = self.world.add_calls(self.accounts[number % PEOPLE] for number in range(half + deleted))
        self.world.transfer()
        self.activities, self.calls = activities[:half], calls[:half]
        self.deleted_there, self.deleted_calls = activities[half : half + deleted], calls[half:]
        for activity in activities[half + deleted :]:
            self.deleted_here.append(str(activity.uid))
            delete_record(record=activity, actor=build_admin_actor())
        for activity in self.deleted_there:
            self.change(f'"{KEY}" = ?', str(activity.uid), {"IsDeleted": 1})
            activity.subject += ", then deleted there"
            save_record(record=activity, actor=build_admin_actor())
        for call in self.deleted_calls:
            self.world.delete_in_crm(CALL, call)
        self.world.transfer()

    def plant(self, count: int) -> None:
        """Corrupt `count` records in random ways, each record once."""
        # The next transfer would read calls that changed lately anyway.
        overlap = dt.timedelta(seconds=2 * settings.CRM_TRANSFER_OVERLAP_SECONDS)
        (watermark,) = IntegrationProgress.objects.filter(watermark__isnull=False).values_list("watermark", flat=True)
        before = format_datetime(cast("dt.datetime", watermark) - overlap)
        self.world.crm.organisation.database.execute(f'UPDATE "{CALL}" SET "SystemModstamp" = ?', (before,))
        kinds: list[tuple[Callable[[Any], None], list[Any]]] = [
            *((kind, self.activities) for kind in (self.lose_row, self.delete_row, self.double_row, self.alter_row)),
            *((kind, self.activities) for kind in (self.alter_here, self.move_row, self.relabel_row, self.lose_here)),
            *((kind, self.calls) for kind in (self.lose_activity, self.alter_activity, self.move_activity)),
            *((kind, self.calls) for kind in (self.alter_call, self.move_call, self.delete_call, self.purge_call)),
            (self.double_activity, self.calls),
            (self.revive_row, self.deleted_here),
            (self.undelete_row, self.deleted_there),
            (self.undelete_call, self.deleted_calls),
            (self.revive_activity, self.deleted_calls),
        ]
        lists: list[list[Any]] = [
            self.activities,
            self.calls,
            self.deleted_here,
            self.deleted_there,
            self.deleted_calls,
        ]
        for victims in lists:
            self.random.shuffle(victims)
        planted = 0
        while planted < count:
            kind, victims = self.random.choice(kinds)
            if victims:
                kind(victims.pop())
                planted += 1

    # -- Sent activities ------------------------------------------------------------------------------

    def lose_row(self, activity: Activity) -> None:
        self.execute(f'DELETE FROM "{OBJECT}" WHERE "{KEY}" = ?', str(activity.uid))
        # Lost, and not deleted: no list of deletions names it.
        self.execute("DELETE FROM sandbox_purged WHERE object_name = ?", OBJECT)
        self.expected[str(activity.uid)] = "missing_there"

    def delete_row(self, activity: Activity) -> None:
        self.change(f'"{KEY}" = ?', str(activity.uid), {"IsDeleted": 1})
        self.expected[str(activity.uid)] = "deleted_on_one_side"

    def double_row(self, activity: Activity) -> None:
        names = ("Account_vod__c", "Subject_vod__c", "Interaction_Date_vod__c", "Channel_vod__c", "Status_vod__c")
        columns = ", ".join(f'"{name}"' for name in names)
        (row,) = self.world.crm.organisation.database.fetch_all(
            f'SELECT {columns} FROM "{OBJECT}" WHERE "{KEY}" = ?', [str(activity.uid)]
        )
        (double,) = self.world.crm.organisation.insert_records(
            object_name=OBJECT, records=[{**dict(zip(names, row, strict=True)), KEY: str(activity.uid)}]
        )
        self.expected[double] = "orphaned"

    def alter_row(self, activity: Activity) -> None:
        name, value = self.random.choice(
            [
                ("Subject_vod__c", "Altered there"),
                ("Subject_vod__c", None),
                ("From_vod__c", "Nobody"),
                ("Interaction_Date_vod__c", "1999-01-01"),
                ("Status_vod__c", "Saved_vod"),
            ]
        )
        self.change(f'"{KEY}" = ?', str(activity.uid), {name: value})
        self.expected[str(activity.uid)] = "differs"

    def alter_here(self, activity: Activity) -> None:
        self.change_here(
            {"pk": activity.pk}, self.random.choice([{"subject": "Altered"}, {"date": dt.date(1999, 1, 1)}])
        )
        self.expected[str(activity.uid)] = "differs"

    def move_row(self, activity: Activity) -> None:
        place = get_place(activity)
        wrong = self.accounts[(place + self.random.randrange(1, PEOPLE)) % PEOPLE]
        self.change(f'"{KEY}" = ?', str(activity.uid), {"Account_vod__c": wrong})
        self.expected[str(activity.uid)] = "differs"

    def relabel_row(self, activity: Activity) -> None:
        self.change(f'"{KEY}" = ?', str(activity.uid), {KEY: self.random.choice([f"x{activity.uid}", None])})
        self.expected[str(activity.uid)] = "differs"

    def lose_here(self, activity: Activity) -> None:
        with allow_record_writes():
            Activity.objects.filter(pk=activity.pk).delete()
        self.expected[str(activity.uid)] = "missing_here"

    def revive_row(self, uid: str) -> None:
        self.change(f'"{KEY}" = ?', uid, {"Subject_vod__c": "Revived"})
        self.expected[uid] = "orphaned"

    def undelete_row(self, activity: Activity) -> None:
        self.change(f'"{KEY}" = ?', str(activity.uid), {"IsDeleted": 0})
        self.expected[str(activity.uid)] = "deleted_on_one_side"

    # -- Received calls -------------------------------------------------------------------------------

    def lose_activity(self, call: str) -> None:
        with allow_record_writes():
            Activity.objects.filter(crm_id=call).delete()
        self.expected[call] = "missing_here"

    def alter_activity(self, call: str) -> None:
        values: list[dict[str, Any]] = [{"channel": Channel.EMAIL}, {"complete": False}, {"date": dt.date(1999, 1, 1)}]
        self.change_here({"crm_id": call}, self.random.choice(values))
        self.expected[self.get_uid(call)] = "differs"

    def move_activity(self, call: str) -> None:
        activity = Activity.objects.get(crm_id=call)
        wrong = AccountMatch.objects.exclude(person=activity.person_id).order_by("pk")[
            self.random.randrange(PEOPLE - 1)
        ]
        self.change_here({"crm_id": call}, {"person": wrong.person_id})
        self.expected[self.get_uid(call)] = "differs"

    def alter_call(self, call: str) -> None:
        values = [
            {"Call_Channel_vod__c": "Email_vod"},
            {"Status_vod__c": "Saved_vod"},
            {"Call_Date_vod__c": "1999-01-01"},
        ]
        self.change('"Id" = ?', call, self.random.choice(values), object_name=CALL)
        self.expected[self.get_uid(call)] = "differs"

    def move_call(self, call: str) -> None:
        place = get_place(Activity.objects.get(crm_id=call))
        wrong = self.accounts[(place + self.random.randrange(1, PEOPLE)) % PEOPLE]
        self.change('"Id" = ?', call, {"Account_vod__c": wrong}, object_name=CALL)
        self.expected[self.get_uid(call)] = "differs"

    def delete_call(self, call: str) -> None:
        self.change('"Id" = ?', call, {"IsDeleted": 1}, object_name=CALL)
        self.expected[self.get_uid(call)] = "deleted_on_one_side"

    def purge_call(self, call: str) -> None:
        # As any deletion, it is listed with its time.
        stamp = self.world.crm.organisation.stamp()
        self.change('"Id" = ?', call, {"IsDeleted": 1, "LastModifiedDate": stamp}, object_name=CALL)
        self.execute(f'DELETE FROM "{CALL}" WHERE "Id" = ?', call)
        self.expected[self.get_uid(call)] = "deleted_on_one_side"

    def double_activity(self, call: str) -> None:
        double = Activity.objects.get(crm_id=call)
        unknown = build_id(key_prefix="a00", pod="Zz9", number=self.random.randrange(10**9))
        double.pk, double.uid, double.crm_id = None, Activity._meta.get_field("uid").get_default(), unknown
        with allow_record_writes():
            Activity.objects.bulk_create([double])
        self.expected[str(double.uid)] = "orphaned"

    def undelete_call(self, call: str) -> None:
        self.change('"Id" = ?', call, {"IsDeleted": 0}, object_name=CALL)
        self.expected[self.get_uid(call)] = "deleted_on_one_side"

    def revive_activity(self, call: str) -> None:
        self.change_here({"crm_id": call}, {"status": RecordStatus.ACTIVE})
        self.expected[self.get_uid(call)] = "deleted_on_one_side"

    # -- Behind everybody's back ----------------------------------------------------------------------

    def change(self, where: str, value: str, values: dict[str, Any], *, object_name: str = OBJECT) -> None:
        columns = ", ".join(f'"{name}" = ?' for name in values)
        self.execute(f'UPDATE "{object_name}" SET {columns} WHERE {where}', *values.values(), value)

    def execute(self, statement: str, *parameters: Any) -> None:
        assert self.world.crm.organisation.database.execute(statement, parameters) == 1, (statement, parameters)

    def change_here(self, which: dict[str, Any], values: dict[str, Any]) -> None:
        with allow_record_writes():
            assert Activity.objects.filter(**which).update(**values) == 1

    def get_uid(self, call: str) -> str:
        return str(Activity.objects.values_list("uid", flat=True).get(crm_id=call))


def get_place(activity: Activity) -> int:
    """Return the place of the activity's person among the people, which is that of the account too."""
    return int(str(activity.person.external_id)[-6:])
