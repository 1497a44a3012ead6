"""Creates monitoring events with their participants, and study communications with their contacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from crm_sync.demo.dataset.identity import make_uid
from crm_sync.demo.dataset.vault import Team
from ctms.audit.actors import Actor
from ctms.audit.services import create_records
from ctms.clinical.choices import (
    CommunicationType,
    Direction,
    MonitoringEventState,
    MonitoringEventType,
    SiteState,
    TeamRole,
    VisitMethod,
)
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyPerson,
    StudySite,
)

_COMMUNICATIONS_PER_SITE = 3
_REVIEW_DAYS = 12  # days after a visit during which its report is under review
_CONFIRMED_DAYS = 30  # days before a visit from which it is confirmed with the site
_CANCELLED_SHARE = 0.06
_PARTICIPANT_ROLES = (TeamRole.PRINCIPAL_INVESTIGATOR, TeamRole.STUDY_COORDINATOR)
_COMMUNICATIONS: tuple[tuple[str, str], ...] = (
    ("Newsletter: enrolment and frequent questions", "Sent to all sites; asks for the screening log by Friday."),
    ("Protocol amendment: summary of changes", "Explains the widened age range and the additional ECG at week 8."),
    ("Request for updated CV and medical licence", "The licence in the site file expires within three months."),
    ("Query ageing report", "Queries older than 30 days are listed by subject."),
    ("Reply to the ethics committee's questions", "Wording agreed with the sponsor's medical monitor."),
    ("Drug supply: next shipment confirmed", "Two pallets leave the depot on Monday, temperature logger included."),
    ("Safety letter acknowledged", "Signed acknowledgement filed in section 9 of the investigator site file."),
    ("Budget: invoice for screening failures", "Invoice received, forwarded to contracts."),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit. `day` is the planned day, counted from today; `state` is None if it follows from the day."""

    kind: MonitoringEventType
    day: int
    state: MonitoringEventState | None = None


def create_events(*, teams: list[Team], today: date, rng: Random, actor: Actor) -> None:
    """Write every site's visits with two participants each, and keep them in `Team.events`."""
    for team in teams:
        if team.site is not None:
            visits = _plan_visits(team=team, rng=rng)
            team.events = [
                _build_event(site=team.site, visit=visit, position=position, today=today, rng=rng)
                for position, visit in enumerate(visits)
            ]
    create_records(records=[event for team in teams for event in team.events], actor=actor)
    create_records(
        records=[
            MonitoringEventParticipant(
                uid=make_uid("participant", f"{event.uid}/{member.uid}"),
                monitoring_event=event,
                person=member.person,
                role=member.get_team_role_display(),
            )
            for team in teams
            for event in team.events
            for member in _list_participants(team)
        ],
        actor=actor,
    )


def create_communications(*, teams: list[Team], today: date, rng: Random, actor: Actor) -> None:
    """Write every site's communications of the last half year, with one or two contacts each."""
    logs: list[StudyCommunicationLog] = []
    contacts: list[StudyCommunicationContact] = []
    for team in teams:
        if team.site is None:
            continue
        for position in range(_COMMUNICATIONS_PER_SITE):
            subject, summary = rng.choice(_COMMUNICATIONS)
            log = StudyCommunicationLog(
                uid=make_uid("communication", f"{team.site.uid}/{position}"),
                object_type=rng.choice(CommunicationType.values),
                study=team.study,
                study_country=team.site.study_country,
                site=team.site,
                date=today - timedelta(days=rng.randrange(180)),
                subject=subject,
                summary=summary,
                direction=rng.choice(Direction.values),
            )
            logs.append(log)
            people = {member.person.external_id: member.person for member in team.members}
            contacts.extend(
                StudyCommunicationContact(
                    uid=make_uid("contact", f"{log.uid}/{person.uid}"), communication=log, person=person
                )
                for person in rng.sample(list(people.values()), k=rng.choice((1, 1, 2)))
            )
    create_records(records=logs, actor=actor)
    create_records(records=contacts, actor=actor)


def _plan_visits(*, team: Team, rng: Random) -> list[Visit]:
    kind = MonitoringEventType
    state = team.site.lifecycle_state if team.site else ""
    if state == SiteState.CANDIDATE:
        return [Visit(kind.PRE_STUDY_VISIT, rng.randrange(5, 45))]
    if state == SiteState.SELECTED:
        return [
            Visit(kind.PRE_STUDY_VISIT, -rng.randrange(4, 60)),
            Visit(kind.SITE_INITIATION_VISIT, rng.randrange(40, 90)),
        ]
    if state == SiteState.INITIATING:
        return [
            Visit(kind.PRE_STUDY_VISIT, -rng.randrange(60, 120)),
            Visit(kind.SITE_INITIATION_VISIT, rng.randrange(3, 30)),
        ]
    if state == SiteState.CLOSED:
        end = team.trial.starts_in + team.trial.lasts
        start = team.trial.starts_in + rng.randrange(20, 70)
        middle = (start + end) // 2
        return [
            Visit(kind.PRE_STUDY_VISIT, start - 75),
            Visit(kind.SITE_INITIATION_VISIT, start),
            Visit(kind.INTERIM_MONITORING_VISIT, middle),
            Visit(kind.CLOSE_OUT_VISIT, end - rng.randrange(5, 25)),
        ]
    initiated = rng.randrange(max(team.trial.starts_in + 20, -500), -100)
    latest = -rng.randrange(2, 60)
    cancelled = (
        [Visit(kind.INTERIM_MONITORING_VISIT, latest - 9, MonitoringEventState.CANCELLED)]
        if rng.random() < _CANCELLED_SHARE
        else []
    )
    return [
        Visit(kind.PRE_STUDY_VISIT, initiated - 75),
        Visit(kind.SITE_INITIATION_VISIT, initiated),
        *cancelled,
        Visit(kind.INTERIM_MONITORING_VISIT, latest),
        Visit(kind.INTERIM_MONITORING_VISIT, latest + rng.randrange(56, 75)),
    ]


def _build_event(*, site: StudySite, visit: Visit, position: int, today: date, rng: Random) -> MonitoringEvent:
    start = today + timedelta(days=visit.day)
    end = start + timedelta(days=rng.choice((0, 0, 1)))
    if visit.state is not None:
        state = visit.state
    elif end >= today:
        state = MonitoringEventState.CONFIRMED if visit.day < _CONFIRMED_DAYS else MonitoringEventState.EXPECTED
    else:
        state = MonitoringEventState.FINAL if visit.day < -_REVIEW_DAYS else MonitoringEventState.READY_FOR_REVIEW
    has_taken_place = state in (MonitoringEventState.FINAL, MonitoringEventState.READY_FOR_REVIEW)
    return MonitoringEvent(
        uid=make_uid("event", f"{site.uid}/{position}"),
        object_type=visit.kind,
        study=site.study,
        study_country=site.study_country,
        site=site,
        lifecycle_state=state,
        planned_start=start,
        planned_end=end,
        actual_start=start if has_taken_place else None,
        actual_end=end if has_taken_place else None,
        visit_method=rng.choices(VisitMethod.values, weights=(6, 3, 1))[0],
    )


def _list_participants(team: Team) -> list[StudyPerson]:
    chosen: dict[str, StudyPerson] = {}
    for member in team.members:
        if member.team_role in _PARTICIPANT_ROLES and member.team_role not in chosen:
            chosen[member.team_role] = member
    return list(chosen.values())
