"""Every delivered report answers what a count over the records gives that its reader sees, and names nothing else."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from activities.choices import Channel
from activities.contacts.writing import write_contacts
from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.choices import RecordWord
from crm_sync.models import Difference
from ctms.accounts.models import User
from ctms.clinical.choices import MonitoringEventState
from ctms.configuration.permissions import list_areas
from ctms.configuration.registry import list_objects
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError
from ctms.reports.definition import ReportDefinition
from ctms.reports.delivered import list_delivered_reports
from ctms.reports.engine.groups import HIDDEN_GROUP
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.opening import OpenReport, open_report
from ctms.reports.engine.rows import count_rows, iterate_rows
from ctms.reports.engine.summaries import read_summary
from tests import admin_rows
from tests.clocks import stay_at_noon
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.reports.brute_force import BruteForce

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.system]

SECRET = "Unseen"
MOST = 500


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Let the day be the same when records are made and when they are read."""
    with stay_at_noon():
        yield


def build_world(dice: random.Random) -> list[Any]:
    """Two studies that the reader sees, one of them at a site alone, and one that the reader does not see."""
    today = timezone.localdate()
    studies = [StudyFactory.create(name=name, study_name=name) for name in ("A-1", "B-2", f"{SECRET}-3")]
    countries = [StudyCountryFactory.create(study=study) for study in studies]
    sites = [
        StudySiteFactory.create(study_country=country, site_name=name, principal_investigator=None)
        for country, names in zip(countries, (("x", "y"), ("z", f"{SECRET} site"), (SECRET, SECRET)), strict=True)
        for name in names
    ]
    shown = [*sites[:3]]
    persons = {
        site: [PersonFactory.create(last_name=_name(site, shown, number)) for number in (1, 2)] for site in sites
    }
    for site, each in persons.items():
        StudyPersonFactory.create(site=site, study=site.study, person=each[0])
    for _ in range(30):
        site = dice.choice(sites)
        ActivityFactory.create(
            study=site.study,
            study_country=site.study_country,
            site=dice.choice([site, site, None]) if site in sites[:2] else site,
            person=dice.choice(persons[site]),
            date=today - dt.timedelta(days=dice.choice([-3, 0, 1, 40, 200, 364, 365, 366, 500])),
            channel=dice.choice(Channel.values),
            complete=dice.random() < 0.7,
            status=dice.choice([RecordStatus.ACTIVE, RecordStatus.ACTIVE, RecordStatus.INACTIVE]),
            subject=_name(site, shown, 0),
        )
    for _ in range(15):
        site, start = dice.choice(sites), today - dt.timedelta(days=dice.randrange(120))
        MonitoringEventFactory.create(
            site=site,
            study=site.study,
            study_country=site.study_country,
            planned_start=dice.choice([start, None]),
            planned_end=None,
            actual_end=dice.choice([start + dt.timedelta(days=1), None]),
            lifecycle_state=dice.choice(MonitoringEventState.values),
            status=dice.choice([RecordStatus.ACTIVE, RecordStatus.ACTIVE, RecordStatus.INACTIVE]),
        )
    write_contacts()
    build_transfer(dice)
    return [studies[0], studies[1], sites[2]]


def build_transfer(dice: random.Random) -> None:
    """Exceptions, differences and runs about activities of all studies."""
    activities = list(Activity.objects.order_by("pk"))
    reconciliation = admin_rows.BUILDERS["crm_sync.Reconciliation"]()
    integrations = list(reconciliation.connection.integrations.order_by("pk"))
    for kind in (IntegrationKind.CALL_INBOUND, IntegrationKind.CALL_OUTBOUND):
        message = admin_rows.create_exception_message(
            connection=reconciliation.connection,
            integration=reconciliation.connection.integrations.get(kind=kind),
            name=kind.label,
        )
        for number, each in enumerate(dice.sample(activities, 6)):
            admin_rows.create_exception_item(
                message=message, key=f"{kind}-{number}", item=each.subject, record_uid=each.uid
            )
    for each in dice.sample(activities, 8):
        Difference.objects.create(
            reconciliation=reconciliation,
            integration=dice.choice(integrations),
            record_uid=each.uid,
            name=each.subject,
            word=dice.choice(RecordWord.values),
            is_repaired=dice.random() < 0.3,
        )
    for _ in range(3):
        admin_rows.BUILDERS["crm_sync.IntegrationRun"]()


