"""Retry now: what failed waits for the next run of its connection or job, so the run is what is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import JobAlreadyRunningError, start_now, start_unit
from exceptions_log.dismissals import undo_dismissals
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Collection

    from connections.models import Connection, Integration
    from ctms.audit.actors import Actor
    from ctms.jobs.models import JobRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What became of a retry: its run or, if there is none, why not. `notes`: what else hinders."""

    what: str
    run: JobRun | None
    refusal: str = ""
    notes: tuple[str, ...] = ()


def retry_items(*, keys: Collection[int], actor: Actor) -> list[Retry]:
    """Take these items (primary keys) up again: dismissals are undone, and a transfer of each connection is started.

    What still fails is taken by every run, so the run that is started tries all that fails in its connection. Items of
    earlier runs, which are settled or in the Active message, start nothing.
    """
    undone = {item.pk for item in undo_dismissals(keys=keys, actor=actor)}
    items = ExceptionItem.objects.filter(pk__in=keys).select_related(
        "message__integration__rule", "message__connection", "message__job"
    )
    connections: dict[Connection, dict[str, Integration]] = {}
    jobs: dict[JobDefinition, None] = {}
    for item in items.order_by("message__connection__name", "pk"):
        if item.pk not in undone and not item.is_open:
            continue
        if item.message.integration is not None and item.message.connection is not None:
            connections.setdefault(item.message.connection, {})[item.message.integration.name] = (
                item.message.integration
            )
        elif item.message.job is not None:
            jobs[item.message.job] = None
    transfers = [
        _start(connection=connection, integrations=list(named.values()), actor=actor)
        for connection, named in connections.items()
    ]
    return [*transfers, *(_start_job(definition=definition, actor=actor) for definition in jobs)]


def _start_job(*, definition: JobDefinition, actor: Actor) -> Retry:
    try:
        run = start_now(definition=definition, user=actor.user)[0]
    except JobAlreadyRunningError as error:
        refusal = f"{error} What failed is taken up by that run, or by the one after it."
        return Retry(what=definition.name, run=None, refusal=refusal)
    return Retry(what=definition.name, run=run)


def _start(*, connection: Connection, integrations: list[Integration], actor: Actor) -> Retry:
    if connection.status != RecordStatus.ACTIVE:
        refusal = f"{connection} is Inactive, so no transfer was started. Make it Active under Connections."
        return Retry(what=f"A transfer of {connection}", run=None, refusal=refusal)
    notes = tuple(
        f"{integration.name} is Inactive: its records wait until it is Active."
        for integration in integrations
        if RecordStatus.INACTIVE in (integration.status, integration.rule.status)
    )
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    try:
        run = start_unit(definition=definition, unit=build_unit(connection), user=actor.user)
    except JobAlreadyRunningError as error:
        refusal = f"{error} What failed is taken up by that run, or by the one after it."
        return Retry(what=f"A transfer of {connection}", run=None, refusal=refusal, notes=notes)
    return Retry(what=f"A transfer of {connection}", run=run, notes=notes)
