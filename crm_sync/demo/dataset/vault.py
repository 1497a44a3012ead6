"""Creates the studies, their countries and sites, and the roles of people in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import cycle
from random import Random

from crm_sync.demo.dataset.countries import COUNTRIES_BY_CODE
from crm_sync.demo.dataset.identity import make_uid
from crm_sync.demo.dataset.people import Hospital, Population
from crm_sync.demo.dataset.trials import SITE_STATES, SPONSOR, TRIALS, Trial
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import create_records
from ctms.clinical.choices import StudyState, TeamRole
from ctms.clinical.models import MonitoringEvent, Person, Study, StudyCountry, StudyPerson, StudySite

_SITES_PER_COUNTRY = (2, 2, 2, 3)  # one is drawn for each study country


@dataclass(slots=True, kw_only=True)
class Team:
    """The people and visits of a site; without a site, the people of a whole study."""

    trial: Trial
    study: Study
    site: StudySite | None
    members: list[StudyPerson] = field(default_factory=list)
    events: list[MonitoringEvent] = field(default_factory=list)


def create_studies(*, today: date, actor: Actor) -> dict[str, Study]:
    """Write the studies and return them by study number."""
    studies = create_records(records=[_build_study(trial=trial, today=today) for trial in TRIALS], actor=actor)
    return {study.name: study for study in studies}


def create_teams(
    *,
    studies: dict[str, Study],
    owners: dict[str, list[User]],
    population: Population,
    today: date,
    rng: Random,
    actor: Actor,
) -> list[Team]:
    """Write the study countries, the sites with their principal investigators, and everyone's roles.

    The sites of a study belong in turn to those who work in it: `owners`, by the study's number.
    """
    countries = create_records(
        records=[
            StudyCountry(
                uid=make_uid("study_country", f"{trial.number}/{code}"),
                study=studies[trial.number],
                country=code,
                name=COUNTRIES_BY_CODE[code].name,
            )
            for trial in TRIALS
            for code in trial.countries.split()
        ],
        actor=actor,
    )
    trials = {trial.number: trial for trial in TRIALS}
    planned = [
        (trials[country.study.name], country, hospital, position)
        for country in countries
        for position, hospital in enumerate(_choose_hospitals(country=country, population=population, rng=rng), start=1)
    ]
    turns = {number: cycle(users) for number, users in owners.items()}
    built = [
        _build_site(trial=trial, country=country, hospital=hospital, position=position, rng=rng)
        for trial, country, hospital, position in planned
    ]
    for site in built:
        site.owner = next(turns[site.study.name])
    sites = create_records(records=built, actor=actor)
    teams = [
        Team(trial=trial, study=site.study, site=site) for (trial, _, _, _), site in zip(planned, sites, strict=True)
    ]
    members = []
    for team, (trial, _, hospital, _) in zip(teams, planned, strict=True):
        team.members = list(_build_members(team=team, hospital=hospital, trial=trial, today=today))
        members += team.members
    study_teams = [
        _build_study_team(trial=trial, study=studies[trial.number], population=population, rng=rng)
        for trial in TRIALS
        if trial.countries
    ]
    for team in study_teams:
        members += team.members
    create_records(records=members, actor=actor)
    return [*teams, *study_teams]


def _build_study(*, trial: Trial, today: date) -> Study:
    start, end = today + timedelta(days=trial.starts_in), today + timedelta(days=trial.starts_in + trial.lasts)
    has_started = trial.state != StudyState.PLANNING
    return Study(
        uid=make_uid("study", trial.number),
        name=trial.number,
        study_name=trial.name,
        protocol_title=trial.title,
        phase=trial.phase,
        lifecycle_state=trial.state,
        sponsor=SPONSOR,
        planned_start=start,
        planned_end=end,
        actual_start=start + timedelta(days=12) if has_started else None,
        actual_end=end + timedelta(days=9) if trial.state == StudyState.CLOSED else None,
    )


def _choose_hospitals(*, country: StudyCountry, population: Population, rng: Random) -> list[Hospital]:
    hospitals = population.hospitals[country.country]
    return rng.sample(hospitals, k=min(len(hospitals), rng.choice(_SITES_PER_COUNTRY)))


def _build_site(*, trial: Trial, country: StudyCountry, hospital: Hospital, position: int, rng: Random) -> StudySite:
    number = f"{hospital.country.number:03d}{position:02d}"
    return StudySite(
        uid=make_uid("site", f"{trial.number}/{number}"),
        study=country.study,
        study_country=country,
        name=number,
        site_name=hospital.name,
        principal_investigator=rng.choice(hospital.investigators),
        lifecycle_state=rng.choice(SITE_STATES[trial.state]),
        city=hospital.city,
        address_country=country.country,
    )


def _build_members(*, team: Team, hospital: Hospital, trial: Trial, today: date) -> Iterator[StudyPerson]:
    """Yield the roles of a principal investigator, a sub-investigator, two coordinators and a pharmacist."""
    site = team.site
    if site is None or site.principal_investigator is None:
        return
    lead = hospital.investigators.index(site.principal_investigator)
    roles: list[tuple[TeamRole, Person]] = [
        (TeamRole.PRINCIPAL_INVESTIGATOR, site.principal_investigator),
        (TeamRole.SUB_INVESTIGATOR, hospital.investigators[(lead + 1) % len(hospital.investigators)]),
        (TeamRole.STUDY_COORDINATOR, hospital.staff[lead % len(hospital.staff)]),
        (TeamRole.STUDY_COORDINATOR, hospital.staff[(lead + 1) % len(hospital.staff)]),
        (TeamRole.PHARMACIST, hospital.staff[-1]),
    ]
    for position, (role, person) in enumerate(roles):
        yield StudyPerson(
            uid=make_uid("study_person", f"{trial.number}/{site.name}/{position}"),
            person=person,
            study=site.study,
            study_country=site.study_country,
            site=site,
            team_role=role,
            start_date=min(today, today + timedelta(days=trial.starts_in)),
        )


def _build_study_team(*, trial: Trial, study: Study, population: Population, rng: Random) -> Team:
    """Return the team of a whole study: its coordinating investigator and a member of the data monitoring committee."""
    team = Team(trial=trial, study=study, site=None)
    hospitals = [hospital for code in trial.countries.split() for hospital in population.hospitals[code]]
    for position, hospital in enumerate(rng.sample(hospitals, k=2)):
        team.members.append(
            StudyPerson(
                uid=make_uid("study_person", f"{trial.number}/study/{position}"),
                person=hospital.investigators[-1],
                study=study,
                team_role=TeamRole.OTHER,
            )
        )
    return team
