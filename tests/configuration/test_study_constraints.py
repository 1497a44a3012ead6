"""The database itself keeps a record in the study of the places that it names."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction

from ctms.audit.services import create_records, save_record
from ctms.clinical.models import MonitoringEvent, StudySite
from ctms.configuration.study_constraints import list_place_references
from tests.factories.base import build_admin_actor
from tests.factories.clinical import MonitoringEventFactory, StudyCountryFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_every_reference_to_a_place_is_held_except_of_what_follows_it() -> None:
    assert {f"{each.model.__name__}.{each.column}" for each in list_place_references()} == {
        "Deviation.location_id",  # of an app that the Vault does not know
        "StudySite.study_country_id",
        "StudyPerson.study_country_id",
        "StudyPerson.site_id",
        "MonitoringEvent.study_country_id",
        "MonitoringEvent.site_id",
        "StudyCommunicationLog.study_country_id",
        "StudyCommunicationLog.site_id",
    }


def force(record: models.Model, **values: Any) -> None:
    """Write past the Vault's own code, as a repair by hand or another program would."""
    with transaction.atomic():
        models.QuerySet(type(record)).filter(pk=record.pk).update(**values)


def test_a_record_cannot_name_a_place_of_another_study() -> None:
    event, other = MonitoringEventFactory.create(), StudySiteFactory.create()
    for values in ({"site": other}, {"study_country": other.study_country}, {"study": other.study}):
        with pytest.raises(DatabaseError):
            force(event, **values)
    force(event, site=other, study_country=other.study_country, study=other.study)
    event.refresh_from_db()
    assert event.site == other


def test_a_place_cannot_leave_the_study_of_what_names_it() -> None:
    site = MonitoringEventFactory.create().site
    elsewhere = StudyCountryFactory.create()
    with pytest.raises(DatabaseError):
        force(site, study=elsewhere.study, study_country=elsewhere)
    unused = StudySiteFactory.create()
    force(unused, study=elsewhere.study, study_country=elsewhere)


@pytest.mark.postgresql  # SQLite has one writer at a time
@pytest.mark.parametrize("is_first", [True, False])
def test_a_site_that_moves_and_a_visit_to_it_at_the_same_moment_do_not_miss_each_other(is_first: bool) -> None:
    site, elsewhere = StudySiteFactory.create(), StudyCountryFactory.create()
    event = MonitoringEventFactory.build(site=site, study=site.study, study_country=site.study_country)
    errors: list[Exception] = []
    other_wrote, may_end = threading.Event(), threading.Event()

    def move() -> None:
        moved = StudySite.objects.get(pk=site.pk)
        moved.study, moved.study_country = elsewhere.study, elsewhere
        save_record(record=moved, actor=build_admin_actor())

    def visit() -> None:
        create_records(records=[event], actor=build_admin_actor())

    def run_other(write: Any) -> None:
        try:
            with transaction.atomic():
                write()
                other_wrote.set()
                may_end.wait(30)
        except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
            errors.append(error)
        finally:
            other_wrote.set()
            connection.close()

    first, second = (move, visit) if is_first else (visit, move)
    build_admin_actor()
    thread = threading.Thread(target=run_other, args=(first,))
    thread.start()
    assert other_wrote.wait(30)
    threading.Timer(1, may_end.set).start()
    try:
        with transaction.atomic():
            second()
    except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
        errors.append(error)
    thread.join(60)
    assert len(errors) == 1, errors
    site.refresh_from_db()
    assert set(MonitoringEvent.objects.values_list("study", flat=True)) <= {site.study_id}
