"""Old operations and drafts go with their problems and leases; what they changed can still be undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from ctms.core.clock import get_now
from ctms.jobs.models import JobRun, Lease
from ctms.records.models import BulkOperation, OperationProblem
from tests.admin_forms import log_in_admin
from tests.factories.bulk import create_activities
from tests.housekeeping import keep_house
from tests.records.bulk.steps import confirm, do_edit, do_import, prepare_edit, run_job, upload
from tests.records.undo.steps import find_last, undo

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FILE = "external_id__v,first_name__v,last_name__v\nP-1,Ada,Byron\nP-2,Grace,\n"


def age(operation: BulkOperation, *, days: float) -> None:
    then = get_now() - timedelta(days=days)
    BulkOperation.objects.filter(pk=operation.pk).update(created_at=then)
    BulkOperation.objects.filter(pk=operation.pk, finished_at__isnull=False).update(finished_at=then)
    JobRun.objects.filter(unit_key__endswith=str(operation.uid), finished_at__isnull=False).update(finished_at=then)


def test_an_ended_operation_goes_with_its_problems_runs_and_leases(client: Client) -> None:
    log_in_admin(client)
    old, young = (do_import(client, "person__sys", FILE.replace("P-", f"{name}-")) for name in ("A", "B"))
    age(old, days=401)
    assert old.problems.exists()
    keep_house()
    assert list(BulkOperation.objects.all()) == [young]
    assert set(OperationProblem.objects.values_list("operation", flat=True)) == {young.pk}
    assert not JobRun.objects.filter(unit_key__endswith=str(old.uid)).exists()
    assert JobRun.objects.filter(unit_key__endswith=str(young.uid)).exists()
    assert not Lease.objects.filter(key__endswith=str(old.uid)).exists()


def test_a_draft_that_nobody_confirmed_goes_and_a_young_one_stays(client: Client) -> None:
    log_in_admin(client)
    old, young = (upload(client, "person__sys", FILE) for _ in range(2))
    age(old, days=8)
    keep_house()
    assert list(BulkOperation.objects.all()) == [young]


def test_what_waits_for_a_worker_stays_however_old(client: Client) -> None:
    log_in_admin(client)
    operation = prepare_edit(client, "crm_activity__v", create_activities(1), subject__v="After")
    confirm(client, operation)
    age(operation, days=900)
    keep_house()
    assert run_job(operation).message
    assert operation.done == 1


def test_a_change_is_undone_after_its_operation_is_gone(client: Client) -> None:
    log_in_admin(client)
    activity = create_activities(1)[0]
    before = activity.subject
    operation = do_edit(client, "crm_activity__v", [activity], subject__v="After")
    change_set = find_last(activity)
    age(operation, days=900)
    keep_house()
    assert not BulkOperation.objects.exists()
    undo(client, change_set)
    activity.refresh_from_db()
    assert activity.subject == before
