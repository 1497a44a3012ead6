from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import capfirst

from activities.choices import ActivityType, Channel
from activities.models import Activity
from connections.defaults import CALL_INBOUND, CALL_OUTBOUND
from ctms.audit.services import create_records, save_record
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SOURCES: dict[str, Any] = {
    "study_person": StudyPersonFactory,
    "monitoring_event": MonitoringEventFactory,
    "study_communication": StudyCommunicationLogFactory,
}


def build(**values: Any) -> Activity:
    return Activity(person=PersonFactory.create(), date=dt.date(2026, 3, 2), channel=Channel.PHONE, **values)


def refuse(activity: Activity) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as raised:
        save_record(record=activity, actor=build_admin_actor())
    return raised.value.message_dict


def test_an_activity_is_clinical_unless_said_otherwise_and_named_by_itself() -> None:
    activity = build()
    save_record(record=activity, actor=build_admin_actor())
    name = activity.name
    assert (activity.object_type, name[:4], len(name)) == (ActivityType.CLINICAL, "ACT-", 12)
    activity.subject = "Changed"
    save_record(record=activity, actor=build_admin_actor())
    assert activity.name == name


def test_a_site_fills_country_and_study() -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(site=site)
    assert (activity.study_country, activity.study) == (site.study_country, site.study)


@pytest.mark.parametrize("name", SOURCES)
def test_a_role_visit_or_communication_fills_site_country_and_study(name: str) -> None:
    source = SOURCES[name].create()
    activity = ActivityFactory.create(**{name: source})
    assert (activity.site, activity.study_country, activity.study) == (source.site, source.study_country, source.study)


@pytest.mark.parametrize("name", SOURCES)
def test_a_role_visit_or_communication_of_another_study_is_refused_by_field(name: str) -> None:
    source, site = SOURCES[name].create(), StudySiteFactory.create()
    what = f"{capfirst(source._meta.verbose_name)} {source}"
    assert refuse(build(site=site, **{name: source})) == {
        name: [f"{what} belongs to study {source.study}, not to {site.study}. Choose another."]
    }


def test_a_site_or_country_of_another_study_is_refused_by_field() -> None:
    here, there = StudySiteFactory.create(), StudySiteFactory.create()
    assert refuse(build(study=here.study, study_country=here.study_country, site=there)) == {
        "site": [f"Study site {there} belongs to study {there.study}, not to {here.study}. Choose another."]
    }
    assert refuse(build(study=here.study, study_country=there.study_country)) == {
        "study_country": [f"Study country Germany belongs to study {there.study}, not to {here.study}. Choose another."]
    }


@pytest.mark.parametrize(
    "values",
    [
        {"object_type": ActivityType.MEDICAL},
        {"object_type": ActivityType.MEDICAL, "crm_id": "a00000000000001AAA"},
        {"object_type": ActivityType.MEDICAL, "connection": True},
        {"object_type": ActivityType.CLINICAL, "connection": True},
        {"object_type": ActivityType.CLINICAL, "crm_id": "a00000000000001AAA"},
    ],
    ids=str,
)
def test_an_activity_that_does_not_fit_its_type_is_refused_here_and_by_the_database(values: dict[str, Any]) -> None:
    if "connection" in values:
        values = values | {"connection": ConnectionFactory.create()}
    activity = build(**values)
    assert refuse(activity) == {
        "__all__": ["Object type: a Medical Activity has a connection and a CRM id, a Clinical Activity has neither."]
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[activity], actor=build_admin_actor())


def test_a_call_is_received_once_from_each_organisation() -> None:
    first = MedicalActivityFactory.create(crm_id="a00000000000001AAA")
    MedicalActivityFactory.create(crm_id="a00000000000001AAA")
    again = build(object_type=ActivityType.MEDICAL, connection=first.connection, crm_id=first.crm_id)
    assert refuse(again) == {"__all__": ["CRM id: this call was received already."]}
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[again], actor=build_admin_actor())


def test_every_channel_has_one_counterpart_in_the_crm_and_back() -> None:
    (out,) = [rule.picklist_map for rule in CALL_OUTBOUND.field_rules if rule.source == "channel__v"]
    (back,) = [rule.picklist_map for rule in CALL_INBOUND.field_rules if rule.target == "channel__v"]
    assert sorted(out) == sorted(Channel.values)
    assert {there: here for here, there in out.items()} == back