def create_reader(seen: list[Any], *without: str) -> User:
    permissions = [f"{each.api_name}:read" for each in list_objects() if each.api_name not in without]
    permissions += ["connection__sys:edit", *(area.permission for area in list_areas())]
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    first, second, site = seen
    StudyAssignmentFactory.create(user=user, study=first)
    StudyAssignmentFactory.create(user=user, study=second, site=site)
    return user


@pytest.mark.parametrize("seed", [1, 2])
def test_each_answers_what_its_reader_would_count_and_names_nothing_else(seed: int) -> None:
    seen = build_world(random.Random(seed))  # noqa: S311  no secret
    unread_by_one = ("person__sys", "site__v")
    for user, unread in ((create_reader(seen), ()), (create_reader(seen, *unread_by_one), unread_by_one)):
        for delivered in list_delivered_reports():
            definition = delivered.definition
            if definition.type.primary in unread:
                with pytest.raises(AccessRefusedError):
                    open_report(definition=definition, user=user)
                continue
            opened = open_report(definition=definition, user=user)
            opened.require_valid()
            brute = BruteForce(user=user, definition=definition)
            assert brute.list_records(), f"{delivered.key} has nothing to count"
            check_rows(opened, brute)
            if definition.groups:
                check_groups(opened, brute)
            if definition.across is not None:
                check_matrix(opened, brute, definition)


def check_rows(opened: OpenReport, brute: BruteForce) -> None:
    rows, expected = list(iterate_rows(opened)), brute.list_rows()
    assert count_rows(opened) == len(rows) == len(expected)
    assert SECRET not in repr(rows)
    own = [number for number, each in enumerate(opened.columns) if not each.part.mark]
    names = [opened.columns[number].key for number in own]
    found = sorted([_tell(row[number]) for number in own] for row in rows)
    assert found == sorted([_tell_value(brute.read(record, name)) for name in names] for record, _ in expected)


def check_groups(opened: OpenReport, brute: BruteForce) -> None:
    page = read_summary(opened, size=MOST)
    assert SECRET not in repr(page)
    for level in range(1, len(opened.groups) + 1):
        lines = {tuple(each.at): read_values(each.figures) for each in page.lines if each.level == level}
        assert lines == brute.list_figures(opened.definition.groups[:level])
    assert read_values(page.total.figures) == brute.measure(brute.list_records())
    for line in page.lines[:5]:
        assert (
            count_rows(opened, at=line.at) == brute.list_counts(opened.definition.groups[: line.level])[tuple(line.at)]
        )


def check_matrix(opened: OpenReport, brute: BruteForce, definition: ReportDefinition) -> None:
    page = read_matrix(opened, size=MOST)
    assert SECRET not in repr(page)
    across = definition.across
    assert across is not None
    cells = {
        (*(each.identity for each in line.values), column): read_values(figures)
        for line in page.lines
        for column, figures in line.cells.items()
    }
    assert cells == brute.list_figures([*definition.groups, across])
    assert {(each.values[0].identity,): read_values(each.figures) for each in page.across} == brute.list_figures(
        [across]
    )


def read_values(figures: Any) -> tuple[Any, ...]:
    return tuple(each.value for each in figures)


def _tell(cell: Any) -> str:
    if cell.is_hidden:
        return HIDDEN_GROUP
    return "" if cell.value is None else str(cell.value).partition(" · ")[0]


def _tell_value(value: Any) -> str:
    return "" if value is None else str(value).partition(" · ")[0]


def _name(site: Any, shown: list[Any], number: int) -> str:
    return f"{'Known' if site in shown else SECRET}{site.pk}{number}"
