"""Writes the e-mail of a flash report to one recipient: first rows as text and HTML, and all of them as a workbook."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format

from ctms.accounts.mail import Attachment
from ctms.accounts.middleware import find_zone
from ctms.records.lists.exports import write_rows
from ctms.reports.engine.limits import read_snapshot
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import count_rows
from ctms.reports.flash.addresses import build_report_url, build_schedule_url
from ctms.reports.flash.recipients import Recipient, open_for
from ctms.reports.flash.schedule import describe_schedule
from ctms.reports.flash.subscriptions import build_unsubscribe_url
from ctms.reports.flash.text_tables import write_table
from ctms.reports.models import FlashReport
from ctms.reports.outputs.files import FileFormat, build_file_name
from ctms.reports.outputs.printing import Printed, open_print
from ctms.reports.outputs.tables import open_table

MOST_SHOWN = 50
MOST_ATTACHED = 50_000  # rows; more are in the Vault
LARGEST_ATTACHMENT = 8 * 1024 * 1024  # bytes; many servers refuse e-mails of more than 10 MB
_LATE = dt.timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why an e-mail is sent: for a planned moment, or, if there is none, because a user asked for it now.

    `missed` is how many moments before it were not delivered. `identity` names the e-mail among all others.
    """

    now: dt.datetime
    moment: dt.datetime | None = None
    missed: int = 0
    identity: str = ""

    @property
    def is_late(self) -> bool:
        return self.moment is not None and self.now - self.moment > _LATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a report answered: the number of records behind it, its first lines, and the workbook with all."""

    count: int
    printed: Printed
    is_grouped: bool
    attachment: Attachment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An e-mail, ready to be sent."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    headers: Mapping[str, str]


def read_content(*, flash: FlashReport, recipient: Recipient, renew: Callable[[], None]) -> Content:
    """Run the report for a recipient. `renew` is called between statements, each of which has the time of a page.

    Raises InvalidReportError, ReportTooSlowError and ReportError.
    """
    opened = open_for(recipient, report=flash.report)
    opened.require_valid()
    zone = read_zone(recipient)
    with timezone.override(zone):
        count = count_rows(opened)
        renew()
        printed = open_print(opened, most=MOST_SHOWN)
        renew()
        attachment = _write_workbook(opened, flash=flash, zone=zone) if 0 < count <= MOST_ATTACHED else None
    return Content(count=count, printed=printed, is_grouped=opened.is_grouped, attachment=attachment)


def read_zone(recipient: Recipient) -> ZoneInfo:
    """Return the time zone of a recipient."""
    return find_zone(recipient.user.time_zone) or ZoneInfo("UTC")


def write_letter(*, flash: FlashReport, recipient: Recipient, occasion: Occasion, content: Content) -> Letter:
    """Return the e-mail for a recipient. Times in it are by the recipient's clock."""
    report, zone = flash.report, read_zone(recipient)
    unsubscribe_url = build_unsubscribe_url(flash=flash, user=recipient.user)
    with timezone.override(zone):
        context = {
            "vault_name": settings.VAULT_NAME,
            "report": report,
            "content": content,
            "printed": content.printed,
            "records": _describe_records(content),
            "notes": _list_notes(flash=flash, recipient=recipient, occasion=occasion, content=content),
            "why": _explain_why(flash=flash, recipient=recipient, occasion=occasion, zone=zone),
            "report_url": build_report_url(report),
            "schedule_url": build_schedule_url(report),
            "unsubscribe_url": unsubscribe_url,
            "table": write_table(content.printed),
        }
        text, html = (render_to_string(f"reports/flash/mail.{kind}", context) for kind in ("txt", "html"))
    return Letter(
        subject=f"{report.name}: {_describe_records(content)}",
        text=text,
        html=html,
        attachments=(content.attachment,) if content.attachment else (),
        headers=build_headers(unsubscribe_url=unsubscribe_url, identity=occasion.identity),
    )


def _describe_records(content: Content) -> str:
    return f"{content.count:,} {'record' if content.count == 1 else 'records'}"


def _list_notes(*, flash: FlashReport, recipient: Recipient, occasion: Occasion, content: Content) -> list[str]:
    """Return what the recipient has to know: which rows are missing, whose they are, and why they come late."""
    report, notes = flash.report, []
    more = content.count - MOST_SHOWN
    if content.attachment is not None and (more > 0 or content.printed.is_cut):
        shown = f"the first {MOST_SHOWN}" if content.is_grouped or more <= 0 else f"the first {MOST_SHOWN} records"
        notes.append(f"Above are {shown}; all are in the attached workbook.")
    elif content.attachment is not None:
        notes.append("The attached workbook has the same.")
    elif content.count:
        notes.append("All of it is too much for an e-mail: see the report in the Vault, and export it there.")
    if recipient.gets_rows_of_other:
        notes.append(f"It runs as its owner {report.owner}: you see what {report.owner} may see.")
    if recipient.stands_in:
        notes.append(
            f"Its owner {report.owner} has left. You get it because you look after reports: please take it over, or "
            "remove its schedule, on the page of its schedule."
        )
    if occasion.moment is not None and occasion.is_late:
        planned = write_moment(occasion.moment)
        notes.append(f"It was planned for {planned}; the Vault could not send it then.")
    if occasion.missed:
        noun = "one was" if occasion.missed == 1 else f"{occasion.missed:,} were"
        notes.append(f"Before it, {noun} planned and not sent, because the Vault did not run.")
    return notes


def _explain_why(*, flash: FlashReport, recipient: Recipient, occasion: Occasion, zone: ZoneInfo) -> str:
    owns = recipient.user.pk == flash.report.owner_id
    why = "you own it" if owns else "its owner has left" if recipient.stands_in else "it is shared with you"
    when = f" It is sent {_lower(describe_schedule(flash))}." if occasion.moment is not None else ""
    return f"You get this report because {why}.{when} Times are in {zone.key.replace('_', ' ')}."


def write_moment(moment: dt.datetime) -> str:
    """Return a moment as people read it, by the present clock."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _write_workbook(opened: OpenReport, *, flash: FlashReport, zone: ZoneInfo) -> Attachment | None:
    """Return the workbook; None if it is larger than mail servers take."""
    with read_snapshot(settings.REPORT_SECONDS):
        table = open_table(opened, zone=zone)
        file = write_rows(title="Report", heading=table.heading, rows=table.lines, widths=table.widths)
    with file:
        content = file.read(LARGEST_ATTACHMENT + 1)
    if len(content) > LARGEST_ATTACHMENT:
        return None
    name = build_file_name(flash.report.name, day=timezone.localdate(timezone=zone), file_format=FileFormat.XLSX)
    return Attachment(name=name, content=content, kind=FileFormat.XLSX.content_type)


def build_headers(*, unsubscribe_url: str, identity: str) -> dict[str, str]:
    """Return the headers of an e-mail that the Vault sends by itself; `identity` names it among all others."""
    headers = {
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
    }
    if identity:
        # The same e-mail has the same name, however often it is tried.
        domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        headers["Message-ID"] = f"<{identity}@{domain}>"
    return headers
