"""The story that the Vault tells of each record is the one that the CRM's own log tells, whatever went wrong.

The Vault's story of a record are its `TransferAttempt` rows in order; the CRM's is what the sandbox's log says that
calls did to it (`RequestLog.list_written`). For each run and record both are equal, in order, outcome, error code, CRM
id and values (those of refused attempts stand in their exception item), once is left out what nobody could know, or
what was taken back:

- a write whose answer did not arrive: the client repeated it, or the run ended and said so;
- a refusal for a passing reason, such as a locked row, if the repetition of its call sent the record again;
- of a process that died, the calls whose batch was not written down: all records of a call, or none.

What is left out is made good: a later attempt of the record is told, or the CRM has deleted the record since. So the
last told values of each record are those that the CRM has in the end.

A call that is received is told once for each state that a run found: created, then updated or deleted, with the values
that the CRM had when the run read it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.choices import AttemptOutcome, IntegrationRunState, LinkState
from crm_sync.engine.outbound import batches, selection
from crm_sync.engine.outbound import run as outbound_run
from crm_sync.engine.run_session import IntegrationSession
from crm_sync.models import IntegrationRun, TransferAttempt, TransferLink
from crm_sync.salesforce.responses import RETRYABLE_CODES
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import dispatch_due, execute_run
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.jobs.handlers import let_leases_run_out
from tests.reliability.mortality import Mortal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crm_sync.sandbox.request_log import LogEntry, WrittenRecord
    from tests.crm_sync.world import World

pytestmark = pytest.mark.both_databases

OUT, INTO = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND
CALL, INTERACTION = "Call2_vod__c", "Vault_Clinical_Interaction_vod__c"
KEY = "Vault_External_ID_vod__c"
CHANNELS = {"Phone_vod": "phone__v", "Video_vod": "video__v"}

Telling = tuple[str, str, str, dict[str, Any]]
Written = tuple["LogEntry", "WrittenRecord"]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    for module in (outbound_run, selection):
        monkeypatch.setattr(module, "BATCH", 2)
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 3


@dataclass(slots=True)
class Stage:
    """A world in which things happen at random, and what its CRM's log and the Vault said of each run."""

    world: World
    dice: random.Random
    people: list[Person] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)
    # By record: writes of the CRM that were not told, as numbers of the runs in which they happened.
    untold: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # By call: the state last told.
    received: dict[str, Telling] = field(default_factory=dict)
    known: int = 0

    # -- What people do ---------------------------------------------------------------------------

    def begin(self) -> None:
        self.people = PersonFactory.create_batch(3)
        found = self.world.add_accounts(self.people)
        self.accounts = {account: str(person.external_id) for account, person in zip(found, self.people, strict=True)}
        site = StudySiteFactory.create()
        for person in self.people:
            ActivityFactory.create(person=person, site=site)
        self.add_call()

    def add_call(self) -> None:
        self.world.add_calls([self.dice.choice(list(self.accounts))])

    def work(self) -> None:
        """New, changed and deleted activities, one that the CRM refuses, and calls."""
        for _ in range(self.dice.randint(1, 4)):
            ActivityFactory.create(person=self.dice.choice(self.people))
        mine = list(Activity.objects.filter(crm_id="").order_by("pk"))
        for activity in self.dice.sample(mine, min(3, len(mine))):
            activity.subject = self.dice.choice([f"Edited {self.dice.random()}", "x" * 300])
            save_record(record=activity, actor=build_admin_actor())
        delete_record(record=self.dice.choice(mine), actor=build_admin_actor())
        self.work_in_crm()

    def work_in_crm(self) -> None:
        self.add_call()
        calls = self.world.crm.organisation.list_records(object_name=CALL)
        changed, deleted = self.dice.choice(calls), self.dice.choice(calls)
        values = {
            "Status_vod__c": self.dice.choice(["Planned_vod", "Submitted_vod"]),
            "Call_Channel_vod__c": self.dice.choice(list(CHANNELS)),
        }
        self.world.change_in_crm(CALL, changed["Id"], **values)
        if self.dice.random() < 0.3:
            self.world.delete_in_crm(CALL, deleted["Id"])
        interactions = self.world.list_interactions()
        if interactions and self.dice.random() < 0.3:
            self.world.delete_in_crm(INTERACTION, self.dice.choice(interactions)["Id"])

    # -- How runs go ------------------------------------------------------------------------------

    def run(self) -> None:
        self.compare(self.world.transfer())

    def run_through(self, effect: dict[str, Any], *, nth: int = 0, count: int = 1, method: str = "PATCH") -> None:
        """Run while calls of a method go wrong, from the nth on or from one of the first."""
        match = {"method": method, "nth": nth or self.dice.randint(1, 3), "count": count}
        self.world.misbehave(match=match, effect=effect)
        self.run()
        self.world.crm.misbehaviour.clear()

    def lose_answers(self) -> None:
        self.run_through({"drop": "after"})

    def lose_every_answer(self) -> None:
        self.run_through({"drop": "after"}, nth=1, count=50)

    def be_unavailable(self) -> None:
        self.run_through({"status": 503}, count=2)

    def expire_sessions(self) -> None:
        self.run_through({"expire_sessions": True})

    def expire_sessions_while_reading(self) -> None:
        self.run_through({"expire_sessions": True}, method="GET")

    def lock_rows(self) -> None:
        self.refuse_rows("UNABLE_TO_LOCK_ROW", count=1)

    def lock_rows_for_long(self) -> None:
        self.refuse_rows("UNABLE_TO_LOCK_ROW", count=50)

    def reject_rows(self) -> None:
        self.refuse_rows("FIELD_CUSTOM_VALIDATION_EXCEPTION", count=50)

    def refuse_rows(self, code: str, *, count: int) -> None:
        uids = Activity.objects.filter(crm_id="").order_by("pk").values_list("uid", flat=True)
        every_other = uids[1::2]  # by their order, and not by what was drawn: a seed tells the same story each time
        match = {"method": "PATCH", "object": INTERACTION, "count": count}
        self.world.misbehave(match=match, effect={"row_errors": {str(uid): code for uid in every_other}})
        self.run()
        self.world.crm.misbehaviour.clear()

    def be_cancelled(self) -> None:
        """Cancel the run when the links of its second batch are about to be written."""
        written: list[int] = []
        original = batches.write_links

        def write_links(session: Any, links: Any, **counted: Any) -> None:
            written.append(len(links))
            running = JobRun.objects.filter(state=RunState.RUNNING).first()
            if len(written) == 2 and running is not None:
                cancel_run(run=running, actor=build_admin_actor())
            original(session, links, **counted)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbound_run, "write_links", write_links)
            self.run()

    def be_killed(self) -> None:
        """Kill the process between a call that wrote and the commit of its links; then another takes over."""
        mortal = _Assassinated(wait=self.dice.randint(1, 3))
        with mortal.live():
            self.world.transfer()
        run = JobRun.objects.latest("pk")
        self.compare(run, has_died=mortal.is_dead)
        let_leases_run_out()
        tick = Mortal()
        with tick.live():
            dispatch_due()
        for run_id in tick.messages:
            finished = execute_run(run_id)
            if finished is not None:
                self.compare(finished)

    # -- What has to hold after each run ----------------------------------------------------------

    def compare(self, run: JobRun, *, has_died: bool = False) -> None:
        written = self.world.crm.request_log.list_written()
        written, self.known = written[self.known :], len(written)
        attempts: dict[str, list[TransferAttempt]] = defaultdict(list)
        for attempt in TransferAttempt.objects.filter(run=run).exclude(integration__kind=INTO).order_by("id"):
            attempts[str(attempt.record_uid)].append(attempt)
        stories: dict[str, list[Written]] = defaultdict(list)
        for entry, record in written:
            if record.object_name not in {CALL, "Account"} and record.outcome != "deleted":
                stories[record.external_id].append((entry, record))
        assert set(attempts) <= set(stories), "a record is told of that no call wrote"
        silent_calls: dict[int, set[bool]] = defaultdict(set)
        for uid, story in stories.items():
            told = [tell_attempt(attempt) for attempt in attempts[uid]]
            heard = list(leave_out_passing(story))
            if has_died:
                for entry, _ in heard:
                    silent_calls[id(entry)].add(not told)
                heard = heard if told else []
            assert told == [tell_written(record, attempt=told[n : n + 1]) for n, (_, record) in enumerate(heard)], uid
            committed = [number for number, (_, record) in enumerate(story) if record.outcome != "refused"]
            if committed and (not heard or heard[-1] is not story[committed[-1]]):
                self.untold[uid].append(run.pk)
        assert all(len(is_silent) == 1 for is_silent in silent_calls.values()), "of one call, some were told of"
        self.compare_received(run, has_died=has_died)

    def compare_received(self, run: JobRun, *, has_died: bool) -> None:
        part = IntegrationRun.objects.filter(run=run, integration__kind=INTO).first()
        done = {IntegrationRunState.SUCCEEDED, IntegrationRunState.WITH_EXCEPTIONS}
        is_complete = part is not None and part.state in done and not has_died
        rows = self.world.crm.organisation.list_records(object_name=CALL, include_deleted=True)
        attempts: dict[str, list[TransferAttempt]] = defaultdict(list)
        for attempt in TransferAttempt.objects.filter(run=run, integration__kind=INTO).order_by("id"):
            attempts[attempt.crm_id].append(attempt)
        assert set(attempts) <= {row["Id"] for row in rows}
        for row in rows:
            before = self.received.get(row["Id"])
            state = self.describe_call(row, is_known=before is not None)
            is_news = state is not None and (before is None or state[3] != before[3])
            told = [tell_received(attempt) for attempt in attempts[row["Id"]]]
            if is_news and (is_complete or told):
                assert told == [state]
                self.received[row["Id"]] = told[0]
            else:
                assert told == []

    def describe_call(self, row: dict[str, Any], *, is_known: bool) -> Telling | None:
        """Return what is to be told of a call as it is now; None if it was deleted before it was ever received."""
        if row["IsDeleted"]:
            return ("deleted", "", row["Id"], {"status": "inactive__v"}) if is_known else None
        values = {
            "channel": CHANNELS[row["Call_Channel_vod__c"]],
            "complete": row["Status_vod__c"] == "Submitted_vod",
            "person": self.accounts[row["Account_vod__c"]],
        }
        return ("updated" if is_known else "created", "", row["Id"], values)

    # -- What has to hold in the end --------------------------------------------------------------

    def end(self) -> None:
        for _ in range(2):
            self.run()
        links = {str(link.record_uid): link for link in TransferLink.objects.exclude(integration__kind=INTO)}
        for uid, runs in self.untold.items():
            later = TransferAttempt.objects.filter(record_uid=uid, run__gt=runs[-1]).exclude(outcome="refused")
            assert later.exists() or links[uid].state == LinkState.DELETED_IN_CRM, uid
        for row in self.world.list_interactions():
            last: dict[str, Any] = {}
            attempts = TransferAttempt.objects.filter(record_uid=row[KEY]).exclude(outcome=AttemptOutcome.REFUSED)
            for attempt in attempts.order_by("id"):
                last |= attempt.values
            shown = {name: value for name, value in last.items() if not isinstance(value, dict)}
            assert {name: row[name] for name in shown} == shown


