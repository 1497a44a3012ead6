"""What the Vault computes is a column like any other: shown, sorted, grouped, and reached through references."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from ctms.clinical.models import StudySite
from ctms.configuration.registry import list_objects
from ctms.configuration.snapshot import load_configuration
from ctms.reports.definition import TypeDefinition
from ctms.reports.engine.summaries import read_summary
from tests.clocks import stay_at_noon
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.reports.engine.test_engine import ask, create_reader, list_texts, show

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SITES = TypeDefinition(primary="site__v")
DAYS = "days_since_contact__v"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Let the day be the same when records are made and when they are read."""
    with stay_at_noon():
        yield


def create_site(number: str, days: int | None) -> StudySite:
    day = timezone.localdate() - dt.timedelta(days=days) if days is not None else None
    return StudySiteFactory.create(name=number, last_contact=day)


def test_every_computed_field_has_an_expression_that_answers_the_same() -> None:
    create_site("01", 75)
    create_site("02", None)
    PersonFactory.create(first_name="", last_name="Prince")
    configuration = load_configuration()
    computed = [
        (each, field)
        for each in list_objects()
        for field in configuration.get(each.api_name).fields.values()
        if field.is_computed
    ]
    assert {field.api_name for _, field in computed} == {DAYS, "full_name__v"}
    for vault_object, field in computed:
        assert field.expression is not None
        for record in vault_object.model._default_manager.annotate(answer=field.expression("")):
            assert vars(record)["answer"] == getattr(record, field.attribute)


def test_days_since_contact_are_shown_sorted_and_grouped() -> None:
    for number, days in (("01", 3), ("02", 75), ("03", None), ("04", 3)):
        create_site(number, days)
    admin = get_admin_user()
    opened = ask(admin, SITES, columns=["name__v", DAYS], sort=[f"-{DAYS}", "name__v"])
    rows = list_texts(opened)
    assert sorted(rows) == [["01", "3"], ["02", "75"], ["03", ""], ["04", "3"]]
    assert [each for each in rows if each[1]] == [["02", "75"], ["01", "3"], ["04", "3"]]
    grouped = ask(
        admin,
        SITES,
        groups=[{"column": DAYS}],
        measures=[{}, {"function": "greatest", "column": DAYS}, {"function": "sum", "column": DAYS}],
    )
    assert sorted(show(read_summary(grouped, size=10))) == [
        (["(empty)"], ["1", "–", "–"]),
        (["3"], ["2", "3", "6"]),
        (["75"], ["1", "75", "75"]),
    ]


def test_the_days_go_by_the_time_zone_of_whoever_reads() -> None:
    site = create_site("01", 0)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with timezone.override(ZoneInfo(zone)):
            assert site.last_contact is not None
            days = (timezone.localdate() - site.last_contact).days
            assert list_texts(ask(get_admin_user(), SITES, columns=[DAYS])) == [[str(days)]]


def test_it_is_reached_through_references_and_says_nothing_of_what_is_hidden() -> None:
    site = create_site("01", 12)
    person = PersonFactory.create(first_name="Ada", last_name="Lovelace")
    ActivityFactory.create(study=site.study, site=site, person=person)
    columns = [f"site__v.{DAYS}", "person__v.full_name__v"]
    assert list_texts(ask(get_admin_user(), columns=columns)) == [["12", "Ada Lovelace"]]
    reader = create_reader(site.study)
    other = create_site("02", 30)
    ActivityFactory.create(study=other.study, site=other)
    shown = list_texts(ask(reader, columns=columns))
    assert all("30" not in row for row in shown)
