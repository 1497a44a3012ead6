"""P5: lists by last contact, and the writing of one activity's dates, over a million activities and over a thousand."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable, Iterable

import pytest
from django.db import connection
from django.test import Client

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity
from ctms.audit.services import create_records, save_record
from ctms.clinical.models import Person, Study, StudyPerson, StudySite
from tests.benchmarks.million import SITES_OF_A_STUDY, assign, create_world, grow_to
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
FEW_ROWS, MANY_ROWS = 1_000, 1_000_000
ROUNDS, TIMES = 7, 30
ROWS_OF_A_PAGE, OVERDUE_OF_A_SITE, STUDIES_OF_A_USER = 50, 2, 2
OVERDUE = "overdue_since__v__empty=false&sort=overdue_since__v"
OLD = "last_contact__v__not_within=last_60_days&sort=last_contact__v"
SITES, PEOPLE = f"/records/{StudySite.object_name}/", f"/records/{StudyPerson.object_name}/"
PAGES = {
    "sites by last contact, first page": f"{SITES}?sort=-last_contact__v",
    "sites by last contact, last page": f"{SITES}?sort=-last_contact__v&cursor=last",
    "sites not contacted for 60 days": f"{SITES}?{OLD}",
    "sites overdue": f"{SITES}?{OVERDUE}",
    "study people by last contact, first page": f"{PEOPLE}?sort=-last_contact__v",
    "study people by last contact, last page": f"{PEOPLE}?sort=-last_contact__v&cursor=last",
    "study people not contacted for 60 days": f"{PEOPLE}?{OLD}",
    "study people overdue": f"{PEOPLE}?{OVERDUE}",
}


def create_roles() -> None:
    """Give each person a role in each of two studies: in the study as a whole, and at one of its sites."""
    sites = list(StudySite.objects.order_by("pk"))
    roles = []
    for number, person in enumerate(Person.objects.order_by("pk")):
        site, other = sites[number % len(sites)], sites[(number + SITES_OF_A_STUDY) % len(sites)]
        roles += [
            StudyPerson(person=person, study=site.study, study_country=site.study_country, site=site),
            StudyPerson(person=person, study=other.study),
        ]
    create_records(records=roles, actor=build_admin_actor())


def create_overdue(sites: Iterable[StudySite]) -> None:
    """Give each site two people with something overdue: a page of them is full however few activities there are."""
    for site in sites:
        roles = StudyPerson.objects.filter(site=site).order_by("pk")[:OVERDUE_OF_A_SITE]
        people = [role.person for role in roles]
        create_activities(
            len(people),
            people=people,
            date=dt.date(2022, 1, 1),
            complete=False,
            study=site.study,
            study_country=site.study_country,
            site=site,
        )


def measure(clients: dict[str, Client]) -> dict[str, float]:
    """Return, by reader and page, the seconds in which 95 of 100 requests are answered: the median of the rounds."""
    rounds: dict[str, list[float]] = {}
    for reader, client in clients.items():
        for what, url in PAGES.items():
            assert client.get(url).text.count("<tr data-uid=") == ROWS_OF_A_PAGE, (
                f"{reader}, {what}: a page that is not full"
            )
    for _ in range(ROUNDS):
        for reader, client in clients.items():
            for what, url in PAGES.items():
                rounds.setdefault(f"{reader}, {what}", []).append(measure_p95(lambda c=client, u=url: get(c, u)))  # type: ignore[misc]
        rounds.setdefault("save of an activity with its dates", []).append(measure_p95(save_one))
    return {what: statistics.median(figures) for what, figures in rounds.items()}


def get(client: Client, url: str) -> None:
    assert client.get(url).status_code == 200


def save_one() -> None:
    activity = Activity.objects.filter(site__isnull=False).order_by("-pk")[0]
    activity.date += dt.timedelta(days=1)
    save_record(record=activity, actor=build_admin_actor())


def measure_p95(act: Callable[[], None]) -> float:
    seconds = []
    for number in range(TIMES + 3):
        begun = time.perf_counter()
        act()
        if number >= 3:  # the first times fill caches
            seconds.append(time.perf_counter() - begun)
    return statistics.quantiles(seconds, n=20)[-1]


@pytest.mark.timeout(3600)
def bench_lists_by_last_contact(report_figure: Callable[..., None]) -> None:
    assert connection.vendor == "postgresql"
    create_world()
    create_roles()
    permissions = [f"{name}:read" for name in ("site__v", "study_person__clin", "study__v", "person__sys")]
    limited = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    assign(limited, last=STUDIES_OF_A_USER)
    create_overdue(StudySite.objects.filter(study__in=Study.objects.order_by("-pk")[:STUDIES_OF_A_USER]))
    clients = {"admin": Client(), "user of two studies": Client()}
    clients["admin"].force_login(UserFactory.create(is_superuser=True))
    clients["user of two studies"].force_login(limited)
    figures = []
    for count in (FEW_ROWS, MANY_ROWS):
        grow_to(count)
        begun = time.perf_counter()
        rebuild_contacts()
        seconds = time.perf_counter() - begun
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        figures.append(measure(clients))
    report_figure(row="P5", what=f"rebuild_contacts at {count:,}: {seconds:.1f} s", figure=f"{seconds:.1f} s", bar="-")
    few, many = figures
    for what, value in many.items():
        report_figure(
            row="P5",
            what=f"{what}, p95: {few[what] * 1000:.0f} ms, {value * 1000:.0f} ms",
            figure=f"{value / few[what]:.2f}",
            bar="<= 1.3",
        )