class _Assassinated(Mortal):
    """A process that dies at the first commit after it has had so many answers to calls that write."""

    def __init__(self, *, wait: int) -> None:
        super().__init__()
        self._wait = wait

    @property
    def is_dead(self) -> bool:
        return self._is_dead

    def reach(self, step: str) -> None:
        if step.startswith("after PATCH"):
            self._wait -= 1
        if self._wait <= 0 and step == "before a commit":
            self._dies_at = len(self.steps) + 1
        super().reach(step)


def leave_out_passing(story: list[Written]) -> Iterable[Written]:
    """Yield what the client was told of a record in one run, without what a repetition took back."""
    for number, (entry, record) in enumerate(story):
        follower = story[number + 1][1] if number + 1 < len(story) else None
        is_repeated = follower is not None and follower.values == record.values
        if entry.status != 200 or (record.error_code in RETRYABLE_CODES and is_repeated):
            continue
        yield story[number]


def tell_written(record: WrittenRecord, *, attempt: list[Telling]) -> Telling:
    """Return a write as an attempt tells it. That a record is shown as deleted is an update for the CRM."""
    values = {name: value for name, value in record.values.items() if name not in {KEY, "id"}}
    outcome = record.outcome
    if outcome == "refused":
        values = {}
    elif outcome == "updated" and attempt and attempt[0][0] == "deleted":
        assert any("Deleted" in str(value) for value in values.values())
        outcome = "deleted"
    return outcome, record.error_code, record.id, values


