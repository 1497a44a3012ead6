"""Creates the 1,500 people of the demonstration and the hospitals at which they work."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from crm_sync.demo.dataset.countries import COUNTRIES, COUNTRIES_BY_CODE, Country
from crm_sync.demo.dataset.expectations import PLANTED_PEOPLE
from crm_sync.demo.dataset.identity import build_register_number, make_uid
from crm_sync.demo.dataset.names import build_mailbox, choose_name
from ctms.audit.actors import Actor
from ctms.audit.services import create_records
from ctms.clinical.choices import PersonType
from ctms.clinical.models import Person

PEOPLE_COUNT = 1_500
_INVESTIGATORS_PER_HOSPITAL = 4


@dataclass(slots=True, kw_only=True)
class Hospital:
    """A hospital and the people who work there."""

    name: str
    city: str
    country: Country
    investigators: list[Person] = field(default_factory=list)
    staff: list[Person] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """All people: the hospitals by country code, and the planted people in the order of `PLANTED_PEOPLE`."""

    hospitals: dict[str, list[Hospital]]
    planted: list[Person]

    def list_matched_people(self) -> list[Person]:
        """Return the people who have an account in both organisations, in the order of their numbers."""
        hospitals = [hospital for of_country in self.hospitals.values() for hospital in of_country]
        people = [person for hospital in hospitals for person in (*hospital.investigators, *hospital.staff)]
        return sorted(people, key=lambda person: person.external_id or "")


def create_population(*, rng: Random, actor: Actor) -> Population:
    """Write all people: four investigators and some others in each hospital, and the planted people."""
    hospitals = {
        country.code: [
            Hospital(name=name, city=city, country=country)
            for name, city in zip(country.hospitals, country.cities, strict=True)
        ]
        for country in COUNTRIES
    }
    every_hospital = [hospital for of_country in hospitals.values() for hospital in of_country]
    people = []
    for number in range(1, PEOPLE_COUNT - len(PLANTED_PEOPLE) + 1):
        # One person for each hospital in turn, so that their numbers of people differ by one at most.
        place, visit = (number - 1) % len(every_hospital), (number - 1) // len(every_hospital)
        hospital = every_hospital[place]
        is_investigator = visit < _INVESTIGATORS_PER_HOSPITAL
        person = _build_person(number=number, country=hospital.country, is_investigator=is_investigator, rng=rng)
        (hospital.investigators if is_investigator else hospital.staff).append(person)
        people.append(person)
    planted = _build_planted_people()
    create_records(records=[*people, *planted], actor=actor)
    return Population(hospitals=hospitals, planted=planted)


def _build_person(*, number: int, country: Country, is_investigator: bool, rng: Random) -> Person:
    first_name, last_name = choose_name(culture=country.culture, rng=rng)
    return Person(
        uid=make_uid("person", number),
        object_type=PersonType.INVESTIGATOR if is_investigator else PersonType.PERSON,
        first_name=first_name,
        last_name=last_name,
        email=build_mailbox(first_name=first_name, last_name=last_name, number=number),
        phone=f"+{country.calling_code} 555 01{number % 100:02d} {number:04d}",
        language=country.language,
        external_id=f"HCP-{number:06d}",
        npi=build_register_number(country=country.code, number=number),
        person_identifier=f"HVT{number:05d}",
    )


def _build_planted_people() -> list[Person]:
    return [
        Person(
            uid=make_uid("person", planted.external_id),
            object_type=PersonType.INVESTIGATOR,
            first_name=planted.first_name,
            last_name=planted.last_name,
            email=build_mailbox(
                first_name=planted.first_name, last_name=planted.last_name, number=PEOPLE_COUNT + position
            ),
            language=COUNTRIES_BY_CODE[planted.country].language,
            external_id=planted.external_id,
            npi=planted.npi,
        )
        for position, planted in enumerate(PLANTED_PEOPLE)
    ]
