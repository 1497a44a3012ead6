"""After edits, deletions, transfers and faults in any order, two runs without faults make both sides agree."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity
from connections.choices import IntegrationKind, Pace
from connections.models import FieldRule
from crm_sync.choices import RecordWord
from crm_sync.live.waking import start_live, wake
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person, StudyPerson, StudySite
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.clocks import SteppedClock
from tests.crm_sync.preview.conftest import check_prediction
from tests.crm_sync.reconciliation.conftest import list_words, reconcile_world, repair_all
from tests.crm_sync.world import World, build_world
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyPersonFactory, StudySiteFactory

pytestmark = pytest.mark.both_databases

# `make soak` tells new stories for as long as one likes. On PostgreSQL, statements and locks are what is new in them.
EXAMPLES = {"sqlite": 15, "postgresql": 5}
MOST_FOLLOWING = 10
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
    """A random sequence of events, and the parts of its history on which the end state depends."""

    world: World
    dice: random.Random
    people: list[Person] = field(default_factory=list)
    accounts: dict[int, str] = field(default_factory=dict)
    # Interactions that a CRM user deleted, by external id, and external ids of activities that a Vault user deleted.
    deleted_in_crm: dict[str, str] = field(default_factory=dict)
    deleted_in_vault: set[str] = field(default_factory=set)
    # The account of each call.
    calls: dict[str, str] = field(default_factory=dict)
    deleted_calls: set[str] = field(default_factory=set)
    purged: set[str] = field(default_factory=set)
    refused_calls: set[str] = field(default_factory=set)
    clock: SteppedClock = field(default_factory=SteppedClock)
    # The latest time that the CRM's clock showed.
    latest: datetime = field(default_factory=lambda: datetime.now(UTC))

    def choose(self, options: list[Any]) -> Any:
        return self.dice.choice(options) if options else None

    # -- What people do ---------------------------------------------------------------------------

    def add_person(self) -> None:
        number = len(self.people)
        self.people.append(PersonFactory.create(external_id=f"Story-{number}"))
        site = StudySite.objects.first() or StudySiteFactory.create()
        StudyPersonFactory.create(person=self.people[-1], site=site, study=site.study)

    def add_account(self) -> None:
        without = [number for number in range(len(self.people)) if number not in self.accounts]
        if without:
            (self.accounts[without[0]],) = self.world.add_accounts([self.people[without[0]]])

    def log_activity(self) -> None:
        person = self.choose(self.people)
        if person is not None:
            ActivityFactory.create(
                person=person,
                subject=f"Visit {self.dice.randrange(1000)}",
                site=self.dice.choice([None, StudySite.objects.first()]),
                date=datetime.now(UTC).date() + timedelta(days=self.dice.randint(-2, 2)),
                complete=self.dice.choice([False, True]),
            )

    def edit_activity(self) -> None:
        activity = self.choose(list(Activity.objects.filter(crm_id="")))
        if activity is not None:
            activity.subject = f"Edited {self.dice.randrange(1000)}"
            activity.complete = self.dice.choice([False, True])
            save_record(record=activity, actor=build_admin_actor())

    def delete_activity(self) -> None:
        activity = self.choose(list(Activity.objects.filter(crm_id="")))
        if activity is not None:
            self.deleted_in_vault.add(str(activity.uid))
            delete_record(record=activity, actor=build_admin_actor())

    def delete_interaction(self) -> None:
        row = self.choose(self.world.list_interactions())
        if row is not None:
            self.deleted_in_crm[row["Vault_External_ID_vod__c"]] = row["Id"]
            self.world.delete_in_crm(INTERACTION, row["Id"])

    def add_call(self) -> None:
        if self.accounts:
            number = self.choose(list(self.accounts))
            (call,) = self.world.add_calls([self.accounts[number]])
            self.calls[call] = self.accounts[number]

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

    # -- What the CRM does not tell ---------------------------------------------------------------

    def purge(self) -> None:
        deleted = {*self.deleted_calls, *self.deleted_in_crm.values()} - self.purged
        crm_id = self.choose(sorted(deleted))
        if crm_id is not None:
            self.world.purge_in_crm(crm_id)
            self.purged.add(crm_id)

    def undelete_call(self) -> None:
        call = self.choose(sorted(self.deleted_calls - self.purged))
        if call is not None:
            self.world.undelete_in_crm(call)
            self.deleted_calls.remove(call)

    def undelete_interaction(self) -> None:
        deleted = [(uid, crm_id) for uid, crm_id in self.deleted_in_crm.items() if crm_id not in self.purged]
        chosen = self.choose(deleted)
        if chosen is not None:
            self.world.undelete_in_crm(chosen[1])
            del self.deleted_in_crm[chosen[0]]

    # -- Identities -------------------------------------------------------------------------------

    def choose_two(self) -> tuple[int, int] | None:
        """Two persons who have an account."""
        if len(self.accounts) < 2:
            return None
        first, second = self.dice.sample(sorted(self.accounts), 2)
        return first, second

    def exchange(self, first: int, second: int) -> None:
        self.accounts[first], self.accounts[second] = self.accounts[second], self.accounts[first]

    def exchange_identifiers_in_crm(self) -> None:
        if (chosen := self.choose_two()) is not None:
            first, second = (self.accounts[number] for number in chosen)
            identifiers = [self.people[number].external_id for number in chosen]
            for account, value in ((first, "in between"), (second, identifiers[0]), (first, identifiers[1])):
                self.world.change_in_crm("Account", account, External_ID_vod__c=value)
            self.exchange(*chosen)

    def exchange_identifiers_in_vault(self) -> None:
        if (chosen := self.choose_two()) is not None:
            first, second = (self.people[number] for number in chosen)
            identifiers = first.external_id, second.external_id
            for person, value in ((first, "in between"), (second, identifiers[0]), (first, identifiers[1])):
                person.external_id = value
                save_record(record=person, actor=build_admin_actor())
            self.exchange(*chosen)

    def merge_accounts(self) -> None:
        """The second account goes into the first, and its person gets another one."""
        if (chosen := self.choose_two()) is not None:
            master, loser = (self.accounts[number] for number in chosen)
            self.world.merge_accounts(master, loser)
            (self.accounts[chosen[1]],) = self.world.add_accounts([self.people[chosen[1]]])
            self.calls = {call: master if account == loser else account for call, account in self.calls.items()}

    # -- Clocks and rules -------------------------------------------------------------------------

    def set_clocks(self) -> None:
        """The clocks of both sides go ahead or back, and a run sees it."""
        self.note_latest()
        self.clock.step(hours=self.dice.choice([-5, -1, 2, 26]))
        self.world.transfer()
        self.work()

    def set_crm_clock(self) -> None:
        """That of the CRM alone goes ahead or back, and a run sees it."""
        self.note_latest()
        self.world.crm.misbehaviour.clock_skew_seconds = self.dice.choice([-7200.0, 0.0, 7200.0])
        self.world.transfer()
        self.work()

    def note_latest(self) -> None:
        skew = timedelta(seconds=self.world.crm.misbehaviour.clock_skew_seconds or 0)
        self.latest = max(self.latest, datetime.now(UTC) + skew)

    def change_rules(self) -> None:
        rule = FieldRule.objects.get(
            rule__integration__connection=self.world.connection,
            rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
            target="From_vod__c",
        )
        is_active = rule.status == RecordStatus.ACTIVE
        rule.status = RecordStatus.INACTIVE if is_active else RecordStatus.ACTIVE
        save_record(record=rule, actor=build_admin_actor())

    # -- What the machine does --------------------------------------------------------------------

    def transfer(self) -> None:
        """A transfer does what a preview says."""
        check_prediction(self.world)
        self.work()

    def transfer_through_a_fault(self) -> None:
        self.misbehave()
        self.world.transfer()
        self.behave()
        self.work()

    def misbehave(self) -> None:
        match = {"nth": self.dice.randint(1, 6), "count": self.dice.choice([1, 2, 50])}
        self.world.crm.misbehaviour.add_rule(match=match, effect=self.dice.choice(FAULTS))

    def behave(self) -> None:
        self.note_latest()
        self.world.crm.misbehaviour.clear()

    def go_on_as_it_happens(self) -> None:
        """After an event comes a message, or it is lost, or a tick comes; perhaps through a fault."""
        has_fault = self.dice.random() < 0.2
        if has_fault:
            self.misbehave()
        happenings: list[Callable[[], int]] = [wake, wake, start_live, lambda: 0]
        self.dice.choice(happenings)()
        self.work()
        if has_fault:
            self.behave()

    def work(self) -> None:
        """Execute what is queued, and what follows it, as workers do."""
        for _ in range(MOST_FOLLOWING):
            queued = JobRun.objects.filter(state=RunState.QUEUED).order_by("pk").first()
            if queued is None:
                return
            execute_run(queued.pk)
        raise AssertionError("Runs follow each other without end.")

    # -- What has to hold in the end --------------------------------------------------------------

    def check(self) -> None:
        # What the CRM deleted at a time that its clock has yet to reach, it lists when the clock is there.
        self.clock.set(max(self.latest, datetime.now(UTC)) + timedelta(minutes=1))
        for _ in range(2):
            self.transfer()
        self.check_interactions()
        self.check_calls()
        self.check_reconciliation()
        # Last and next contact of the site and of all roles are those that the activities give.
        assert rebuild_contacts() == {StudySite.object_name: 0, StudyPerson.object_name: 0}
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
                number = next(number for number, account in self.accounts.items() if account == self.calls[call])
                assert activity.person == self.people[number]

    def check_reconciliation(self) -> None:
        """The product's own proof says the same."""
        found = reconcile_world(self.world)
        # No run has an occasion to notice that a CRM user deleted what nobody changes here.
        assert set(list_words(found).values()) <= {RecordWord.DELETED_ON_ONE_SIDE}, list(found.differences.values())
        repair_all(self.world, found)
        assert reconcile_world(self.world).unexplained == 0

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
    Story.purge,
    Story.undelete_call,
    Story.undelete_interaction,
    Story.exchange_identifiers_in_crm,
    Story.exchange_identifiers_in_vault,
    Story.merge_accounts,
    Story.set_clocks,
    Story.set_crm_clock,
    Story.change_rules,
    Story.transfer,
    Story.transfer,
    Story.transfer_through_a_fault,
    Story.transfer_through_a_fault,
)


