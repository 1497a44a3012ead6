"""Every table of the Vault is judged: it is kept for a reason, or Housekeeping deletes what is old in it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from ctms.core.models import AuditedModel
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.retention import RetentionRule, list_retention_rules
from ctms.settings.retention import RETENTION_SETTINGS

APPS = {"accounts", "activities", "audit", "clinical", "configuration", "connections", "crm_sync", "exceptions_log"} | {
    "jobs", "records", "reports", "subscriptions", "webhooks",
}  # fmt: skip
# Beside records and configuration, which are `AuditedModel`: why a table has no rule.
KEPT = {
    # What happened, for as long as the Vault exists.
    "audit.AuditEntry": "the audit trail, never deleted",
    "audit.AuditSeal": "the chain of the audit trail",
    "accounts.PageView": "who looked at what, kept without end",
    "accounts.User": "named by records and by the audit trail",
    "accounts.ApiToken": "named by the audit trail",
    "accounts.CalendarFeed": "named by the audit trail",
    "accounts.OidcIdentity": "one for each user and provider",
    "records.MergedRecord": "the addresses of merged records lead on, and CRMs know their names",
    # One row for each of something else, however long the Vault is used.
    "accounts.LastUse": "one for each user",
    "activities.DeclinedActivity": "one for each activity that the generator must not bring back",
    "audit.AuditSealing": "one",
    "configuration.DeliveredField": "one for each field",
    "configuration.UniqueValue": "one for each unique value of a record",
    "connections.CrmObjectDescription": "one for each object of an organisation",
    "connections.CrmObjectList": "one for each connection",
    "connections.IntegrationProgress": "one for each integration",
    "crm_sync.AccountMatch": "one for each person and connection",
    "crm_sync.ConnectionStanding": "one for each connection",
    "crm_sync.FieldLength": "one for each field rule",
    "crm_sync.LiveProgress": "one for each connection",
    "crm_sync.OrganisationProgress": "one for each connection",
    "crm_sync.TransferLink": "one for each record and integration: by it the transfer knows what the CRM has",
    "jobs.JobClock": "one for each job",
    "jobs.SignOfLife": "one for each process that says that it lives",
    "jobs.UnitClock": "one for each unit with a schedule of its own",
    "records.Favourite": "what a user chose",
    "records.ListPreference": "one for each user and list",
    "records.SavedView": "what a user saved",
    "reports.HomeDashboard": "one for each user",
    "reports.ReportUse": "one for each user and report",
    "subscriptions.SubscriptionPlace": "one for each subscription and object",
    "subscriptions.SwitchOffNotice": "one for each subscription",
    # Emptied by what writes them.
    "activities.ContactChange": "a queue, which the next tick empties",
    "crm_sync.PreviewRow": "of the newest preview of each connection alone",
    "crm_sync.TransferPreview": "the newest of each connection; the next one replaces it",
    "exceptions_log.Failure": "of a run at work; its end turns them into items",
    "records.RecentView": "the newest of each user, the others go with the next one",
}
GO_WITH_OTHERS = {
    "crm_sync.IntegrationRun": "with its run",
}


def list_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in APPS and not model._meta.proxy]


def list_judged() -> set[str]:
    return {model._meta.label for rule in list_retention_rules() for model in rule.models}


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model._meta.label)
def test_a_table_is_kept_for_a_reason_or_has_a_rule(model: type[models.Model]) -> None:
    if issubclass(model, AuditedModel):
        assert model._meta.label not in list_judged(), "Records and configuration are deleted by users alone."
        return
    label = model._meta.label
    places = [label in KEPT, label in GO_WITH_OTHERS, label in list_judged()]
    assert sum(places) == 1, (
        f"{label}: register a RetentionRule (ctms/jobs/retention.py) if rows are added for as long as the Vault is "
        "used, or say in KEPT why they stay."
    )


def test_nothing_is_named_that_does_not_exist() -> None:
    assert {*KEPT, *GO_WITH_OTHERS} <= {model._meta.label for model in list_models()}


@pytest.mark.parametrize("rule", list_retention_rules(), ids=lambda rule: rule.key)
def test_a_rule_names_a_setting_that_exists_and_says_what_stays(rule: RetentionRule) -> None:
    assert rule.setting in {"", *RETENTION_SETTINGS}
    assert rule.keeps.endswith(".")
    assert rule.models


def test_every_setting_has_a_rule() -> None:
    assert set(RETENTION_SETTINGS) == {rule.setting for rule in list_retention_rules() if rule.setting}


def test_runs_are_deleted_after_what_names_them() -> None:
    naming = {relation.related_model for relation in JobRun._meta.related_objects}
    rules = list_retention_rules()
    last = next(rule for rule in rules if JobRun in rule.models)
    assert all(rule.position < last.position for rule in rules if naming & set(rule.models))
    assert JobDefinition not in naming
