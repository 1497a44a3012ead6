"""Reports that come with the Vault: stored once, changed by admins, and never overwritten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctms.accounts.selectors import get_system_user
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.reports.definition import TypeDefinition, read_definition, read_type
from ctms.reports.delivered import (
    deliver_reports,
    find_delivered_report,
    list_delivered_reports,
    register_delivered_report,
)
from ctms.reports.engine.columns import find_column
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.opening import open_report
from ctms.reports.engine.rows import read_rows
from ctms.reports.engine.summaries import read_summary
from ctms.reports.models import Report, ReportType
from tests.factories.base import build_admin_actor, get_admin_user

pytestmark = pytest.mark.django_db


def get_delivered(key: str) -> Report:
    found = find_delivered_report(key)
    assert found is not None
    return found


def test_each_is_stored_as_it_is_registered_and_belongs_to_the_system() -> None:
    for delivered in list_delivered_reports():
        stored = get_delivered(delivered.key)
        assert (stored.name, stored.description) == (delivered.name, delivered.description)
        assert (stored.owner, stored.status) == (get_system_user(), RecordStatus.ACTIVE)
        assert read_definition(stored) == delivered.definition
        assert read_type(stored.report_type) == delivered.definition.type


def test_what_admins_changed_stays_and_what_they_deleted_comes_back() -> None:
    actor = build_admin_actor()
    changed, deleted = get_delivered("user_exceptions"), get_delivered(list_delivered_reports()[-1].key)
    changed.name, changed.filters, changed.status = "Ours", [], RecordStatus.INACTIVE
    save_record(record=changed, actor=actor)
    delete_record(record=deleted, actor=actor)
    assert find_delivered_report(str(deleted.delivered_key)) is None
    written = AuditEntry.objects.count()
    deliver_reports(actor=actor)
    deliver_reports(actor=actor)
    changed.refresh_from_db()
    assert (changed.name, changed.filters, changed.status) == ("Ours", [], RecordStatus.INACTIVE)
    assert get_delivered(str(deleted.delivered_key)).name == deleted.name
    assert AuditEntry.objects.count() == written + 1


def test_names_that_others_have_are_left_to_them() -> None:
    actor = build_admin_actor()
    deleted = get_delivered("user_exceptions")
    report_type = deleted.report_type
    delete_record(record=deleted, actor=actor)
    delete_record(record=report_type, actor=actor)
    create_records(records=[ReportType(name=report_type.name, primary_object="study__v")], actor=actor)
    deliver_reports(actor=actor)
    assert get_delivered("user_exceptions").report_type.name == f"{report_type.name} (delivered)"


def test_a_definition_of_another_type_and_a_key_of_another_report_are_refused() -> None:
    first = list_delivered_reports()[0]
    other = replace(first.definition, type=TypeDefinition(primary="study__v"))
    with pytest.raises(ValueError, match="not of the type"):
        register_delivered_report(replace(first, key="new", definition=other))
    with pytest.raises(ValueError, match="is that of another"):
        register_delivered_report(replace(first, name="Another"))
    register_delivered_report(first)


@pytest.mark.both_databases
@pytest.mark.parametrize("key", [each.key for each in list_delivered_reports()])
def test_each_runs_as_it_is_delivered(key: str) -> None:
    stored = get_delivered(key)
    opened = open_report(definition=read_definition(stored), user=get_admin_user())
    opened.require_valid()
    assert read_rows(opened, size=5).before == 0
    assert all(find_column(parts=opened.parts, key=name) for name in opened.definition.prompts)
    if opened.across is not None:
        read_matrix(opened, size=5)
    elif opened.is_grouped:
        read_summary(opened, size=5)
