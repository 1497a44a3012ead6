"""Clinical objects: which fields are filled, which values must agree, and the messages of refusals."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, save_record, update_records
from ctms.clinical.choices import CommunicationType, MonitoringEventType, PersonType, TeamRole
from ctms.clinical.consistency import check_order
from ctms.clinical.models import (
    MonitoringEvent,
    Person,
    Study,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.core.models import SAME_NUMBERS, VaultRecord
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def save(record: VaultRecord) -> None:
    save_record(record=record, actor=build_admin_actor())


def refuse(record: VaultRecord) -> dict[str, list[str]]:
    """Save a record that is refused, and return the error messages by field."""
    with pytest.raises(ValidationError) as raised:
        save(record)
    return raised.value.message_dict


# -- What follows from what -----------------------------------------------------------------------
def test_a_person_is_named_by_first_and_last_name_whenever_they_change() -> None:
    person = PersonFactory.create(first_name="Petra", last_name="Person", email="p@example.org")
    assert (person.name, person.display_contact) == ("Petra Person", "Petra Person (p@example.org)")
    person.first_name, person.email = "", ""
    save(person)
    assert (person.name, person.display_contact) == ("Person", "Person")


def test_what_is_called_by_other_fields_follows_them() -> None:
    event = MonitoringEventFactory.create(planned_start=dt.date(2026, 3, 2))
    event.planned_start, event.planned_end = dt.date(2026, 4, 1), None
    save(event)
    assert event.name == "Interim Monitoring Visit 2026-04-01"
    log = StudyCommunicationLogFactory.create(subject="Old")
    log.subject = "New"
    save(log)
    assert log.name == "New"
    country = StudyCountryFactory.create(country="FR", name="")
    country.country = "DE"
    save(country)
    assert country.name == "Germany"
    other = PersonFactory.create(first_name="New", last_name="Person")
    for record in (
        MonitoringEventParticipantFactory.create(),
        StudyCommunicationContactFactory.create(),
        StudyPersonFactory.create(team_role=TeamRole.OTHER),
    ):
        record.person = other
        save(record)
        assert record.name.removesuffix(f" ({TeamRole.OTHER.label})") == "New Person"


def test_who_is_renamed_is_renamed_everywhere_in_the_audit_trail_too() -> None:
    person = PersonFactory.create(first_name="Petra", last_name="Person")
    named = [
        MonitoringEventParticipantFactory.create(person=person),
        StudyCommunicationContactFactory.create(person=person),
        StudyPersonFactory.create(person=person, team_role=TeamRole.OTHER),
    ]
    other = StudyPersonFactory.create()
    person.last_name = "Miller"
    save_record(record=person, actor=build_admin_actor(), reason="Married")
    for record in named:
        record.refresh_from_db()
        assert (record.name.split(" (")[0], record.version) == ("Petra Miller", 2)
        entry = AuditEntry.objects.filter(record_uid=record.uid).latest("id")
        assert (set(entry.changes), entry.reason) == ({"name"}, "Married")
    other.refresh_from_db()
    assert other.version == 1


def test_renaming_many_takes_as_many_statements_as_renaming_one() -> None:
    def count(number: int) -> int:
        people = PersonFactory.create_batch(number)
        for person in people:
            StudyPersonFactory.create(person=person)
            MonitoringEventParticipantFactory.create(person=person)
            person.last_name = "Miller"
        with CaptureQueriesContext(connection) as queries:
            update_records(records=people, actor=build_admin_actor())
        return len(queries)

    assert count(1) == count(12)
    assert not StudyPerson.objects.exclude(name__contains="Miller").exists()


@given(first=st.text("ab ", max_size=64), last=st.text("ab", min_size=1, max_size=64))
def test_the_longest_names_of_persons_fit(first: str, last: str) -> None:
    person = Person(first_name=first, last_name=last)
    person.prepare_for_save()
    assert person.name == f"{first} {last}".strip()[:128]


def test_records_are_named_by_what_they_are_where_nobody_names_them() -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create(first_name="Petra", last_name="Person")
    event = MonitoringEventFactory.create(site=site, planned_start=dt.date(2026, 3, 2))
    communication = StudyCommunicationLogFactory.create(site=site, subject="", date=dt.date(2026, 3, 2))
    names = [
        event.name,
        MonitoringEventFactory.create(site=site, planned_start=None, planned_end=None).name,
        communication.name,
        StudyCommunicationLogFactory.create(site=site, subject="Hello").name,
        StudyPersonFactory.create(person=person, site=site).name,
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person).name,
        StudyCountryFactory.create(country="FR", name="").name,
        str(StudyCommunicationContactFactory.create(communication=communication, person=person)),
    ]
    assert names == [
        "Interim Monitoring Visit 2026-03-02",
        "Interim Monitoring Visit",
        "Email 2026-03-02",
        "Hello",
        "Petra Person (Study coordinator)",
        "Petra Person",
        "France",
        "Petra Person",
    ]


def test_a_site_follows_its_country_to_its_study() -> None:
    country = StudyCountryFactory.create()
    site = StudySite(study_country=country, name="0001")
    save(site)
    assert site.study == country.study


@pytest.mark.parametrize("model", [StudyPerson, MonitoringEvent, StudyCommunicationLog])
def test_a_site_fills_its_country_and_study(model: type[Any]) -> None:
    site = StudySiteFactory.create()
    record = model(site=site)
    if model is StudyPerson:
        record.person = PersonFactory.create()
    save(record)
    assert (record.study_country, record.study) == (site.study_country, site.study)


def test_a_country_fills_its_study() -> None:
    country = StudyCountryFactory.create()
    study_person = StudyPerson(person=PersonFactory.create(), study_country=country)
    save(study_person)
    assert (study_person.site, study_person.study) == (None, country.study)


# -- Nothing crosses from study to study ----------------------------------------------------------
@pytest.mark.parametrize("model", [StudyPerson, MonitoringEvent, StudyCommunicationLog])
def test_a_site_or_country_of_another_study_is_refused_by_field(model: type[Any]) -> None:
    here, there = StudySiteFactory.create(), StudySiteFactory.create()
    values = {"person": PersonFactory.create()} if model is StudyPerson else {}
    record = model(study=here.study, study_country=here.study_country, site=there, **values)
    assert refuse(record) == {
        "site": [f"Study site {there} belongs to study {there.study}, not to {here.study}. Choose another."]
    }
    record = model(study=here.study, study_country=there.study_country, site=here, **values)
    assert refuse(record) == {
        "study_country": [f"Study country Germany belongs to study {there.study}, not to {here.study}. Choose another."]
    }


def test_a_site_of_another_country_of_the_same_study_is_refused_by_field() -> None:
    germany = StudyCountryFactory.create()
    france = StudyCountryFactory.create(study=germany.study, country="FR", name="France")
    site = StudySiteFactory.create(study_country=germany)
    record = StudyPerson(person=PersonFactory.create(), study=germany.study, study_country=france, site=site)
    assert refuse(record) == {"site": [f"Study site {site} belongs to Germany, not to France. Choose another."]}


def test_a_site_in_a_country_of_another_study_is_refused_by_field() -> None:
    country, study = StudyCountryFactory.create(), StudyFactory.create()
    assert refuse(StudySite(study=study, study_country=country, name="1")) == {
        "study_country": [f"Study country Germany belongs to study {country.study}, not to {study}. Choose another."]
    }


# -- Values ---------------------------------------------------------------------------------------
DATES = st.none() | st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 5))


@given(start=DATES, end=DATES)
def test_an_end_before_its_start_is_refused_and_nothing_else(start: dt.date | None, end: dt.date | None) -> None:
    study = Study(name="S", planned_start=start, planned_end=end)
    if start is not None and end is not None and end < start:
        with pytest.raises(ValidationError) as raised:
            check_order(record=study, start="planned_start", end="planned_end")
        assert raised.value.message_dict == {"planned_end": [f"The end ({end}) lies before the start ({start})."]}
    else:
        check_order(record=study, start="planned_start", end="planned_end")


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Study(name="S", actual_start=dt.date(2026, 2, 1), actual_end=dt.date(2026, 1, 1)), "actual_end"),
        (Study(name=""), "name"),
        (Study(name="S", phase="phase_9__v"), "phase"),
        (Person(last_name=""), "last_name"),
        (Person(last_name="P", email="nowhere"), "email"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused_by_field(record: VaultRecord, field: str) -> None:
    assert field in refuse(record)


@pytest.mark.parametrize("country", ["de", "D", "DEU", "D1", "", "DE\nF"])
def test_a_country_is_two_capital_letters(country: str) -> None:
    assert "country" in refuse(StudyCountry(study=StudyFactory.create(), country=country, name="X"))


@pytest.mark.parametrize(
    ("model", "types"),
    [(Person, PersonType), (MonitoringEvent, MonitoringEventType), (StudyCommunicationLog, CommunicationType)],
)
def test_an_unknown_object_type_is_refused_with_those_there_are(
    model: type[Any], types: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = model(object_type="unknown__v")
    if model is Person:
        record.last_name = "Person"
    else:
        record.site = StudySiteFactory.create()
    refusal = f"There is no {model._meta.verbose_name} of type unknown__v. Choose one of: {', '.join(types.labels)}."
    assert refuse(record) == {"object_type": [refusal]}
    with pytest.raises(ValidationError, match="Choose one of"):
        create_records(records=[record], actor=build_admin_actor())
    monkeypatch.setattr(model, "known_types", None)
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[record], actor=build_admin_actor())


def test_what_may_be_there_once_is_refused_the_second_time_with_its_words() -> None:
    study = StudyFactory.create(name="S-1")
    assert refuse(Study(name="S-1")) == {"__all__": [f"A study of this number exists. {SAME_NUMBERS}"]}
    country = StudyCountryFactory.create(study=study)
    assert refuse(StudyCountry(study=study, country="DE", name="X")) == {
        "__all__": ["The study has this country already."]
    }
    StudySiteFactory.create(study_country=country, name="0001")
    assert refuse(StudySite(study_country=country, name="0001")) == {
        "__all__": [f"The study has a site of this number already. {SAME_NUMBERS}"]
    }
    PersonFactory.create(external_id="P-1")
    assert refuse(Person(last_name="P", external_id="P-1")) == {
        "external_id": ["Person with this External ID already exists."]
    }


def test_identifiers_that_differ_only_in_case_are_two() -> None:
    PersonFactory.create(external_id="p-1")
    PersonFactory.create(external_id="P-1")
    assert set(Person.objects.values_list("external_id", flat=True)) == {"P-1", "p-1"}


@pytest.mark.parametrize(
    ("factory", "values"),
    [
        (MonitoringEventParticipantFactory, ("monitoring_event", "person")),
        (StudyCommunicationContactFactory, ("communication", "person")),
        (StudyAssignmentFactory, ("user", "study")),
    ],
)
def test_the_same_two_are_joined_once(factory: Any, values: tuple[str, str]) -> None:
    first = factory.create()
    with pytest.raises(ValidationError):
        factory.create(**{name: getattr(first, name) for name in values}, validate=True)
