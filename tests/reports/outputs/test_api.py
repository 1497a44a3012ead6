"""Reports in the REST API: which a caller sees, what they ask, their rows and groups, and how they are refused."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from activities.choices import Channel
from ctms.audit.services import save_record
from ctms.reports.errors import ReportTooSlowError
from ctms.reports.outputs.api import views
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory, ReportTypeFactory
from tests.records.api.conftest import Caller, add_custom_field, build_caller, list_errors
from tests.reports.engine.test_engine import create_reader

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(db: None) -> Caller:
    """A caller who may do everything."""
    return build_caller(get_admin_user())


def get(caller: Caller, path: str, **parameters: Any) -> Any:
    response = caller.get(path, **parameters)
    assert response.status_code == 200, response.content
    assert "no-store" in response.headers["Cache-Control"]
    return response.json()


def create_calls() -> None:
    first, second = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for study, channel, day in ((first, Channel.PHONE, 1), (first, Channel.VIDEO, 2), (second, Channel.PHONE, 3)):
        ActivityFactory.create(study=study, channel=channel, date=dt.date(2026, 3, day), subject=f"n{day}")


def test_rows_are_read_page_by_page_with_the_values_of_records(caller: Caller) -> None:
    create_calls()
    report = ReportFactory.create(
        owner=caller.user, columns=["date__v", "study__v", "channel__v", "complete__v"], sort=["date__v"]
    )
    path = f"reports/{report.uid}/rows/"
    first = get(caller, path, size=2)
    study = first["results"][0].pop("study__v")
    assert (study["name__v"], study["url"].startswith("/records/study__v/")) == ("A-1", True)
    assert first["results"][0] == {"date__v": "2026-03-01", "channel__v": "phone__v", "complete__v": False}
    assert (first["count"], first["count_is_capped"], first["previous"]) == (3, False, None)
    second = caller.client.get(first["next"]).json()
    assert [row["date__v"] for row in second["results"]] == ["2026-03-03"]
    assert caller.client.get(second["previous"]).json()["results"][1] == first["results"][1]
    narrowed = get(caller, path, channel__v="video__v")
    assert [row["date__v"] for row in narrowed["results"]] == ["2026-03-02"]


def test_groups_have_figures_subtotals_and_a_total_and_lead_to_their_rows(caller: Caller) -> None:
    money = add_custom_field(kind="currency", object_name="crm_activity__v")
    create_calls()
    ActivityFactory.create(
        study=None, channel=Channel.PHONE, custom_fields={money: {"amount": "1.50", "currency": "EUR"}}
    )
    report = ReportFactory.create(
        owner=caller.user,
        columns=["subject__v"],
        groups=[{"column": "channel__v"}, {"column": "study__v"}],
        measures=[
            {"function": "count"},
            {"function": "sum", "column": money},
            {"function": "greatest", "column": "date__v"},
        ],
    )
    page = get(caller, f"reports/{report.uid}/groups/")
    subtotal, first, *_ = page["results"]
    assert (subtotal["level"], subtotal["figures"]) == (1, [3, [{"amount": "1.50", "currency": "EUR"}], "2026-03-03"])
    channel = {"identity": "phone__v", "value": "phone__v", "text": "Phone"}
    assert (subtotal["groups"], first["groups"][0], first["groups"][1]["value"]["name__v"]) == (
        [channel],
        channel,
        "A-1",
    )
    assert page["total"]["figures"][0] == 4
    at = json.dumps([each["identity"] for each in first["groups"]])
    behind = get(caller, f"reports/{report.uid}/rows/", at=at)
    assert [row["subject__v"] for row in behind["results"]] == ["n1"]
    few = get(caller, f"reports/{report.uid}/groups/", size=1)
    following = caller.client.get(few["next"]).json()
    assert (few["results"][0], following["results"][0]) == (subtotal, subtotal)


def test_a_matrix_has_its_columns_and_cells(caller: Caller) -> None:
    create_calls()
    across = {"column": "date__v", "period": "month"}
    report = ReportFactory.create(owner=caller.user, groups=[{"column": "channel__v"}], across=across)
    page = get(caller, f"reports/{report.uid}/groups/")
    [march] = page["across"]
    assert march == {"identity": "2026-03-01", "value": "2026-03-01", "text": "March 2026", "figures": [3]}
    assert [(line["groups"][0]["text"], line["cells"]) for line in page["results"]] == [
        ("Phone", {"2026-03-01": [2]}),
        ("Video", {"2026-03-01": [1]}),
    ]
    assert (page["across_is_cut"], page["total"]["figures"]) == (False, [3])


def test_callers_find_the_reports_that_they_see_and_what_these_ask() -> None:
    study = StudyFactory.create(name="MINE")
    reader = create_reader(study, more=["report__sys:read"])
    for where in (study, StudyFactory.create(name="SECRET")):
        ActivityFactory.create(study=where)
    caller = build_caller(reader)
    mine = ReportFactory.create(
        owner=get_admin_user(), name="A calls", columns=["study__v.name__v"], prompts=["channel__v"]
    )
    hidden = ReportFactory.create(owner=get_admin_user(), name="Other")
    ReportShareFactory.create(report=mine, user=reader)
    listed, *others = get(caller, "reports/")["results"]
    assert "Other" not in [each["name__v"] for each in others]
    assert (listed["name__v"], listed["role"], listed["url"]) == ("A calls", "viewer", f"/api/v1/reports/{mine.uid}/")
    told = get(caller, f"reports/{mine.uid}/")
    assert told["columns"] == [{"name": "study__v.name__v", "label": "Study: Study number", "kind": "text"}]
    assert (told["prompts"], told["problems"], told["primary_object"]) == (["channel__v"], [], "crm_activity__v")
    rows = get(caller, f"reports/{mine.uid}/rows/")
    assert [row["study__v.name__v"] for row in rows["results"]] == ["MINE"]
    for path in ("", "rows/", "groups/"):
        response = caller.get(f"reports/{hidden.uid}/{path}")
        assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")
    assert build_caller(create_reader(study)).get("reports/").status_code == 403
    assert caller.client.post(f"/api/v1/reports/{mine.uid}/rows/", {}).status_code == 405


def test_wrong_parameters_are_named(caller: Caller) -> None:
    ActivityFactory.create()
    rows = ReportFactory.create(owner=caller.user)
    groups = ReportFactory.create(owner=caller.user, groups=[{"column": "channel__v"}])
    for path, parameters in (
        (f"{rows.uid}/rows/", {"size": "0"}),
        (f"{rows.uid}/rows/", {"size": "x"}),
        (f"{rows.uid}/rows/", {"cursor": "x"}),
        (f"{rows.uid}/rows/", {"at": "x"}),
        (f"{groups.uid}/rows/", {"at": '["a","b"]'}),
        (f"{rows.uid}/rows/", {"nothing": "1"}),
        (f"{rows.uid}/rows/", {"date__v__from": "x"}),
        (f"{rows.uid}/rows/", {"channel__v": ""}),
        (f"{rows.uid}/rows/", {"sort": "name__v"}),
        (f"{groups.uid}/groups/", {"at": '["a"]'}),
        (f"{groups.uid}/groups/", {"cursor": "x"}),
    ):
        response = caller.get(f"reports/{path}", **parameters)
        assert (response.status_code, list(list_errors(response))) == (400, list(parameters)), parameters


def test_a_report_that_cannot_be_run_says_what_has_to_be_mended(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ReportFactory.create(owner=caller.user, columns=["nothing__c"])
    response = caller.get(f"reports/{report.uid}/rows/")
    assert (response.status_code, list(list_errors(response))) == (409, ["columns"])
    assert [each["field"] for each in get(caller, f"reports/{report.uid}/")["problems"]] == ["columns"]
    assert caller.get(f"reports/{report.uid}/groups/").status_code == 409
    gone = ReportFactory.create(owner=caller.user, report_type=ReportTypeFactory.create(primary_object="gone__c"))
    assert caller.get(f"reports/{gone.uid}/rows/").status_code == 409
    told = get(caller, f"reports/{gone.uid}/")
    assert (told["columns"], [each["field"] for each in told["problems"]]) == ([], ["type"])
    report.columns = ["name__v"]
    save_record(record=report, actor=build_admin_actor())

    def stop(*_: Any, **__: Any) -> None:
        raise ReportTooSlowError("The report was stopped.")

    monkeypatch.setattr(views, "read_rows", stop)
    slow = caller.get(f"reports/{report.uid}/rows/")
    assert (slow.status_code, slow.json()["detail"]) == (503, "The report was stopped.")