@contextmanager
def forget_afterwards() -> Iterator[None]:
    """Roll back the block's changes, so that each example begins with an empty Vault."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("pace", list(Pace))
@pytest.mark.django_db
@hypothesis_settings(
    max_examples=int(os.environ.get("SOAK_EXAMPLES") or EXAMPLES[database.vendor]),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(events=st.lists(st.sampled_from(range(len(EVENTS))), min_size=5, max_size=30), seed=st.integers(0, 2**16))
def test_both_sides_agree_in_the_end_whatever_happened_in_between(
    settings: Any, pace: Pace, events: list[int], seed: int
) -> None:
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 2
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox, forget_afterwards():
        story = Story(world=build_world(crm=sandbox["na"]), dice=random.Random(seed))  # noqa: S311
        story.world.connection.pace = pace
        save_record(record=story.world.connection, actor=build_admin_actor())
        try:
            for prepare in (Story.add_person, Story.add_account, Story.log_activity, Story.add_call):
                prepare(story)
            for event in events:
                EVENTS[event](story)
                if pace == Pace.AS_IT_HAPPENS:
                    story.go_on_as_it_happens()
            story.note_latest()
            story.world.crm.misbehaviour.clear()
            story.check()
        finally:
            story.clock.stop()
    if log := os.environ.get("SOAK_STEPS"):
        with Path(log).open("a", encoding="ascii") as steps:
            steps.write(f"{len(events)}\n")
