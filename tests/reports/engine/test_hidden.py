"""What a reader may not see: it is in no column, group, figure or order, and takes no row away that the reader sees."""

from __future__ import annotations

from typing import Any

import pytest

from ctms.accounts.models import User
from ctms.records.fields.references import HIDDEN
from ctms.reports.definition import TypeDefinition
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.rows import count_rows
from ctms.reports.engine.summaries import read_summary
from ctms.reports.errors import InvalidReportError
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import (
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
)
from tests.reports.engine.test_engine import ask, list_texts, show

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def create_reader(study: Any, *objects: str) -> User:
    profile = SecurityProfileFactory.create(permissions=[f"{name}:read" for name in objects])
    user = UserFactory.create(security_profile=profile)
    if study is not None:
        StudyAssignmentFactory.create(user=user, study=study)
    return user


def test_rows_stay_where_a_reference_that_is_never_empty_leads_to_what_is_hidden() -> None:
    study = StudyFactory.create(name="MINE")
    for name in ("One", "Two"):
        ActivityFactory.create(study=study, person=PersonFactory.create(last_name=name))
    user = create_reader(study, "crm_activity__v", "study__v")
    opened = ask(user, columns=["person__v", "study__v"], sort=["person__v"], groups=[{"column": "person__v"}])
    assert list_texts(opened) == [[HIDDEN, str(study)]] * 2
    summary = read_summary(opened, size=10)
    assert show(summary) == [([HIDDEN], ["2"])]
    assert count_rows(opened, at=["hidden"]) == 2
    distinct = ask(
        user, groups=[{"column": "study__v"}], measures=[{"function": "distinct", "column": "person__v"}, {}]
    )
    assert [each.text for each in read_summary(distinct, size=10).total.figures] == ["0", "2"]
    across = read_matrix(ask(user, groups=[{"column": "study__v"}], across={"column": "person__v"}), size=10)
    assert [each.values[0].text for each in across.across] == [HIDDEN]


def test_a_way_through_what_is_hidden_ends_there() -> None:
    participant = MonitoringEventParticipantFactory.create()
    event = participant.monitoring_event
    objects = ("monitoring_event_participant__ctms", "monitoring_event__ctms", "site__v", "study__v")
    user = create_reader(event.study, *objects)
    ways = ["monitoring_event__v.site__v.study__v", "monitoring_event__v.site__v.study__v.name__v"]
    about = TypeDefinition(primary="monitoring_event_participant__ctms")
    assert list_texts(ask(user, about, columns=ways)) == [[str(event.study), event.study.name]]
    user = create_reader(event.study, *(name for name in objects if name != "study__v"))
    assert list_texts(ask(user, about, columns=ways[:1])) == [[HIDDEN]]


@pytest.mark.parametrize("name", ["uid__sys", "study__v.uid__sys", "custom_fields__v"])
def test_what_is_no_column_of_the_database_is_no_column_whoever_writes_it_into_a_report(name: str) -> None:
    user = create_reader(StudyFactory.create(), "site__v", "study__v")
    with pytest.raises(InvalidReportError, match=f"has no column {name} "):
        ask(user, TypeDefinition(primary="site__v"), columns=["name__v", name])