def tell_attempt(attempt: TransferAttempt) -> Telling:
    return attempt.outcome, attempt.error_code, attempt.crm_id, attempt.values


def tell_received(attempt: TransferAttempt) -> Telling:
    wanted = {"channel", "complete", "person", "status"}
    values = {name: value for name, value in attempt.values.items() if name in wanted}
    return attempt.outcome, attempt.error_code, attempt.crm_id, values


FAULTS: tuple[Callable[[Stage], None], ...] = (
    Stage.lose_answers,
    Stage.lose_every_answer,
    Stage.be_unavailable,
    Stage.expire_sessions,
    Stage.expire_sessions_while_reading,
    Stage.lock_rows,
    Stage.lock_rows_for_long,
    Stage.reject_rows,
    Stage.be_cancelled,
    Stage.be_killed,
    Stage.be_killed,
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_story_of_each_record_is_that_of_the_crms_own_log(world: World, seed: int) -> None:
    stage = Stage(world=world, dice=random.Random(seed))  # noqa: S311  repeatable, not secret
    stage.begin()
    faults = list(FAULTS)
    stage.dice.shuffle(faults)
    for fault in faults:
        stage.work()
        fault(stage)
    stage.work()
    stage.end()
    # All of it happened: each outcome, writes that could not be told at once, and each way in which a run can end.
    assert set(TransferAttempt.objects.values_list("outcome", flat=True)) == set(AttemptOutcome)
    assert stage.untold
    ended = {RunState.SUCCEEDED, RunState.WITH_EXCEPTIONS, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED}
    assert set(JobRun.objects.values_list("state", flat=True)) >= ended - {RunState.SUCCEEDED}


def test_an_attempt_that_is_not_kept_is_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(world=world, dice=random.Random(1))  # noqa: S311  repeatable, not secret
    stage.begin()
    original = IntegrationSession.write_attempts
    dropped: list[dict[str, Any]] = []

    def write_all_but_one(session: IntegrationSession) -> None:
        if session._attempts and not dropped:
            dropped.append(session._attempts.pop())
        original(session)

    monkeypatch.setattr(IntegrationSession, "write_attempts", write_all_but_one)
    with pytest.raises(AssertionError) as raised:
        stage.run()
    assert str(dropped[0]["record_uid"]) in str(raised.value)
