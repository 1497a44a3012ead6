"""Which operations of migrations keep a running Vault from writing, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.migrations import operations as ops
from django.db.models import CheckConstraint

from ctms.core.online_operations import AddCheckOnline, AddIndexOnline
from ctms.core.trigrams import AddTrigramIndex

if TYPE_CHECKING:
    from django.db.migrations import Migration
    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import ProjectState

# Tables of a few hundred rows: what admins write down, and clocks. Every other table may be large.
SMALL = frozenset(
    [
        "accounts.apitoken",
        "accounts.securityprofile",
        "accounts.user",
        "activities.activitytemplate",
        "clinical.study",
        "clinical.studycountry",
        "configuration.applicationsettings",
        "configuration.configuredobject",
        "configuration.customfield",
        "configuration.deliveredfield",
        "configuration.layoutsection",
        "configuration.objecttype",
        "configuration.objecttypeaction",
        "configuration.objecttypefield",
        "configuration.pagelayout",
        "configuration.reasonrule",
        "connections.callbacksession",
        "connections.connection",
        "connections.connectionauthorization",
        "connections.connectionschedule",
        "connections.crmconnectionidentifiermapping",
        "connections.crmobjectlist",
        "connections.fieldrule",
        "connections.integration",
        "connections.integrationprogress",
        "connections.integrationrule",
        "crm_sync.alertsettings",
        "crm_sync.connectionstanding",
        "crm_sync.liveprogress",
        "crm_sync.organisationprogress",
        "jobs.jobclock",
        "jobs.jobdefinition",
        "jobs.lease",
        "jobs.unitclock",
        "reports.dashboard",
        "reports.dashboardtile",
        "reports.flashreport",
        "reports.homedashboard",
        "reports.report",
        "reports.reportshare",
        "reports.reporttype",
        "webhooks.webhook",
    ]
)

_ONLINE = (AddIndexOnline, AddCheckOnline)


def find_problems(migration: Migration, *, state: ProjectState, new: set[str]) -> list[str]:
    """Return what is wrong with a migration, in sentences. `state` is that before it, and becomes that after it.

    `new` are the models (`app.model`) that migrations since the last release have made, which nobody writes to yet;
    those of this one are added.
    """
    told: list[str] = []
    label = migration.app_label
    for whole in migration.operations:
        for operation in _flatten([whole]):
            if isinstance(operation, ops.CreateModel):
                new.add(f"{label}.{operation.name_lower}")
            name = f"{label}.{getattr(operation, 'model_name', '')}".lower()
            if problem := _judge(operation, state=state, name=name, is_large=name not in SMALL and name not in new):
                told.append(f"{label}.{migration.name}: {operation.describe()}: {problem}")
        whole.state_forwards(label, state)
    told += [f"{label}.{migration.name}: {problem}" for problem in _judge_whole(migration)]
    return told


def _flatten(operations: Iterable[Operation]) -> Iterable[Operation]:
    """Yield the operations that reach the database."""
    for operation in operations:
        if isinstance(operation, ops.SeparateDatabaseAndState):
            yield from _flatten(operation.database_operations)
        else:
            yield operation


def _judge(operation: Operation, *, state: ProjectState, name: str, is_large: bool) -> str:
    if isinstance(operation, ops.RenameField | ops.RenameModel | ops.AlterModelTable):
        return (
            "The last release writes to the old name. Add the new one, write both, and remove the old one in a later "
            "release."
        )
    return _judge_locks(operation, state=state, name=name) if is_large and not isinstance(operation, _ONLINE) else ""


def _judge_locks(operation: Operation, *, state: ProjectState, name: str) -> str:
    """Return how an operation on a table that may be large keeps writers waiting."""
    if isinstance(operation, ops.AddIndex | AddTrigramIndex):
        return "The table is locked until the index is built: use AddIndexOnline of ctms.core.online_operations."
    if isinstance(operation, ops.AddConstraint) and isinstance(operation.constraint, CheckConstraint):
        return "The table is locked until all rows are checked: use AddCheckOnline of ctms.core.online_operations."
    if isinstance(operation, ops.AddConstraint):
        return (
            "The table is locked until its index is built. Make the constraint with the table, or accept it in "
            "ACCEPTED with the reason."
        )
    if isinstance(operation, ops.AddField):
        return _judge_new_field(operation.field)
    if isinstance(operation, ops.AlterField):
        return _judge_altered_field(operation, state=state, name=name)
    return ""


def _judge_new_field(field: models.Field[Any, Any]) -> str:
    if field.unique or _is_indexed(field):
        return (
            "The table is locked until the index of the field is built: add it with db_index=False or "
            "db_constraint alone, and the index with AddIndexOnline in a migration of its own."
        )
    return ""


def _is_indexed(field: models.Field[Any, Any]) -> bool:
    return bool(getattr(field, "db_index", False))


def _judge_altered_field(operation: ops.AlterField, *, state: ProjectState, name: str) -> str:
    label, _, model = name.partition(".")
    before: models.Field[Any, Any] = state.models[label, model].fields[operation.name]
    after = operation.field
    if type(before).get_internal_type(before) != type(after).get_internal_type(after):
        return "The table is written anew under a lock. Add another field, fill it by a job, and change over."
    shorter = (getattr(before, "max_length", None) or 0) > (getattr(after, "max_length", None) or 0)
    if shorter and getattr(after, "max_length", None):
        return "The last release may write longer texts. Shorten the field when no release does any more."
    if before.null and not after.null:
        return "All rows are checked under a lock: hold `IS NOT NULL` by AddCheckOnline instead."
    is_new_index = (after.unique, _is_indexed(after)) != (before.unique, _is_indexed(before))
    if is_new_index and (after.unique or _is_indexed(after)):
        return "The table is locked until the index is built: use AddIndexOnline of ctms.core.online_operations."
    return ""


def _judge_whole(migration: Migration) -> list[str]:
    """Return what is wrong with a migration as a whole."""
    operations = list(_flatten(migration.operations))
    told = []
    if any(isinstance(each, _ONLINE) for each in operations) and (migration.atomic or len(operations) > 1):
        told.append("An online operation stands alone, in a migration with `atomic = False`.")
    moves_rows = any(isinstance(each, ops.RunPython | ops.RunSQL) for each in operations)
    changes_tables = any(isinstance(each, ops.AddField | ops.AlterField | ops.AddConstraint) for each in operations)
    if moves_rows and changes_tables:
        told.append(
            "Rows are written while the tables that it changed before are locked. Give RunPython or RunSQL a migration "
            "of its own."
        )
    return told
