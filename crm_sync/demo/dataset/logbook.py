"""Writes the 10,000 Clinical Activities: ten planted ones, two that change later, and those that study teams log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from activities.choices import ActivityType, Channel
from activities.models import Activity
from crm_sync.demo.dataset.expectations import LONG_SUBJECT, LONG_SUBJECT_KEY, PLANTED_PEOPLE, build_activity_key
from crm_sync.demo.dataset.identity import make_uid
from crm_sync.demo.dataset.people import Population
from crm_sync.demo.dataset.subjects import (
    DELETED_SUBJECT,
    EDITED_SUBJECT,
    NOTES,
    OTHER_SUBJECTS,
    SITE_SUBJECTS,
    STUDY_SUBJECTS,
)
from crm_sync.demo.dataset.vault import Team
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import create_records
from ctms.clinical.choices import StudyState
from ctms.clinical.models import Person

ACTIVITY_COUNT = 10_000
EDITED_KEY = "later/edited"
DELETED_KEY = "later/deleted"

_CHANNEL_WEIGHTS = {
    Channel.EMAIL: 34,
    Channel.PHONE: 27,
    Channel.IN_PERSON: 16,
    Channel.VIDEO: 14,
    Channel.CHAT_TEXT: 6,
    Channel.OTHER: 3,
}
# First and last day counted from today, by state of the study.
_DAYS = {
    StudyState.PLANNING: (-90, 75),
    StudyState.ENROLLING: (-230, 60),
    StudyState.ACTIVE: (-300, 60),
    StudyState.CLOSED: (-760, -160),
}
_DEFAULT_DAYS = (-300, 60)
_STUDY_SHARE, _OTHER_SHARE = 0.05, 0.03
_OVERDUE_SHARE, _NOTES_SHARE, _EVENT_SHARE, _MAIN_AUTHOR_SHARE = 0.03, 0.3, 0.15, 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """The users who log activities: `by_study` those who work on a study, by its number, and `everyone`."""

    by_study: dict[str, list[User]]
    everyone: list[User]


def create_activities(*, teams: list[Team], population: Population, authors: Authors, today: date, rng: Random) -> None:
    """Write all activities, each as its author, whose name and e-mail address are in From."""
    made: dict[int, list[Activity]] = defaultdict(list)
    users = {user.pk: user for user in authors.everyone}
    planted = _build_planted_activities(teams=teams, population=population, today=today)
    for values in planted:
        user = authors.everyone[0]
        made[user.pk].append(_build_activity(author=user, **values))
    site_teams = [team for team in teams if team.site is not None]
    study_teams = [team for team in teams if team.site is None]
    people = population.list_matched_people()
    main_authors = {id(team): rng.choice(authors.by_study.get(team.study.name, authors.everyone)) for team in teams}
    for number in range(ACTIVITY_COUNT - len(planted)):
        draw = rng.random()
        if draw < _OTHER_SHARE:
            values = _choose_contact(person=rng.choice(people), rng=rng)
            main, days = rng.choice(authors.everyone), _DEFAULT_DAYS
        else:
            team = rng.choice(study_teams if draw < _OTHER_SHARE + _STUDY_SHARE else site_teams)
            values = _choose_from_team(team=team, rng=rng)
            main, days = main_authors[id(team)], _DAYS[team.trial.state]
        author = main if rng.random() < _MAIN_AUTHOR_SHARE else rng.choice(authors.everyone)
        day = rng.randint(*days)
        made[author.pk].append(
            _build_activity(
                author=author,
                uid=make_uid("activity", number),
                date=today + timedelta(days=day),
                complete=day < 0 and rng.random() >= _OVERDUE_SHARE,
                channel=rng.choices(list(_CHANNEL_WEIGHTS), weights=list(_CHANNEL_WEIGHTS.values()))[0],
                notes=rng.choice(NOTES) if rng.random() < _NOTES_SHARE else "",
                **values,
            )
        )
    for pk, activities in made.items():
        create_records(records=activities, actor=Actor(user=users[pk], source="command", reference="demo"))


def _build_activity(*, author: User, **values: Any) -> Activity:
    return Activity(object_type=ActivityType.CLINICAL, from_text=author.display_contact, **values)


def _choose_contact(*, person: Person, rng: Random) -> dict[str, Any]:
    return {"person": person, "subject": rng.choice(OTHER_SUBJECTS)}


def _choose_from_team(*, team: Team, rng: Random) -> dict[str, Any]:
    member = rng.choice(team.members)
    values: dict[str, Any] = {"person": member.person, "study": team.study, "study_person": member}
    if team.site is None:
        values["subject"] = _fill(rng.choice(STUDY_SUBJECTS), prefix=team.study.name, rng=rng)
        return values
    values |= {"site": team.site, "study_country": team.site.study_country}
    values["subject"] = _fill(rng.choice(SITE_SUBJECTS), prefix=team.site.name, rng=rng)
    if team.events and rng.random() < _EVENT_SHARE:
        values["monitoring_event"] = rng.choice(team.events)
    return values


def _fill(subject: str, *, prefix: str, rng: Random) -> str:
    return subject.format(
        subject=f"{prefix}-{rng.randint(1, 40):03d}", visit=rng.randint(2, 14), number=rng.randint(1, 9)
    )


def _build_planted_activities(*, teams: Sequence[Team], population: Population, today: date) -> list[dict[str, Any]]:
    """Return the values of the activities that fail, and of the two that `plant_later_changes` changes."""
    by_country: dict[str, list[Team]] = defaultdict(list)
    for team in teams:
        if team.site is not None:
            by_country[team.site.study_country.country].append(team)
    planted = []
    for plan, person in zip(PLANTED_PEOPLE, population.planted, strict=True):
        for position, subject in enumerate(plan.subjects):
            key = build_activity_key(person=plan, position=position)
            planted.append((key, by_country[plan.country][0], person, subject, -14 + 3 * position))
    team = by_country["US"][0]
    contact = team.members[0].person
    planted += [
        (LONG_SUBJECT_KEY, team, contact, LONG_SUBJECT, -2),
        (EDITED_KEY, team, contact, EDITED_SUBJECT, 5),
        (DELETED_KEY, team, contact, DELETED_SUBJECT, 12),
    ]
    return [
        {
            "uid": make_uid("activity", key),
            "person": person,
            "study": of.study,
            "study_country": of.site.study_country if of.site else None,
            "site": of.site,
            "subject": subject,
            "date": today + timedelta(days=day),
            "complete": day < 0,
            "channel": Channel.EMAIL,
        }
        for key, of, person, subject, day in planted
    ]
