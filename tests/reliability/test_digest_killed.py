"""When the process that sends daily digests dies at any step, nobody gets two, and nobody is forgotten in silence."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from ctms.accounts.models import User
from ctms.core.models import allow_record_writes
from ctms.jobs.choices import UNFINISHED_STATES
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import dispatch_due, execute_run, start_now
from ctms.reports.choices import MailState
from ctms.reports.digest.units import DIGEST_JOB_KEY
from ctms.reports.models import DigestMail
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory
from tests.reliability.generator_stage import let_time_pass
from tests.reliability.mortality import Mortal
from tests.reliability.snapshots import take_vault_snapshot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

NOON = dt.datetime(2027, 3, 10, 12, tzinfo=dt.UTC)
FEWEST_STEPS = 20


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def users(transactional_db: None) -> list[User]:
    """Two users with something that is due."""
    with allow_record_writes():
        JobDefinition.objects.filter(key=DIGEST_JOB_KEY).update(created_at=NOON - dt.timedelta(days=30))
    users = [UserFactory.create(is_superuser=True, digest_hour=7) for _ in range(2)]
    for each in users:
        site = StudySiteFactory.create(owner=each)
        ActivityFactory.create(study=site.study, site=site, date=NOON.date(), complete=False)
    return users


def work(process: Mortal) -> None:
    """Start a run, and execute it as a worker does."""
    start_now(definition=JobDefinition.objects.get(key=DIGEST_JOB_KEY), user=None)
    for run_id in process.messages:
        execute_run(run_id)


def heal(messages: list[int]) -> None:
    """Do what happens without users: messages arrive again, the lease expires, ticks come."""
    for run_id in messages:
        execute_run(run_id)
    let_time_pass()
    for _ in range(2):
        tick = Mortal()
        with tick.live():
            dispatch_due()
            if not tick.messages and not JobRun.objects.filter(state__in=UNFINISHED_STATES).exists():
                start_now(definition=JobDefinition.objects.get(key=DIGEST_JOB_KEY), user=None)
        for run_id in tick.messages:
            execute_run(run_id)


def test_wherever_the_process_dies_each_user_gets_one_at_most_and_what_is_unclear_is_said(
    users: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: Counter[str] = Counter()
    process = Mortal()

    def send(*, to: list[str], **_values: Any) -> None:
        process.reach("before an e-mail")
        sent[to[0]] += 1
        process.reach("after an e-mail")

    monkeypatch.setattr("ctms.reports.digest.delivery.send_mail", send)
    restore = take_vault_snapshot()
    with process.live():
        work(process)
    steps = process.steps
    assert len(steps) >= FEWEST_STEPS
    assert sent == {each.email: 1 for each in users}
    problems: dict[str, Any] = {}
    states: Counter[str] = Counter()
    for number, step in enumerate(steps, start=1):
        restore()
        sent.clear()
        process = Mortal(dies_at=number)
        with process.live():
            work(process)
        messages, process = process.messages, Mortal()
        heal(messages)
        found = {each.user.email: each.state for each in DigestMail.objects.select_related("user")}
        states.update(found.values())
        for each in users:
            state, count = found.get(each.email), sent[each.email]
            if not (state == MailState.SENT and count == 1) and not (state == MailState.UNCLEAR and count <= 1):
                problems[f"{number}, {step}: {each.username}"] = (state, count)
    assert problems == {}
    assert set(states) == {MailState.SENT, MailState.UNCLEAR}
