"""Sends a report to its reader at once, as the flash report would come."""

from __future__ import annotations

from ctms.accounts.mail import MailError, send_mail
from ctms.audit.actors import Actor
from ctms.core.clock import get_database_now
from ctms.reports.access import StoredReport
from ctms.reports.flash.delivery import record_sending
from ctms.reports.flash.letters import Occasion, read_content, write_letter
from ctms.reports.flash.recipients import Recipient
from ctms.reports.models import FlashReport


def send_to_me(*, stored: StoredReport, actor: Actor) -> str:
    """Send the report to its reader alone; return a sentence saying so.

    Raises MailError, InvalidReportError and ReportTooSlowError.
    """
    user = stored.user
    if not user.email:
        raise MailError("You have no e-mail address. Ask an admin to enter one.")
    flash = FlashReport.objects.filter(report=stored.report).first() or FlashReport(report=stored.report)
    flash.report = stored.report
    recipient = Recipient(user=user, runner=stored.runs_as)
    content = read_content(flash=flash, recipient=recipient, renew=lambda: None)
    letter = write_letter(flash=flash, recipient=recipient, occasion=Occasion(now=get_database_now()), content=content)
    record_sending(report=stored.report, user=user, rows=content.count, actor=actor, note="Asked for by its reader.")
    send_mail(
        subject=letter.subject,
        text=letter.text,
        to=[user.email],
        html=letter.html,
        attachments=letter.attachments,
        headers=letter.headers,
    )
    return f"The report was sent to {user.email}."
