"""Entries from before the trail had words get them, as far as the data allow."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ctms.audit.guards import install_guards
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.audit.words import tell_changes
from ctms.clinical.choices import SiteState
from tests.factories.base import build_admin_actor
from tests.factories.clinical import InvestigatorFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases, pytest.mark.system]


def migrate_to(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("audit", name)])


def migrate_to_the_end() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    install_guards(connection)


@pytest.fixture
def _restored() -> Any:
    yield
    migrate_to_the_end()


@pytest.mark.usefixtures("_restored")
def test_old_entries_get_words_names_and_studies() -> None:
    actor = build_admin_actor()
    first, gone = InvestigatorFactory.create(last_name="Ash"), InvestigatorFactory.create()
    then = first.name
    site = StudySiteFactory.create(principal_investigator=gone)
    site.principal_investigator, site.lifecycle_state, site.send_to_crm = first, SiteState.ACTIVE, False
    save_record(record=site, actor=actor)
    changed = AuditEntry.objects.filter(record_uid=site.uid).latest("id").pk
    first.last_name = "Renamed"
    save_record(record=first, actor=actor)
    deleted = StudySiteFactory.create(study_country=site.study_country)
    delete_record(record=deleted, actor=actor)
    key = gone.pk
    delete_record(record=gone, actor=actor)
    times = dict(AuditEntry.objects.values_list("id", "at"))

    migrate_to("0003_number_transactions")
    migrate_to_the_end()

    entry = AuditEntry.objects.get(pk=changed)
    told = [(each.label, each.before, each.after) for each in tell_changes(changes=entry.changes, words=entry.words)]
    assert sorted(told) == [
        ("Lifecycle state", "Candidate", "Active"),
        ("Principal investigator", f"no. {key} (deleted; its name was not kept)", then),
        ("Send to Medical CRM", "Yes", "No"),
    ]
    assert entry.words["principal_investigator"]["after_uid"] == str(first.uid)
    assert (entry.object_label, entry.study_uid) == ("Study site", site.study.uid)
    assert AuditEntry.objects.get(record_uid=deleted.uid, action="deleted").study_uid == site.study.uid
    assert dict(AuditEntry.objects.values_list("id", "at")) == times


@pytest.mark.usefixtures("_restored")
def test_migrations_may_take_as_long_as_they_need() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '300s'")
    call_command("migrate", "audit", "0009", verbosity=0)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_settings WHERE name LIKE '%\\_timeout' AND setting <> '0'")
            limits = {name for (name,) in cursor.fetchall()}
        assert limits.isdisjoint({"statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"})
        connection.close()  # the next connection has the limits again
