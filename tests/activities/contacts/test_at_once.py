"""Activities of one site that are written at the same time all count, and nobody waits for anybody in a circle."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity, ContactChange
from ctms.audit.services import create_records, save_record
from ctms.clinical.models import Person, StudySite
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyPersonFactory, StudySiteFactory
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

NOTHING_DIFFERS = {"site__v": 0, "study_person__clin": 0}


def on(days: int) -> dt.date:
    """Return a day that is over, and is the same whenever a test asks: midnight may pass meanwhile."""
    return dt.date(2026, 3, 2) + dt.timedelta(days=days)


def start(function: Callable[[], Any]) -> threading.Thread:
    def call() -> None:
        try:
            function()
        finally:
            connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.mark.parametrize("days_of_the_slow", [-2, -8])
def test_of_two_transactions_that_overlap_both_count(days_of_the_slow: int) -> None:
    site, person = StudySiteFactory.create(), PersonFactory.create()
    role = StudyPersonFactory.create(person=person, site=site, study=site.study)
    is_written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            ActivityFactory.create(site=site, person=person, date=on(days_of_the_slow), complete=True)
            is_written.set()
            may_commit.wait(60)

    slow = start(write_slowly)
    assert is_written.wait(60)
    ActivityFactory.create(site=site, person=person, date=on(-5), complete=True)
    site.refresh_from_db()
    assert site.last_contact == on(-5)
    may_commit.set()
    slow.join()
    for record in (site, role):
        record.refresh_from_db()
        assert record.last_contact == on(max(-5, days_of_the_slow))
    assert not ContactChange.objects.exists()


def test_a_record_that_somebody_has_locked_gets_its_dates_once_it_is_free() -> None:
    site, free = StudySiteFactory.create(), StudySiteFactory.create()
    is_locked, may_commit = threading.Event(), threading.Event()

    def save_slowly() -> None:
        with transaction.atomic():
            mine = StudySite.objects.get(pk=site.pk)
            mine.city = "Quito"
            save_record(record=mine, actor=build_admin_actor())
            is_locked.set()
            may_commit.wait(60)

    user = start(save_slowly)
    assert is_locked.wait(60)
    person = PersonFactory.create()
    made = [Activity(person=person, site=each, date=on(-1), channel="phone__v", complete=True) for each in (site, free)]
    writer = start(lambda: create_records(records=made, actor=build_admin_actor()))
    while StudySite.objects.filter(pk=free.pk, last_contact=None).exists():
        pass  # the one that is free does not wait for the other
    may_commit.set()
    user.join()
    writer.join()
    site.refresh_from_db()
    assert (site.last_contact, site.city) == (on(-1), "Quito")


def test_what_a_process_left_when_it_died_is_written_by_the_next() -> None:
    site = StudySiteFactory.create()
    with transaction.atomic():
        ActivityFactory.create(site=site, date=on(-1), complete=True)
        transaction.get_connection().run_on_commit.clear()
    site.refresh_from_db()
    assert site.last_contact is None
    ActivityFactory.create(site=StudySiteFactory.create())
    site.refresh_from_db()
    assert site.last_contact == on(-1)


def test_transactions_that_write_at_the_same_sites_in_any_order_all_end() -> None:
    sites = StudySiteFactory.create_batch(4)
    people = PersonFactory.create_batch(4)
    for site in sites:
        for person in people:
            StudyPersonFactory.create(person=person, site=site, study=site.study)

    def write(pairs: list[tuple[StudySite, Person]], days: int) -> None:
        # In a transaction with activities of all sites, one after the other: what locks sites at once would deadlock.
        for number in range(5):
            with transaction.atomic():
                for site, person in pairs:
                    ActivityFactory.create(site=site, person=person, date=on(days - number), complete=True)

    pairs = list(zip(sites, people, strict=True))
    ended = call_at_once(
        [lambda: write(pairs, -1), lambda: write(pairs[::-1], -3), lambda: write(pairs[2:] + pairs[:2], -2)]
    )
    assert ended == [None] * 3
    assert rebuild_contacts() == NOTHING_DIFFERS
    assert not ContactChange.objects.exists()
    for site in sites:
        site.refresh_from_db()
        assert site.last_contact == on(-1)
