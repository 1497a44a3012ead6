"""The job that sends a daily report of user exceptions by e-mail, and nothing if there are none."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse

from connections.permissions import MANAGE_INTEGRATIONS
from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission, list_visible
from ctms.audit.actors import build_system_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from exceptions_log.models import ExceptionItem
from exceptions_log.problems import Problem, list_problems
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from ctms.jobs.models import JobDefinition

REPORT_JOB_KEY = "user_exception_report"
# Problems listed per message, those with most items first; the e-mail links to the console for the others.
_PROBLEMS_SHOWN = 50
_DAY, _HOUR = timedelta(days=1), 6
NOBODY = (
    "Nobody gets the report: give this job an owner with an e-mail address who may read User Exception Items, or such "
    "a user Manage Integrations."
)
_PART = "report"  # key in the run's result


def register_report_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=REPORT_JOB_KEY,
            name="User Exception Report",
            list_units=lambda: [JobUnit(key="all", label="")],
            execute=send_report,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Sends what fails in the messages of the last day as one e-mail, equal causes as one problem with "
            "its number of items, and none where nothing fails: to its owner or, if it has none, to all who hold "
            "Manage Integrations. Each must have an e-mail address, and User Exception Item: Read.",
            part_labels={_PART: "User Exception Items"},
        )
    )


def send_report(context: RunContext) -> RunOutcome:
    """Send the problems of messages created in the last day, with their numbers of items; nothing if there are none.

    Everybody gets the items that they see by their studies. Who sees the same gets the same e-mail.
    """
    items = list_open_items().filter(message__created_at__gte=get_now() - _DAY)
    count = items.count()
    if not count:
        return RunOutcome(state=RunState.SUCCEEDED, message="Nothing fails: no e-mail was sent.", result={})
    recipients = list_recipients(context.run.definition)
    if not recipients:
        return RunOutcome(
            state=RunState.FAILED,
            message=NOBODY,
            result={},
        )
    letters: dict[tuple[int, str], list[str]] = {}
    seen = items.none()
    for user in recipients:
        visible = list_visible(items, user)
        seen |= visible
        if problems := list_problems(visible):
            letter = (sum(problem.count for problem in problems), _write_text(problems))
            letters.setdefault(letter, []).append(user.email)
    # Raises if another worker has taken over, which then sends the report.
    context.lease.renew()
    try:
        for (number, text), addresses in letters.items():
            send_mail(subject=f"User exceptions: {number:,} open", text=text, to=addresses)
    except MailError as error:
        return RunOutcome(state=RunState.FAILED, message=str(error), result={})
    sent, readers = seen.count(), sorted(address for addresses in letters.values() for address in addresses)
    hidden = f" {count - sent:,} more are of studies that no recipient sees." if count > sent else ""
    record_event(
        actor=build_system_actor(source="job", reference=f"run {context.run.pk}"),
        action=AuditAction.EXPORTED,
        object_name=ExceptionItem.object_name,
        changes={"items": [None, sent], "recipients": [None, readers]},
        reason="User Exception Report",
    )
    return RunOutcome(
        state=RunState.SUCCEEDED,
        message=f"{_count(sent, 'open item')} {'was' if sent == 1 else 'were'} sent to "
        f"{_count(len(readers), 'recipient')}.{hidden}",
        result={_PART: {"selected": count, "sent": sent, "recipients": len(readers)}},
    )


def list_recipients(definition: JobDefinition) -> list[User]:
    """Return the owner or, without one, all who have Manage Integrations, one for each e-mail address.

    Users who may not read User Exception Items are left out.
    """
    users = User.objects.filter(is_active=True).exclude(email="").select_related("security_profile").order_by("pk")
    chosen = (
        [user for user in users if user.pk == definition.owner_id]
        if definition.owner_id is not None
        else [user for user in users if has_permission(user=user, permission=MANAGE_INTEGRATIONS)]
    )
    readers = [user for user in chosen if has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")]
    return list({user.email.casefold(): user for user in readers}.values())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _write_text(problems: list[Problem]) -> str:
    examples = ExceptionItem.objects.in_bulk([problem.item_id for problem in problems])
    lines: list[str] = []
    base = settings.VAULT_BASE_URL.rstrip("/")
    page = reverse("admin:exceptions_log_exceptionitem_changelist")
    ordered = sorted(problems, key=lambda problem: problem.scope)
    for scope, found in groupby(ordered, key=lambda problem: problem.scope):
        group = list(found)
        lines += [f"{scope} ({_count(sum(problem.count for problem in group), 'item')})", ""]
        for problem in group[:_PROBLEMS_SHOWN]:
            example = examples[problem.item_id]
            if problem.count == 1:
                address = reverse("admin:exceptions_log_exceptionitem_change", args=(example.pk,))
                lines.append(f"- {problem.error_type.label}: {example.item}")
            else:
                address = f"{page}?problem={problem.item_id}"
                lines += [
                    f"- {problem.error_type.label}, {_count(problem.count, 'item')}: {problem.cause}",
                    f"  For example {example.item}:",
                ]
            lines += [f"  {example.error_message}", f"  {base}{address}"]
        if len(group) > _PROBLEMS_SHOWN:
            lines.append(f"… and {_count(len(group) - _PROBLEMS_SHOWN, 'problem')} more.")
        lines.append("")
    lines += [f"All of them, with what to do: {base}{page}", ""]
    return "\n".join(lines)
