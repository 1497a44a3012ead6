"""Reports are built on one page: type, filters, columns, groups, figures, chart; nothing is kept before it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from activities.choices import Channel
from ctms.audit.models import AuditEntry
from ctms.reports.choices import ShareRole
from ctms.reports.models import Report, ReportType
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory, ReportTypeFactory
from tests.reports.pages.people import READS, create_user, log_in

pytestmark = pytest.mark.django_db

ACTIVITIES = "/reports/new/?type=object:crm_activity__v"


def list_built() -> list[Report]:
    """Return the reports that are not delivered."""
    return list(Report.objects.filter(delivered_key=None))


def condition(number: int, path: str, prefix: str = "", **values: Any) -> dict[str, Any]:
    """Return what the form sends of a condition."""
    row = f"{prefix}c{number}"
    return {
        f"{prefix}condition": path,
        f"{prefix}place": "",
        f"{prefix}number": str(number),
        **{f"{row}-{name}": value for name, value in values.items()},
    }


def list_messages(response: Any) -> list[str]:
    return [str(each) for each in get_messages(response.wsgi_request)]


def test_a_report_is_built_from_a_type_and_saved_with_an_audit_entry() -> None:
    user = create_user()
    ReportTypeFactory.create(name="Calls", primary_object="crm_activity__v")
    ReportTypeFactory.create(name="Secrets", primary_object="connection__sys")
    client = log_in(user)
    choose = client.get(reverse("report_new"))
    types = {each.label for each in choose.context["types"]}
    assert "Calls" in types
    assert "Secrets" not in types
    assert {"Studies", "People"} <= {each.label for each in choose.context["objects"]}
    assert "Choose what the report is about." in client.get("/reports/new/?type=").content.decode()
    assert client.get("/reports/new/?type=object:connection__sys").status_code == 404
    study = StudyFactory.create(name="A-1")
    ActivityFactory.create(study=study, channel=Channel.PHONE)
    address = f"/reports/new/?type={ReportType.objects.get(name='Calls').uid}"
    first = client.get(address).context
    assert first["form"].asked["columns"][0] == "subject__v"  # a report begins with the columns of the list
    assert len(first["preview"].table.rows) == 1
    typed = {
        "name": " Calls by study ",
        "description": "Of this year",
        **condition(0, "channel__v", operator="is", value=[Channel.PHONE]),
        "column": ["subject__v", "study__v.name__v"],
        "sort-0": "date__v",
        "sort-0-order": "down",
        "group-0": "study__v",
        "group-0-order": "0-down",
        "group-1": "date__v",
        "group-1-period": "quarter",
        "measure-0": "records",
        "measure-1": "person__v",
        "measure-1-function": "distinct",
        "prompt-0": "study__v",
        "chart": "stacked",
        "chart-measure": "1",
        "row_limit": "100",
    }
    answer = client.post(address, typed | {"save": "1"})
    [report] = list_built()
    assert answer.headers["Location"] == reverse("report", args=(report.uid,))
    assert (report.name, report.description, report.owner, report.row_limit) == (
        "Calls by study",
        "Of this year",
        user,
        100,
    )
    assert report.filters == [{"field": "channel__v", "operator": "is", "values": [Channel.PHONE]}]
    assert report.columns == ["subject__v", "study__v.name__v"]
    assert report.sort == ["-date__v"]
    # Only the last group can be in the order of a figure.
    assert report.groups == [
        {"column": "study__v", "descending": True},
        {"column": "date__v", "period": "quarter"},
    ]
    assert report.measures == [
        {"function": "count", "column": ""},
        {"function": "distinct", "column": "person__v"},
    ]
    assert (report.prompts, report.chart) == (["study__v"], {"kind": "stacked", "measure": 1})
    assert AuditEntry.objects.filter(object_name="report__sys", actor=user).exists()
    # What is stored comes back into the form as it was.
    again = client.get(reverse("report_edit", args=(report.uid,))).context["form"]
    assert again.definition == client.post(address, typed | {"preview": "1"}).context["form"].definition


def test_every_step_works_by_buttons_and_keeps_nothing() -> None:
    client = log_in(create_user())
    ActivityFactory.create(subject="dose")
    added = client.post(ACTIVITIES, {"about-top": "subject__v", "add": "top", "column": ["subject__v"]})
    assert [row.label for row in added.context["form"].filters[""].rows] == ["Subject"]
    assert added.context["preview"].problems  # until the condition has a value
    filled = condition(0, "subject__v", operator="contains", value="dos")
    shown = client.post(ACTIVITIES, {**filled, "column": ["subject__v", "date__v", "channel__v"], "preview": "1"})
    assert len(shown.context["preview"].table.rows) == 1
    moved = client.post(ACTIVITIES, {**filled, "column": ["subject__v", "date__v", "channel__v"], "down": "subject__v"})
    assert moved.context["form"].asked["columns"] == ["date__v", "subject__v", "channel__v"]
    assert [each.label for each in moved.context["preview"].table.heads[0]] == ["Date", "Subject", "Channel"]
    removed = client.post(ACTIVITIES, {**filled, "column": ["subject__v"], "remove": "0"})
    assert removed.context["form"].filters[""].rows == []
    assert list_built() == []


def test_errors_stand_beside_their_fields() -> None:
    client = log_in(create_user())
    typed = {
        **condition(0, "date__v", operator="from"),
        "column": ["subject__v", "gone__c"],
        "row_limit": "many",
        "save": "1",
    }
    response = client.post(ACTIVITIES, typed)
    content, form = response.content.decode(), response.context["form"]
    assert form.errors.keys() == {"name", "row_limit"}
    assert form.filters[""].rows[0].errors
    assert [each.text for each in form.column_problems] == [
        "Activity has no column gone__c that you may see (any more). Remove it, or ask an admin."
    ]
    assert 'aria-describedby="report-name-error"' in content
    assert "gone__c (not there any more)" in content
    assert list_built() == []


def test_a_report_of_two_objects_has_filters_on_each() -> None:
    user = create_user(
        "report__sys:read", "report__sys:create", "exception_message__sys:read", "exception_item__sys:read"
    )
    stored = ReportTypeFactory.create(
        name="User Exception Message with User Exception Item",
        primary_object="exception_message__sys",
        related_objects=["exception_item__sys.exception_message__sys"],
    )
    client = log_in(user)
    address = f"/reports/new/?type={stored.uid}"
    content = client.get(address).content.decode()
    assert "User Exception Message filters" in content
    assert "User Exception Item filters" in content
    typed = {
        "name": "Items",
        **condition(0, "status__v", operator="is", value=["active__v"]),
        **condition(0, "error_message__sys", prefix="related-", operator="contains", value="dose"),
        "column": ["name__v", "exception_item__sys:error_type__sys"],
        "group-0": "name__v",
        "measure-0": "exception_item__sys:",
    }
    assert not client.post(address, typed | {"preview": "1"}).context["preview"].problems
    more = client.post(address, typed | {"related-about-top": "error_type__sys", "related-add": "top"})
    assert [len(form.rows) for _, form in more.context["form"].sections] == [1, 2]
    client.post(address, typed | {"save": "1"})
    [report] = list_built()
    assert [each["field"] for each in (*report.filters, *report.related_filters)] == ["status__v", "error_message__sys"]
    assert report.measures == [{"function": "count", "column": "exception_item__sys:"}]


def edit(client: Client, report: Report, **values: Any) -> Any:
    typed = {"name": "New", "column": ["subject__v"], "expected_version": report.version, "save": "1"}
    return client.post(reverse("report_edit", args=(report.uid,)), typed | values)


def test_two_who_change_a_report_do_not_overwrite_each_other() -> None:
    user = create_user()
    report = ReportFactory.create(owner=user)
    client = log_in(user)
    assert edit(client, report, name="First").status_code == 302
    second = edit(client, report, name="Second")
    assert "Somebody else changed this report" in second.context["problem"]
    assert second.context["form"].name == "Second"
    report.refresh_from_db()
    assert report.name == "First"
    copied = edit(client, report, name="Second", copy="1", save="")
    assert Report.objects.get(name="Second").owner == user
    assert "it is yours" in list_messages(copied)[0]


def test_only_owner_and_editors_change_a_report_and_one_that_runs_as_its_owner_stops_to() -> None:
    owner, editor, viewer = create_user(), create_user(), create_user()
    report = ReportFactory.create(owner=owner, run_as_owner=True)
    ReportShareFactory.create(report=report, user=editor, role=ShareRole.EDITOR)
    ReportShareFactory.create(report=report, user=viewer)
    assert edit(log_in(viewer), report).status_code == 403
    assert edit(log_in(create_user()), report).status_code == 404
    assert edit(log_in(owner), report).status_code == 302
    report.refresh_from_db()
    assert report.run_as_owner
    client = log_in(editor)
    assert "When you change it" in client.get(reverse("report_edit", args=(report.uid,))).content.decode()
    answer = edit(client, report, name="By the editor")
    assert any("does not run as" in each for each in list_messages(answer))
    report.refresh_from_db()
    assert (report.name, report.run_as_owner, report.owner) == ("By the editor", False, owner)


def test_a_viewer_makes_a_copy_and_users_without_the_permission_do_not() -> None:
    viewer, reader = create_user(), create_user("report__sys:read", *READS)
    report = ReportFactory.create(name="Theirs", columns=["date__v"])
    for user in (viewer, reader):
        ReportShareFactory.create(report=report, user=user)
    answer = log_in(viewer).get(reverse("report_copy", args=(report.uid,)), follow=True)
    form = answer.context["form"]
    assert (form.name, form.asked["columns"]) == ("Theirs (copy)", ["date__v"])
    assert log_in(reader).get(reverse("report_copy", args=(report.uid,)), follow=True).status_code == 403


def test_a_list_becomes_a_report_with_its_columns_conditions_order_and_groups() -> None:
    client = log_in(create_user())
    ActivityFactory.create(subject="dose", channel=Channel.PHONE)
    query = (
        f"channel__v={Channel.PHONE}&any1.subject__v__contains=dose&any1.status__v=inactive__v"
        "&sort=-date__v&group=date__v__month&columns=subject__v,study__v"
    )
    listed = client.get(f"/records/crm_activity__v/?{query}&q=dose")
    link = listed.context["page"].links[0]
    assert link.label == "Save as report"
    response = client.get(link.url)
    form = response.context["form"]
    assert form.asked["filters"] == [
        {"field": "channel__v", "operator": "is", "values": [Channel.PHONE]},
        {
            "any": [
                {"field": "subject__v", "operator": "contains", "values": ["dose"]},
                {"field": "status__v", "operator": "is", "values": ["inactive__v"]},
            ]
        },
    ]
    assert (form.asked["columns"], form.asked["sort"]) == (["subject__v", "study__v"], ["-date__v"])
    assert form.asked["groups"] == [{"column": "date__v", "period": "month"}]
    assert "The search for “dose”" in response.context["note"]
    assert response.context["preview"].table.rows
    # The type is created with the first report about the object, and used for the second.
    for _ in range(2):
        client.post("/reports/new/?type=object:study__v", {"name": "Mine", "column": ["name__v"], "save": "1"})
    assert ReportType.objects.get(primary_object="study__v").name == "Studies"
    # A filter that is not understood is told on the list, instead of a report without it.
    broken = client.get("/reports/new/", {"type": "object:crm_activity__v", "from": "nonsense=1"})
    assert broken.headers["Location"] == "/records/crm_activity__v/?nonsense=1"


@pytest.mark.parametrize(
    "typed",
    [
        {"column": ["'\"><script>"], "group-0": "\x00", "measure-0": ":", "chart": "bar", "chart-measure": "9"},
        {"group-0": "study__v", "group-0-order": "9-down", "across": "study__v", "measure-0": "study__v"},
        {"condition": "x", "place": "any1.any1.any1.any1", "number": "99999", "row_limit": "9" * 30},
        {"up": "nothing", "prompt-0": "gone__c", "sort-0": "-", "related-add": "top"},
    ],
)
def test_hostile_forms_are_answered(typed: dict[str, Any]) -> None:
    client = log_in(create_user())
    response = client.post(ACTIVITIES, typed | {"preview": "1"})
    assert response.status_code == 200
    assert "<script>'" not in response.content.decode()
    client.post(ACTIVITIES, typed | {"save": "1", "name": "x"})
    assert list_built() == []
