"""Retry exception items: start a run of their connection or job, because every run retries what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from ctms.core.choices import RecordStatus
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import start_now, start_unit
from exceptions_log.dismissals import undo_dismissals
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Collection

    from connections.models import Connection, Integration
    from ctms.audit.actors import Actor
    from ctms.jobs.models import JobRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The run that a retry started, or the `refusal` that says why there is none; `notes` name other obstacles."""

    what: str
    run: JobRun | None
    refusal: str = ""
    notes: tuple[str, ...] = ()


def retry_items(*, keys: Collection[int], actor: Actor) -> list[Retry]:
    """Undo dismissals of these items (primary keys) and start a run of each of their connections and jobs.

    The run retries everything that fails in its connection. Items that were resolved start nothing.
    """
    undone = {item.pk for item in undo_dismissals(keys=keys, actor=actor)}
    items = ExceptionItem.objects.filter(pk__in=keys).select_related("integration__rule", "message__connection", "job")
    connections: dict[Connection, dict[str, Integration]] = {}
    jobs: dict[JobDefinition, None] = {}
    for item in items.order_by("message__connection__name", "pk"):
        if item.pk not in undone and not item.is_open:
            continue
        if item.integration is not None and item.message.connection is not None:
            connections.setdefault(item.message.connection, {})[item.integration.name] = item.integration
        elif item.job is not None:
            jobs[item.job] = None
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
    if connection.paused_at is not None:
        refusal = f"{connection} is paused, so no transfer was started. Resume it under Connections."
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
