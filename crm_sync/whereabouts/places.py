"""Tell on the page of a record where it is in the CRMs, or why it is not there: one line for each connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from connections.choices import Pace
from connections.models import Integration
from crm_sync.choices import RecordWord
from crm_sync.engine.pace import is_awake
from crm_sync.units import LIVE_JOB_KEY, TRANSFER_JOB_KEY, build_scheduled_unit
from crm_sync.whereabouts.standing import Standing, read_standings
from crm_sync.whereabouts.words import say_deleted, say_received, say_sent, show_moment
from ctms.accounts.policies import has_permission
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.models import JobDefinition
from ctms.jobs.schedules import compute_next_run
from ctms.records.pages.notices import NoticePart
from ctms.records.pages.places import RecordPlace, register_record_places
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from connections.models import Connection
    from ctms.records.access import ObjectAccess

_SUCCESS, _WARNING, _WAITING = "success", "warning", "waiting"
_JOB = "CRM/Clinical Operations Transfer"
_JOB_IS_INACTIVE = f"the job {_JOB} is Inactive. Ask an admin to activate it."
_ADMIN_KNOWS = "An admin of your Vault sees why."


def register_places() -> None:
    """Register the lines for the pages of all objects; called once, when the app is ready."""
    register_record_places(list_crm_places)


def list_crm_places(access: ObjectAccess, record: Any) -> list[RecordPlace]:
    """Return a line for each connection to which records of this type go, or from which this one came.

    Takes one statement for objects that are not transferred. What only admins may know is left out for others.
    """
    standings = read_standings(record)
    if not standings.of_type and not standings.unserved:
        return []
    next_run, is_live_active = "", False
    if any(_may_move(each) for each in standings.of_type):
        next_run, is_live_active = _read_next_runs()
    teller = _Teller(
        reads_exceptions=has_permission(user=access.user, permission=f"{ExceptionItem.object_name}:read"),
        reads_integrations=has_permission(user=access.user, permission=f"{Integration.object_name}:read"),
        opens_console=access.user.is_staff,
        next_run=next_run,
        is_live_active=is_live_active,
    )
    type_shape = access.shape.get_type(getattr(record, "object_type", ""))
    lines = [teller.tell(each) for each in standings.of_type if each.word is not None]
    if not type_shape.origin:
        label = type_shape.label or access.vault_object.title
        for each in standings.unserved:
            text = f"{say_sent(each, is_there=False, since=None)}: it has no integration for a {label}."
            lines.append(RecordPlace(name=str(each), parts=(NoticePart(text=text),)))
    return sorted(lines, key=lambda line: line.name)


def _may_change_now(standing: Standing) -> bool:
    """Whether a transfer right after the change sends it: it is new or changed, and did not fail as it is."""
    return _may_move(standing) and (standing.word == RecordWord.PENDING or standing.is_changed_since)


def _may_move(standing: Standing) -> bool:
    return standing.word in (RecordWord.PENDING, RecordWord.FAILED, RecordWord.UNMATCHED) and standing.is_at_work


def _read_next_runs() -> tuple[str, bool]:
    """Return the next regular transfer in words, and whether connections may transfer as it happens at all."""
    jobs = JobDefinition.objects.select_related("clock").filter(key__in=(TRANSFER_JOB_KEY, LIVE_JOB_KEY))
    active = {job.key: job for job in jobs if job.status == RecordStatus.ACTIVE}
    return _describe_next_run(active.get(TRANSFER_JOB_KEY)), LIVE_JOB_KEY in active


def _describe_next_run(job: JobDefinition | None) -> str:
    """Return which transfer comes next, such as `the transfer at 19:00`; empty if its job is Inactive."""
    if job is None:
        return ""
    clock = getattr(job, "clock", None)
    if clock is None or clock.next_run_at <= get_now():
        return "the transfer that is due now"
    return f"the transfer at {show_moment(clock.next_run_at)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Teller:
    """Tells standings to one reader. `next_run` names the next transfer; it is empty if the job is Inactive.

    `is_live_active` says whether the job is Active that transfers as it happens.
    """

    reads_exceptions: bool
    reads_integrations: bool
    opens_console: bool
    next_run: str
    is_live_active: bool

    def tell(self, standing: Standing) -> RecordPlace:
        """Return the line of a standing."""
        told = self._tell_received(standing) if standing.integration.is_inbound else self._tell_sent(standing)
        parts, tone = told
        link = standing.link
        if standing.is_there and link is not None:
            crm = standing.integration.connection
            url = f"{crm.url.rstrip('/')}/{link.crm_id}"
            parts = (*parts, NoticePart(text=" "), NoticePart(text=f"Open in {crm}", url=url, is_external=True))
        return RecordPlace(
            name=str(standing.integration.connection),
            parts=parts,
            tone=tone,
            is_moving=_may_change_now(standing) and self._is_sent_at_once(standing),
        )

    def _is_sent_at_once(self, standing: Standing) -> bool:
        """Whether what changed is sent within seconds, because the connection transfers as it happens."""
        connection = standing.integration.connection
        return self.is_live_active and is_awake(connection) and not self._find_obstacle(standing)

    def _name_regular(self, connection: Connection) -> str:
        """Return the next regular transfer of a connection, by the schedule of its own if it has one."""
        own = build_scheduled_unit(connection).schedule
        if not self.next_run or own is None:
            return self.next_run
        return f"the transfer at {show_moment(compute_next_run(schedule=own, after=get_now()))}"

    def _name_next(self, standing: Standing) -> str:
        """Return what sends the record next, such as `the transfer at 19:00`; empty if nothing does."""
        connection = standing.integration.connection
        if not self.is_live_active or connection.pace != Pace.AS_IT_HAPPENS:
            return self._name_regular(connection)
        if is_awake(connection):
            return "the transfer as it happens, within seconds"
        progress = connection.live_progress
        if progress.fell_back_at is not None:
            regular = self._name_regular(connection)
            return f"{regular}, because API calls run short" if regular else ""
        return f"the next attempt, within {progress.ticks_to_wait} minutes"

    # -- Received ---------------------------------------------------------------------------------
    def _tell_received(self, standing: Standing) -> tuple[tuple[NoticePart, ...], str]:
        crm = standing.integration.connection
        received = say_received(crm, since=standing.since, has_failed=standing.word == RecordWord.FAILED)
        if standing.word == RecordWord.DELETED_ON_ONE_SIDE:
            return _say(f"{received}. It was deleted there, and is Inactive here for that."), ""
        if standing.word == RecordWord.FAILED:
            return (*_say(f"{received}: "), *self._tell_failure(standing)), _WARNING
        return _say(f"{received}."), _SUCCESS

    # -- Sent -------------------------------------------------------------------------------------
    def _tell_sent(self, standing: Standing) -> tuple[tuple[NoticePart, ...], str]:
        crm, word = standing.integration.connection, standing.word
        place = say_sent(crm, is_there=standing.is_there, since=standing.since)
        if word == RecordWord.DELETED_ON_ONE_SIDE:
            return _say(f"{say_deleted(crm)}. It is not created there again."), _WARNING
        if obstacle := self._find_obstacle(standing):
            return _say(f"{place}{'. Changes are not sent' if standing.is_there else ''}: {obstacle}"), ""
        if word == RecordWord.EQUAL:
            return _say(f"{place}."), _SUCCESS
        if word in (RecordWord.FAILED, RecordWord.UNMATCHED) and standing.failure is not None:
            failed = say_sent(crm, is_there=standing.is_there, since=standing.since, has_failed=True)
            return (*_say(f"{failed}{': ' if standing.is_there else '. '}"), *self._tell_failure(standing)), _WARNING
        return self._tell_waiting(standing)

    def _find_obstacle(self, standing: Standing) -> str:
        """Return why the transfer does not even try; empty if it does."""
        integration = standing.integration
        connection = integration.connection
        if connection.status != RecordStatus.ACTIVE or connection.paused_at is not None:
            return f"the connection {connection} is {'paused' if connection.paused_at else 'Inactive'}."
        if not standing.is_at_work:
            return "the integration is Inactive."
        if standing.rules_error:
            return standing.rules_error if self.reads_integrations else f"its rules are wrong. {_ADMIN_KNOWS}"
        if standing.word == RecordWord.INACTIVE_HERE:
            return "it is Inactive."
        if standing.word == RecordWord.FILTERED_OUT:
            return self._name_filter(standing)
        return ""

    def _name_filter(self, standing: Standing) -> str:
        integration, plan = standing.integration, standing.plan
        if plan is not None and standing.is_unmarked:
            field = plan.vault_object.get_field(integration.rule.vault_filter_field)
            return f"{field.label} is No."
        return (
            f"the filter of {integration.name} leaves it out." if self.reads_integrations else "a filter leaves it out."
        )

    def _tell_waiting(self, standing: Standing) -> tuple[tuple[NoticePart, ...], str]:
        crm = standing.integration.connection
        place = say_sent(crm, is_there=standing.is_there, since=standing.since, is_behind=standing.is_there)
        next_run = self._name_next(standing)
        wait = f"waiting for {next_run}." if next_run else _JOB_IS_INACTIVE
        if standing.waits_for:
            wait = f"waiting for its {standing.waits_for.lower()}, which is not in {crm} yet."
        text = f"{place}: {wait}"
        if standing.outage is None:
            return _say(text), _WAITING
        lead = f"{text} The last transfer with {crm} failed: "
        return (*_say(lead), *self._tell_item(standing.outage)), _WARNING

    # -- Failures ---------------------------------------------------------------------------------
    def _tell_failure(self, standing: Standing) -> tuple[NoticePart, ...]:
        item = standing.failure
        if item is None:
            return ()
        told = self._tell_item(item)
        if item.is_dismissed and not standing.is_changed_since:
            by = f" by {item.dismissed_by}: “{item.dismissal_reason}”" if self.reads_exceptions else ""
            return (*told, *_say(f" This was dismissed{by}; it is not tried until the record changes."))
        if standing.integration.is_inbound:
            return told
        connection = standing.integration.connection
        next_run = self._name_next(standing) if standing.is_changed_since else self._name_regular(connection)
        again = f"It is tried again by {next_run}." if next_run else f"Not tried again: {_JOB_IS_INACTIVE}"
        return (*told, *_say(f" It was changed since. {again}" if standing.is_changed_since else f" {again}"))

    def _tell_item(self, item: ExceptionItem) -> tuple[NoticePart, ...]:
        if not self.reads_exceptions:
            return _say(_ADMIN_KNOWS)
        if not self.opens_console:
            return _say(item.error_message)
        url = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
        return (NoticePart(text=f"{item.error_message} "), NoticePart(text="See the user exception.", url=url))


def _say(text: str) -> tuple[NoticePart, ...]:
    return (NoticePart(text=text),)
