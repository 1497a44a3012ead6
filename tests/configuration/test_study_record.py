"""What a record of a study refers to is of its study, and it has a type that there is, whoever writes it.

Most tests use *Deviation* of `tests.sample`, which says nothing but to which study it belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.test.utils import CaptureQueriesContext, isolate_apps

from activities.models import Activity
from ctms.audit.services import create_records, save_record, update_records
from ctms.clinical.models import StudySite
from ctms.configuration import scope
from ctms.configuration.registry import InStudy, VaultObject, register_object
from ctms.core.models import VaultRecord
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.sample.models import Deviation

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

Write = Callable[[Any], Any]


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


def save_unvalidated(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor(), validate=False)


def write_many(record: Any) -> None:
    write = create_records if record._state.adding else update_records
    write(records=[record], actor=build_admin_actor())


WRITERS = pytest.mark.parametrize("write", [save, save_unvalidated, write_many])


@WRITERS
def test_a_reference_to_another_study_is_refused(write: Write) -> None:
    site, other = StudySiteFactory.create(), StudySiteFactory.create()
    event = MonitoringEventFactory.create(site=other)
    refusal = f"belongs to study {other.study}, not to {site.study}. Choose another."
    with pytest.raises(ValidationError, match=refusal):
        write(Deviation(name="D-1", object_type="minor__v", location=site, visit=event))
    deviation = Deviation(name="D-1", object_type="minor__v", location=site)
    write(deviation)
    deviation.visit = event
    with pytest.raises(ValidationError, match=refusal) as raised:
        write(deviation)
    assert list(raised.value.message_dict) == ["visit"]
    assert Deviation.objects.get().visit is None


@WRITERS
def test_a_reference_that_leads_to_the_study_over_others_is_looked_at_too(write: Write) -> None:
    participant, site = MonitoringEventParticipantFactory.create(), StudySiteFactory.create()
    with pytest.raises(ValidationError, match=f"belongs to study {participant.monitoring_event.study}, not to"):
        write(Deviation(name="D-1", object_type="minor__v", location=site, witness=participant))
    write(
        Deviation(name="D-1", object_type="minor__v", location=participant.monitoring_event.site, witness=participant)
    )


@WRITERS
def test_a_type_that_there_is_not_is_refused(write: Write) -> None:
    site = StudySiteFactory.create()
    with pytest.raises(ValidationError, match=r"no deviation of type nonsense\. Choose one of: Minor, Major"):
        write(Deviation(name="D-1", object_type="nonsense", location=site))
    with pytest.raises(ValidationError, match="Choose one of: Minor, Major"):
        write(Deviation(name="D-1", object_type="", location=site))
    country = StudyCountryFactory.create()
    country.object_type = "nonsense"
    with pytest.raises(ValidationError, match=r"no study country of type nonsense\. Leave the type empty\."):
        write(country)


@WRITERS
def test_wider_references_are_filled_whatever_they_are_called(write: Write) -> None:
    site = StudySiteFactory.create()
    deviation = Deviation(name="D-1", object_type="minor__v", location=site)
    write(deviation)
    assert deviation.trial == site.study
    event = MonitoringEventFactory.create()
    deviation = Deviation(name="D-2", object_type="major__v", visit=event)
    write(deviation)
    assert (deviation.trial, deviation.location) == (event.study, event.site)


@WRITERS
def test_a_record_stays_in_its_study_while_others_of_it_refer_to_it(write: Write) -> None:
    country = StudyCountryFactory.create()
    site = StudySiteFactory.create(study_country=country)
    other = StudyCountryFactory.create(country="FR")
    country.study = other.study
    with pytest.raises(ValidationError, match=r"stays in .*, because records of that study refer to it"):
        write(country)
    site.study_country, site.study = other, other.study
    write(site)
    country.refresh_from_db()
    country.study = StudyFactory.create()
    write(country)


def test_many_are_checked_in_a_statement_for_each_reference() -> None:
    site = StudySiteFactory.create()
    event = MonitoringEventFactory.create(site=site)
    person = PersonFactory.create()

    def count(number: int) -> int:
        records = [
            Activity(
                person=person,
                date="2026-03-02",
                channel="phone__v",
                site_id=site.pk,
                monitoring_event_id=event.pk,
                study_id=site.study_id,
                study_country_id=site.study_country_id,
                object_type="clinical_activity__v",
            )
            for _ in range(number)
        ]
        with CaptureQueriesContext(connection) as statements:
            create_records(records=records, actor=build_admin_actor())
        return len(statements)

    assert count(20) == count(2)


def test_a_change_that_concerns_no_reference_reads_none() -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create())
    read = Activity.objects.get(pk=activity.pk)
    read.subject = "Another"
    with CaptureQueriesContext(connection) as statements:
        update_records(records=[read], actor=build_admin_actor())
    assert not any('FROM "clinical_studysite"' in each["sql"] for each in statements)


@isolate_apps("tests.sample")
def test_a_model_of_records_of_a_study_that_is_no_study_record_is_not_registered() -> None:
    class Finding(VaultRecord):
        object_name = "finding__c"
        site = models.ForeignKey(StudySite, on_delete=models.PROTECT, related_name="+")

        class Meta:
            app_label = "sample"

    refused = pytest.raises(ValueError, match=r"^Finding: .*Derive it from StudyRecord")
    with patch.dict(scope._paths), refused:
        register_object(VaultObject(model=Finding, scope=InStudy()))
