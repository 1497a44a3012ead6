"""The team view tells study managers what is open and overdue in their studies, by owner."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.clinical.choices import AssignmentRole
from tests.activities.home.people import READ, TODAY, create_user, find_panel, get_panel, open_home
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TEAM = "?view=team"


@pytest.fixture
def manager() -> User:
    user = create_user(READ)
    StudyAssignmentFactory.create(
        user=user, study=StudyFactory.create(name="CARD-1"), role=AssignmentRole.STUDY_MANAGER
    )
    return user


def test_a_row_for_each_owner_the_most_overdue_first(client: Client, manager: User) -> None:
    study = manager.study_assignments.get().study
    anna, ben = (UserFactory.create(username=name, first_name=name.title(), last_name="Li") for name in ("anna", "ben"))
    for owner, days in ((anna, (-1, 3, 9)), (ben, (-8, -2, 0)), (None, (-4,))):
        for each in days:
            ActivityFactory.create(study=study, owner=owner, date=TODAY + dt.timedelta(days=each))
    ActivityFactory.create(study=StudyFactory.create(), owner=anna, date=dt.date(2026, 1, 1))  # of another study
    ActivityFactory.create(study=study, owner=anna, date=dt.date(2026, 1, 1), complete=True)
    shown = [
        (row.name, row.overdue, row.week, row.open, row.oldest) for row in get_panel(manager, "team", TEAM)["rows"]
    ]
    admin = ("Ada Admin", 1, 0, 1, dt.date(2026, 2, 28))
    assert shown == [
        ("Ben Li", 2, 1, 3, dt.date(2026, 2, 24)),
        ("Anna Li", 1, 1, 3, dt.date(2026, 3, 3)),
        admin,
    ]


def test_the_switch_is_for_who_manages_a_study(manager: User) -> None:
    cra = create_user(READ)
    StudyAssignmentFactory.create(user=cra, study=manager.study_assignments.get().study, role=AssignmentRole.CRA)
    reader = create_user(["study__v:read"])
    StudyAssignmentFactory.create(
        user=reader, study=manager.study_assignments.get().study, role=AssignmentRole.STUDY_MANAGER
    )
    assert [
        'aria-label="View of the home page"' in open_home(each).content.decode() for each in (manager, cra, reader)
    ] == [
        True,
        False,
        False,
    ]
    assert find_panel(cra, "team", TEAM) is None
    assert find_panel(cra, "due", TEAM) is not None  # an address that is not offered shows the user's own


def test_an_assignment_that_ended_manages_nothing_any_more(manager: User) -> None:
    user = create_user(READ)
    study = manager.study_assignments.get().study
    StudyAssignmentFactory.create(user=user, study=study, role=AssignmentRole.CRA)
    StudyAssignmentFactory.create(
        user=user, study=study, role=AssignmentRole.STUDY_MANAGER, valid_until=dt.date(2026, 3, 1)
    )
    assert find_panel(user, "team", TEAM) is None


def test_the_view_keeps_favourites_and_says_which_it_is(manager: User) -> None:
    keys = [panel["key"] for panel in open_home(manager, TEAM).context["panels"]]
    assert keys == ["team", "recent"]
    page = open_home(manager, TEAM).content.decode()
    assert '<a href="/?view=team"' in page
    assert 'aria-current="page">Team</a>' in " ".join(page.split()).replace('" >', '">')
