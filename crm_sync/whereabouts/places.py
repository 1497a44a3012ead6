"""Tell on the page of a record where it is in the CRMs, or why it is not there: one line for each connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from connections.models import Integration
from crm_sync.choices import RecordWord
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.whereabouts.standing import Standing, read_standings
from ctms.accounts.policies import has_permission
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.models import JobDefinition
from ctms.records.fields.comparing.moments import to_zone
from ctms.records.pages.notices import NoticePart
from ctms.records.pages.places import RecordPlace, register_record_places
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from datetime import datetime

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
    teller = _Teller(
        reads_exceptions=has_permission(user=access.user, permission=f"{ExceptionItem.object_name}:read"),
        reads_integrations=has_permission(user=access.user, permission=f"{Integration.object_name}:read"),
        opens_console=access.user.is_staff,
        next_run=_describe_next_run() if any(_may_move(each) for each in standings.of_type) else "",
    )
    type_shape = access.shape.get_type(getattr(record, "object_type", ""))
    lines = [teller.tell(each) for each in standings.of_type if each.word is not None]
    if not type_shape.origin:
        label = type_shape.label or access.vault_object.title
        lines += [
            RecordPlace(
                name=str(each), parts=(NoticePart(text=f"Not sent to {each}: it has no integration for a {label}."),)
            )
            for each in standings.unserved
        ]
    return sorted(lines, key=lambda line: line.name)


def _may_move(standing: Standing) -> bool:
    return standing.word in (RecordWord.PENDING, RecordWord.FAILED, RecordWord.UNMATCHED) and standing.is_at_work


def _describe_next_run() -> str:
    """Return which transfer comes next, such as `the transfer at 19:00`; empty if its job is Inactive."""
    job = JobDefinition.objects.select_related("clock").filter(key=TRANSFER_JOB_KEY).first()
    if job is None or job.status != RecordStatus.ACTIVE:
        return ""
    clock = getattr(job, "clock", None)
    if clock is None or clock.next_run_at <= get_now():
        return "the transfer that is due now"
    return f"the transfer at {_show(clock.next_run_at)}"


def _show(moment: datetime) -> str:
    """Return a moment in the user's time zone: the time of today, else day and time."""
    local = to_zone(moment)
    return date_format(local, "TIME_FORMAT" if local.date() == timezone.localdate() else "DATETIME_FORMAT")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Teller:
    """Tells standings to one reader. `next_run` names the next transfer; it is empty if the job is Inactive."""

    reads_exceptions: bool
    reads_integrations: bool
    opens_console: bool
    next_run: str

    def tell(self, standing: Standing) -> RecordPlace:
        """Return the line of a standing."""
        told = self._tell_received(standing) if standing.integration.is_inbound else self._tell_sent(standing)
        parts, tone = told
        link = standing.link
        if standing.is_there and link is not None:
            crm = standing.integration.connection
            url = f"{crm.url.rstrip('/')}/{link.crm_id}"
            parts = (*parts, NoticePart(text=" "), NoticePart(text=f"Open in {crm}", url=url, is_external=True))
        return RecordPlace(name=str(standing.integration.connection), parts=parts, tone=tone)

    # -- Received ---------------------------------------------------------------------------------
    def _tell_received(self, standing: Standing) -> tuple[tuple[NoticePart, ...], str]:
        crm = standing.integration.connection
        received = f"Received from {crm}" + (f" on {self._show_day(standing.since)}" if standing.since else "")
        if standing.word == RecordWord.DELETED_ON_ONE_SIDE:
            return _say(f"{received}. It was deleted there, and is Inactive here for that."), ""
        if standing.word == RecordWord.FAILED:
            return (*_say(f"{received}, but not its last change there: "), *self._tell_failure(standing)), _WARNING
        return _say(f"{received}."), _SUCCESS

    def _show_day(self, moment: datetime) -> str:
        return date_format(to_zone(moment), "DATETIME_FORMAT")

    # -- Sent -------------------------------------------------------------------------------------
    def _tell_sent(self, standing: Standing) -> tuple[tuple[NoticePart, ...], str]:
        crm, word = standing.integration.connection, standing.word
        there = f"In {crm}" + (f" since {_show(standing.since)}" if standing.since else "")
        if word == RecordWord.DELETED_ON_ONE_SIDE:
            return _say(f"Deleted in {crm}. It is not created there again."), _WARNING
        if word == RecordWord.EQUAL:
            obstacle = self._find_obstacle(standing)
            return (
                (_say(f"{there}. Changes are not sent: {obstacle}"), "") if obstacle else (_say(f"{there}."), _SUCCESS)
            )
        if reason := self._find_obstacle(standing):
            begin = f"{there}. Changes are not sent: " if standing.is_there else f"Not sent to {crm}: "
            return _say(f"{begin}{reason}"), ""
        if word in (RecordWord.FAILED, RecordWord.UNMATCHED) and standing.failure is not None:
            begin = f"{there}, without the last change: " if standing.is_there else f"Not sent to {crm}: "
            return (*_say(begin), *self._tell_failure(standing)), _WARNING
        return self._tell_waiting(standing, there=there)

    def _find_obstacle(self, standing: Standing) -> str:
        """Return why the transfer does not even try; empty if it does."""
        integration = standing.integration
        if integration.connection.status != RecordStatus.ACTIVE:
            return f"the connection {integration.connection} is Inactive."
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

    def _tell_waiting(self, standing: Standing, *, there: str) -> tuple[tuple[NoticePart, ...], str]:
        crm = standing.integration.connection
        wait = f"Waiting for {self.next_run}." if self.next_run else f"Waiting: {_JOB_IS_INACTIVE}"
        if standing.waits_for:
            wait = f"Waiting for its {standing.waits_for.lower()}, which is not in {crm} yet."
        text = f"{there}. The last change: {wait[0].lower()}{wait[1:]}" if standing.is_there else wait
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
        again = f"It is tried again by {self.next_run}." if self.next_run else f"Not tried again: {_JOB_IS_INACTIVE}"
        return (*told, *_say(f" It was changed since. {again}" if standing.is_changed_since else f" {again}"))

    def _tell_item(self, item: ExceptionItem) -> tuple[NoticePart, ...]:
        if not self.reads_exceptions:
            return _say(f"the transfer failed. {_ADMIN_KNOWS}")
        if not self.opens_console:
            return _say(item.error_message)
        url = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
        return (NoticePart(text=f"{item.error_message} "), NoticePart(text="See the user exception.", url=url))


def _say(text: str) -> tuple[NoticePart, ...]:
    return (NoticePart(text=text),)
