"""Users change a source while the job holds it in the transaction of a batch: no change is lost or refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from activities.models import Activity
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.activities.generation import configure_automation, generate
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.locks import count_waiting
from tests.reliability.processes import wait_for

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

SECONDS = 60
FIRST_DAY, SECOND_DAY = dt.date(2026, 3, 10), dt.date(2026, 4, 11)
WRITES_ACTIVITIES = 'INSERT INTO "activities_activity"'
RAISES_FLAGS = 'UPDATE "clinical_monitoringevent" SET "activity_update_required"'


@pytest.fixture
def event() -> MonitoringEvent:
    """Create a flagged event with one participant; the study has a second person."""
    configure_automation()
    site = StudySiteFactory.create()
    event = MonitoringEventFactory.create(site=site, planned_start=FIRST_DAY, planned_end=None)
    member = StudyPersonFactory.create(site=site, study=site.study)
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=member.person)
    StudyPersonFactory.create(site=site, study=site.study, person=PersonFactory.create(last_name="Later"))
    return event


class Pause:
    """Stops a thread before or after its first statement that begins with a text, until it is released."""

    def __init__(self, beginning: str, *, after: bool = False) -> None:
        self._beginning, self._after = beginning, after
        self.reached, self._released = Event(), Event()

    def wait_until_reached(self) -> None:
        assert self.reached.wait(SECONDS)

    def release(self) -> None:
        self._released.set()

    def __call__(self, execute: Any, statement: str, *args: Any) -> Any:
        is_here = statement.startswith(self._beginning) and not self.reached.is_set()
        if is_here and not self._after:
            self._hold()
        result = execute(statement, *args)
        if is_here and self._after:
            self._hold()
        return result

    def _hold(self) -> None:
        self.reached.set()
        assert self._released.wait(SECONDS)


def call_apart(function: Callable[[], Any], pause: Pause | None = None) -> Any:
    """Call `function` on a database connection of its own, stopping at `pause`; to be run in a thread."""
    try:
        if pause is None:
            return function()
        with connection.execute_wrapper(pause):
            return function()
    finally:
        connection.close()


@contextmanager
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as threads:
        yield threads


def wait_until_blocked(future: Future[Any], *, waiting: int = 1) -> None:
    """Wait until so many connections wait for a lock, or fail if `future` ends before."""

    def is_blocked() -> bool:
        return count_waiting() >= waiting or future.done()

    wait_for("a wait for a lock", is_blocked)
    assert not future.done(), "It did not have to wait."


def move(event: MonitoringEvent) -> None:
    mine = MonitoringEvent.objects.get(pk=event.pk)
    mine.planned_start = SECOND_DAY
    save_record(record=mine, actor=build_admin_actor())


def add_participant(event: MonitoringEvent) -> None:
    added = MonitoringEventParticipant(monitoring_event=event, person=Person.objects.get(last_name="Later"))
    save_record(record=added, actor=build_admin_actor())


def remove_participant(event: MonitoringEvent) -> None:
    delete_record(record=event.participants.get(), actor=build_admin_actor())


def list_active(event: MonitoringEvent) -> list[tuple[str, dt.date]]:
    active = Activity.objects.filter(monitoring_event=event, status=RecordStatus.ACTIVE)
    return sorted(active.values_list("person__last_name", "date"))


def list_expected(event: MonitoringEvent) -> list[tuple[str, dt.date]]:
    """Return last name and date of the activities that the rules give to the event now."""
    now = MonitoringEvent.objects.get(pk=event.pk)
    people = [each.person for each in now.participants.all()]
    if not people and now.site.principal_investigator is not None:
        people = [now.site.principal_investigator]
    return sorted((each.last_name, now.planned_start) for each in people if now.planned_start)


def is_flagged(event: MonitoringEvent) -> bool:
    return MonitoringEvent.objects.get(pk=event.pk).activity_update_required


@pytest.mark.parametrize("change", [move, add_participant, remove_participant])
def test_who_changes_a_source_in_the_middle_of_its_batch_flags_it_again(
    event: MonitoringEvent, change: Callable[[MonitoringEvent], None]
) -> None:
    before = list_expected(event)
    pause = Pause(WRITES_ACTIVITIES, after=True)
    with beside() as threads:
        job = threads.submit(call_apart, generate, pause)
        pause.wait_until_reached()
        user = threads.submit(call_apart, lambda: change(event))
        wait_until_blocked(user)
        pause.release()
        assert job.result(SECONDS).state == RunState.SUCCEEDED
        user.result(SECONDS)
    assert (list_active(event), is_flagged(event)) == (before, True)
    generate()
    assert (list_active(event), is_flagged(event)) == (list_expected(event), False)
    assert list_active(event) != before


@pytest.mark.parametrize("change", [move, add_participant, remove_participant])
def test_the_job_waits_for_who_is_changing_a_source_and_writes_what_became_of_it(
    event: MonitoringEvent, change: Callable[[MonitoringEvent], None]
) -> None:
    pause = Pause(RAISES_FLAGS, after=True)
    with beside() as threads:
        user = threads.submit(call_apart, lambda: change(event), pause)
        pause.wait_until_reached()
        job = threads.submit(call_apart, generate)
        wait_until_blocked(job)
        pause.release()
        user.result(SECONDS)
        assert job.result(SECONDS).state == RunState.SUCCEEDED
    assert (list_active(event), is_flagged(event)) == (list_expected(event), False)


def test_who_edits_an_activity_of_the_batch_is_heard_and_blocks_nothing(event: MonitoringEvent) -> None:
    generate()
    move(event)
    activity = Activity.objects.get()
    pause = Pause('SELECT "activities_activity"', after=True)

    def give_another_visit() -> None:
        """Log an activity of the same visit, which refers to the locked source."""
        mine = Activity(person=activity.person, date=FIRST_DAY, channel=activity.channel, monitoring_event=event)
        save_record(record=mine, actor=build_admin_actor())

    with beside() as threads:
        job = threads.submit(call_apart, generate, pause)
        pause.wait_until_reached()
        threads.submit(call_apart, give_another_visit).result(SECONDS)
        pause.release()
        assert job.result(SECONDS).state == RunState.SUCCEEDED
    assert Activity.objects.filter(is_generated=False).count() == 1
    assert Activity.objects.get(is_generated=True).date == SECOND_DAY


def test_who_renames_a_participant_waits_for_the_batch_and_not_the_batch_for_them(event: MonitoringEvent) -> None:
    """The activity to be written refers to the person, and the renamed participation flags the visit."""
    pause = Pause(WRITES_ACTIVITIES)
    person = event.participants.get().person

    def rename() -> None:
        mine = Person.objects.get(pk=person.pk)
        mine.last_name = "Renamed"
        save_record(record=mine, actor=build_admin_actor())

    with beside() as threads:
        job = threads.submit(call_apart, generate, pause)
        pause.wait_until_reached()
        user = threads.submit(call_apart, rename)
        wait_until_blocked(user)
        pause.release()
        assert job.result(SECONDS).state == RunState.SUCCEEDED
        user.result(SECONDS)
    generate()
    assert (list_active(event), is_flagged(event)) == ([("Renamed", FIRST_DAY)], False)


def test_a_new_principal_investigator_of_many_visits_and_the_job_never_wait_for_each_other() -> None:
    """The visits lie in the table in another order than that of their keys, in which the job locks them."""
    configure_automation()
    site = StudySiteFactory.create()
    first, second, third = MonitoringEventFactory.create_batch(3, site=site, planned_start=FIRST_DAY, planned_end=None)
    successor = PersonFactory.create()
    for event in (first, second):  # an update writes a new row version behind the third row
        move(event)

    def succeed() -> None:
        site.refresh_from_db()
        site.principal_investigator = successor
        save_record(record=site, actor=build_admin_actor())

    locked, free = Event(), Event()

    def keep_the_second() -> None:
        with transaction.atomic():
            MonitoringEvent.objects.select_for_update().get(pk=second.pk)
            locked.set()
            assert free.wait(SECONDS)

    with beside() as threads:
        keeper = threads.submit(call_apart, keep_the_second)
        assert locked.wait(SECONDS)
        job = threads.submit(call_apart, generate)
        wait_until_blocked(job)
        user = threads.submit(call_apart, succeed)
        wait_until_blocked(user, waiting=2)
        free.set()
        keeper.result(SECONDS)
        assert job.result(SECONDS).state == RunState.SUCCEEDED
        user.result(SECONDS)
    generate()
    for event in (first, second, third):
        assert list_active(event) == list_expected(event)
        assert [name for name, _ in list_active(event)] == [successor.last_name]
