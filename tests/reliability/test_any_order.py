"""Edits and deletions on both sides, transfers and faults in any order; then the faults stop and two runs complete."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from activities.models import Activity
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.sandbox.running import RunningSandbox
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from tests.crm_sync.world import World, build_world
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

INTERACTION = "Vault_Clinical_Interaction_vod__c"
CALL = "Call2_vod__c"

FAULTS: tuple[dict[str, Any], ...] = (
    {"drop": "before"},
    {"drop": "after"},
    {"status": 503},
    {"status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED"},
    {"html": True},
    {"expire_sessions": True},
    {"page_size": 1},
)


@dataclass(slots=True)
class Story:
    """What happened so far, as far as the end depends on it."""

    world: World
    dice: random.Random
    people: list[Person] = field(default_factory=list)
    accounts: dict[int, str] = field(default_factory=dict)
    # External ids of interactions that a CRM user deleted, of activities that a Vault user deleted.
    deleted_in_crm: set[str] = field(default_factory=set)
    deleted_in_vault: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    deleted_calls: set[str] = field(default_factory=set)
    refused_calls: set[str] = field(default_factory=set)

    def choose(self, options: list[Any]) -> Any:
        return self.dice.choice(options) if options else None

    # -- What people do ---------------------------------------------------------------------------

    def add_person(self) -> None:
        number = len(self.people)
        self.people.append(PersonFactory.create(external_id=f"Story-{number}"))

    def add_account(self) -> None:
        without = [number for number in range(len(self.people)) if number not in self.accounts]
        if without:
            (self.accounts[without[0]],) = self.world.add_accounts([self.people[without[0]]])

    def log_activity(self) -> None:
        person = self.choose(self.people)
        if person is not None:
            ActivityFactory.create(person=person, subject=f"Visit {self.dice.randrange(1000)}")

    def edit_activity(self) -> None:
        activity = self.choose(list(Activity.objects.filter(crm_id="")))
        if activity is not None:
            activity.subject = f"Edited {self.dice.randrange(1000)}"
            save_record(record=activity, actor=build_admin_actor())

    def delete_activity(self) -> None:
        activity = self.choose(list(Activity.objects.filter(crm_id="")))
        if activity is not None:
            self.deleted_in_vault.add(str(activity.uid))
            delete_record(record=activity, actor=build_admin_actor())

    def delete_interaction(self) -> None:
        row = self.choose(self.world.list_interactions())
        if row is not None:
            self.deleted_in_crm.add(row["Vault_External_ID_vod__c"])
            self.world.delete_in_crm(INTERACTION, row["Id"])

    def add_call(self) -> None:
        if self.accounts:
            number = self.choose(list(self.accounts))
            (call,) = self.world.add_calls([self.accounts[number]])
            self.calls[call] = number

    def edit_call(self) -> None:
        call = self.choose([call for call in self.calls if call not in self.deleted_calls])
        if call is not None:
            status = self.dice.choice(["Planned_vod", "Saved_vod", "Submitted_vod"])
            self.world.change_in_crm(CALL, call, Status_vod__c=status)

    def delete_call(self) -> None:
        call = self.choose([call for call in self.calls if call not in self.deleted_calls])
        if call is not None:
            self.world.delete_in_crm(CALL, call)
            self.deleted_calls.add(call)

    def delete_medical_activity(self) -> None:
        activity = self.choose(list(Activity.objects.exclude(crm_id="")))
        if activity is not None:
            self.refused_calls.add(activity.crm_id)
            delete_record(record=activity, actor=build_admin_actor())

    # -- What the machine does --------------------------------------------------------------------

    def transfer(self) -> None:
        self.world.transfer()

    def transfer_through_a_fault(self) -> None:
        match = {"nth": self.dice.randint(1, 6), "count": self.dice.choice([1, 2, 50])}
        self.world.crm.misbehaviour.add_rule(match=match, effect=self.dice.choice(FAULTS))
        self.world.transfer()
        self.world.crm.misbehaviour.clear()

    # -- What has to hold in the end --------------------------------------------------------------

    def check(self) -> None:
        for _ in range(2):
            self.world.transfer()
        self.check_interactions()
        self.check_calls()
        for part in IntegrationRun.objects.all():
            assert part.selected == part.sent + part.received + part.unchanged + part.failed + part.blocked
        waiting = {str(a.uid) for a in Activity.objects.filter(crm_id="") if not self.has_account(a)}
        assert {str(item.record_uid) for item in self.world.list_exceptions()} == waiting
        assert {str(link.record_uid) for link in TransferLink.objects.filter(pending=True)} == waiting

    def check_interactions(self) -> None:
        rows = self.world.list_interactions()
        shown = {row["Vault_External_ID_vod__c"]: row for row in rows}
        assert len(shown) == len(rows), "an external id is there twice"
        expected = {
            str(activity.uid): (activity.subject, self.accounts[self.number_of(activity)])
            for activity in Activity.objects.filter(crm_id="")
            if self.has_account(activity) and str(activity.uid) not in self.deleted_in_crm
        }
        live = {uid: row for uid, row in shown.items() if uid not in self.deleted_in_vault}
        assert {uid: (row["Subject_vod__c"], row["Account_vod__c"]) for uid, row in live.items()} == expected
        gone = [row["Subject_vod__c"] for uid, row in shown.items() if uid in self.deleted_in_vault]
        assert [subject for subject in gone if subject.count("Deleted") != 1 or not subject.endswith(" Deleted")] == []

    def check_calls(self) -> None:
        medical = {activity.crm_id: activity for activity in Activity.objects.exclude(crm_id="")}
        assert {call for call in self.calls if call not in self.deleted_calls} - self.refused_calls <= set(medical)
        assert set(medical) & self.refused_calls == set()
        crm = {row["Id"]: row for row in self.world.crm.organisation.list_records(object_name=CALL)}
        for call, activity in medical.items():
            if call in self.deleted_calls:
                assert activity.status == RecordStatus.INACTIVE
            else:
                assert activity.status == RecordStatus.ACTIVE
                assert activity.complete == (crm[call]["Status_vod__c"] == "Submitted_vod")
                assert activity.person == self.people[self.calls[call]]

    def number_of(self, activity: Activity) -> int:
        return next(number for number, person in enumerate(self.people) if person.pk == activity.person_id)

    def has_account(self, activity: Activity) -> bool:
        return self.number_of(activity) in self.accounts


EVENTS: tuple[Callable[[Story], None], ...] = (
    Story.add_person,
    Story.add_account,
    Story.log_activity,
    Story.edit_activity,
    Story.delete_activity,
    Story.delete_interaction,
    Story.add_call,
    Story.edit_call,
    Story.delete_call,
    Story.delete_medical_activity,
    Story.transfer,
    Story.transfer_through_a_fault,
    Story.transfer_through_a_fault,
)


@contextmanager
def forget_afterwards() -> Iterator[None]:
    """Each example begins with an empty Vault."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(events=st.lists(st.sampled_from(range(len(EVENTS))), min_size=5, max_size=30), seed=st.integers(0, 2**16))
def test_both_sides_agree_in_the_end_whatever_happened_in_between(settings: Any, events: list[int], seed: int) -> None:
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 2
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox, forget_afterwards():
        story = Story(world=build_world(crm=sandbox["na"]), dice=random.Random(seed))  # noqa: S311
        for prepare in (Story.add_person, Story.add_account, Story.log_activity, Story.add_call):
            prepare(story)
        for event in events:
            EVENTS[event](story)
        story.check()
