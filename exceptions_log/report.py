"""The daily report of user exceptions: one e-mail, and none on a day on which nothing fails."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse

from connections.permissions import MANAGE_INTEGRATIONS
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.mail import MailError, send_mail
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from ctms.jobs.models import JobDefinition

REPORT_JOB_KEY = "user_exception_report"
# Of each message; more is for the console, to which the e-mail leads.
_ITEMS_SHOWN = 50
_DAY, _HOUR = timedelta(days=1), 6
NOBODY = (
    "Nobody gets the report: give this job an owner with an e-mail address who may read User Exception Items, or such "
    "a user Manage Integrations."
)
_PART = "report"  # of the run's result


def register_report_job() -> None:
    """Called once, when the app is ready."""
    register_job(
        JobHandler(
            key=REPORT_JOB_KEY,
            name="User Exception Report",
            list_units=lambda: [JobUnit(key="all", label="")],
            execute=send_report,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Sends what fails in the messages of the last day as one e-mail, and none where nothing fails: to "
            "its owner or, if it has none, to all who hold Manage Integrations. Each must have an e-mail address, and "
            "User Exception Item: Read.",
            part_labels={_PART: "User Exception Items"},
        )
    )


def send_report(context: RunContext) -> RunOutcome:
    """What fails in the messages of the last day, by message. Sends nothing where there is nothing."""
    items = list(
        list_open_items()
        .filter(message__created_at__gte=get_now() - _DAY)
        .select_related("message")
        .order_by("message__name", "pk")
    )
    if not items:
        return RunOutcome(state=RunState.SUCCEEDED, message="Nothing fails: no e-mail was sent.", result={})
    recipients = list_recipients(context.run.definition)
    if not recipients:
        return RunOutcome(
            state=RunState.FAILED,
            message=NOBODY,
            result={},
        )
    # Whoever has taken over meanwhile sends it instead.
    context.lease.renew()
    try:
        send_mail(subject=f"User exceptions: {len(items):,} open", text=_write_text(items), to=recipients)
    except MailError as error:
        return RunOutcome(state=RunState.FAILED, message=str(error), result={})
    return RunOutcome(
        state=RunState.SUCCEEDED,
        message=f"{_count(len(items), 'open item')} {'was' if len(items) == 1 else 'were'} sent to "
        f"{_count(len(recipients), 'recipient')}.",
        result={_PART: {"selected": len(items), "sent": len(items), "recipients": len(recipients)}},
    )


def list_recipients(definition: JobDefinition) -> list[str]:
    """The job's owner or, if it has none, whoever manages integrations; each may read what is sent."""
    users = User.objects.filter(is_active=True).exclude(email="").select_related("security_profile").order_by("pk")
    chosen = (
        [user for user in users if user.pk == definition.owner_id]
        if definition.owner_id is not None
        else [user for user in users if has_permission(user=user, permission=MANAGE_INTEGRATIONS)]
    )
    addresses = [
        user.email for user in chosen if has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")
    ]
    return list({address.casefold(): address for address in addresses}.values())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _write_text(items: list[ExceptionItem]) -> str:
    lines: list[str] = []
    base = settings.VAULT_BASE_URL.rstrip("/")
    for message, found in groupby(items, key=lambda item: item.message):
        group = list(found)
        lines += [f"{message} ({len(group):,})", ""]
        for item in group[:_ITEMS_SHOWN]:
            lines += [
                f"- {item.get_error_type_display()}: {item.item}",
                f"  {item.error_message}",
                f"  {base}{reverse('admin:exceptions_log_exceptionitem_change', args=(item.pk,))}",
            ]
        if len(group) > _ITEMS_SHOWN:
            lines.append(f"… and {len(group) - _ITEMS_SHOWN:,} more.")
        lines.append("")
    page = reverse("admin:exceptions_log_exceptionitem_changelist")
    lines += [f"All of them, with what to do: {base}{page}", ""]
    return "\n".join(lines)
