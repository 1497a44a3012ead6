"""A preview as a worker makes it, and a comparison of it with the transfer that follows."""

from __future__ import annotations

from typing import Any

from crm_sync.choices import AttemptOutcome, PreviewOutcome
from crm_sync.jobs import PREVIEW_JOB_KEY, build_unit
from crm_sync.models import IntegrationRun, PreviewRow, TransferAttempt, TransferPreview
from crm_sync.preview.selectors import get_preview
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run
from tests.crm_sync.world import World

ATTEMPTS = {
    PreviewOutcome.CREATE: "created",
    PreviewOutcome.UPDATE: "updated",
    PreviewOutcome.DELETE: "deleted",
    PreviewOutcome.RECEIVE: "created",
    PreviewOutcome.CHANGE: "updated",
    PreviewOutcome.DEACTIVATE: "deleted",
}
OBJECTS = ("Clinical_Study_vod__c", "Clinical_Site_vod__c", "Vault_Clinical_Interaction_vod__c")
COLUMNS = ("selected", "sent", "received", "created", "updated", "deleted", "unchanged", "failed", "blocked")


def preview_world(world: World) -> TransferPreview:
    """Run a preview and return it."""
    definition = JobDefinition.objects.get(key=PREVIEW_JOB_KEY)
    finished = execute_run(create_run(definition=definition, unit=build_unit(world.connection), user=None).pk)
    found = get_preview(world.connection)
    assert finished is not None
    assert found is not None, finished.message
    assert found.run == finished, finished.message
    return found


def list_outcomes(preview: TransferPreview) -> list[tuple[str, str]]:
    """Return names of records and outcomes."""
    return list(preview.rows.values_list("name", "outcome"))


def check_prediction(world: World) -> tuple[TransferPreview, JobRun]:
    """Preview, then transfer, and assert that the transfer does what the preview says, record by record."""
    preview = preview_world(world)
    rows = list(preview.rows.select_related("integration"))
    before = _read_crm(world)
    run = world.transfer()
    after = _read_crm(world)
    assert {_name(row): ATTEMPTS[PreviewOutcome(row.outcome)] for row in rows if row.outcome in ATTEMPTS} == {
        (attempt.integration.kind, _get_key(attempt)): attempt.outcome
        for attempt in TransferAttempt.objects.filter(run=run)
        .exclude(outcome=AttemptOutcome.REFUSED)
        .select_related("integration")
    }
    assert len({_name(row) for row in rows}) == len(rows)
    foreseen_items = {str(row.record_uid or row.crm_id): row.reason for row in rows if row.outcome == "fail"}
    items = {item.key: item.error_message for item in world.list_exceptions()}
    # In which words the CRM refuses a record that it does not show is known only to the CRM.
    not_shown = {key for key, reason in foreseen_items.items() if "it does not show it" in reason}
    assert foreseen_items == items | {key: foreseen_items[key] for key in not_shown & items.keys()}
    for part in IntegrationRun.objects.filter(run=run).select_related("integration"):
        foreseen = preview.counts[part.integration.kind]
        assert {column: foreseen[column] for column in COLUMNS} == {
            column: getattr(part, column) for column in COLUMNS
        }, part
    for row in rows:
        if row.outcome in {"create", "update", "delete"}:
            _check_fields(row, before=before.get(str(row.record_uid), {}), after=after[str(row.record_uid)])
    return preview, run


def _name(row: PreviewRow) -> tuple[str, str]:
    return row.integration.kind, row.crm_id if row.integration.is_inbound else str(row.record_uid)


def _get_key(attempt: TransferAttempt) -> str:
    return attempt.crm_id if attempt.integration.is_inbound else str(attempt.record_uid)


def _read_crm(world: World) -> dict[str, dict[str, Any]]:
    """Return the rows of the CRM by external id; references are ids of its own."""
    return {
        str(row["Vault_External_ID_vod__c"]): row
        for name in OBJECTS
        for row in world.crm.organisation.list_records(object_name=name)
    }


def _check_fields(row: PreviewRow, *, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Assert that exactly these fields of the CRM's record changed, from and to these values."""
    changed = {
        name: [before.get(name), value]
        for name, value in after.items()
        if name.endswith("__c") and name != "Vault_External_ID_vod__c" and (before.get(name) or None) != (value or None)
    }
    if "Name" in row.fields:
        changed["Name"] = [before.get("Name"), after["Name"]]
    references = {name for name in changed if name in ("Clinical_Study_vod__c", "Clinical_Site_vod__c")}
    assert set(row.fields) == set(changed)
    assert {name: row.fields[name] for name in changed if name not in references} == {
        name: value for name, value in changed.items() if name not in references
    }
