"""Who gets a flash report: its owner and the users that it is shared with, if they may read it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Q

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.records.access import AccessRefusedError
from ctms.reports.access import UnknownReportError, administers_reports, is_orphaned, open_stored
from ctms.reports.definition import read_definition, read_type
from ctms.reports.engine.opening import OpenReport, try_open
from ctms.reports.models import FlashReport, Report
from ctms.reports.sources import ReportConfiguration, find_source, load_report_configuration

NOBODY = "Nobody gets it. Share the report with users who may read reports and have an e-mail address."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A user who gets the report, with the rows that `runner` sees.

    One who stands in for an owner who left is asked to take the report over, and gets their own rows.
    """

    user: User
    runner: User
    stands_in: bool = False

    @property
    def gets_rows_of_other(self) -> bool:
        return self.runner.pk != self.user.pk


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A user whom the report is meant for, and why they do not get it."""

    user: User
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Who gets a flash report, and whom it is meant for in vain."""

    mailed: Sequence[Recipient]
    left_out: Sequence[LeftOut]


def list_recipients(flash: FlashReport) -> Recipients:
    """Return who gets the report, each user once."""
    report = flash.report
    unsubscribed = set(flash.unsubscriptions.values_list("user", flat=True))
    configuration = load_report_configuration()
    mailed: list[Recipient] = []
    left_out: list[LeftOut] = []
    keepers = {each.pk for each in list_keepers()} if has_left(report) else set()
    for user in _list_meant(report, others=keepers):
        reason = "Unsubscribed." if user.pk in unsubscribed else _explain(user=user, report=report)
        runner = report.owner if report.run_as_owner and user.pk not in keepers else user
        reason = reason or _explain_rows(report=report, runner=runner, configuration=configuration)
        if reason:
            left_out.append(LeftOut(user=user, reason=reason))
        else:
            mailed.append(Recipient(user=user, runner=runner, stands_in=user.pk in keepers))
    return Recipients(mailed=mailed, left_out=left_out)


def open_for(recipient: Recipient, *, report: Report) -> OpenReport:
    """Return the report with the rights by which the recipient gets it. Raises InvalidReportError."""
    return try_open(definition=read_definition(report), user=recipient.runner)


def has_left(report: Report) -> bool:
    """Whether the owner of the report was a person, not the user *System* of delivered ones, and has left."""
    return is_orphaned(report) and report.owner.username != SYSTEM_USERNAME


def list_keepers() -> list[User]:
    """Return the users who look after reports whose owner has left."""
    users = User.objects.filter(is_active=True).filter(Q(is_superuser=True) | Q(security_profile__isnull=False))
    return [each for each in users.select_related("security_profile").order_by("pk") if administers_reports(each)]


def _list_meant(report: Report, *, others: Collection[int]) -> list[User]:
    """Return the owner, the users that the report is shared with, and these others.

    Members of profiles who are not active any more are nobody to tell about.
    """
    users = User.objects.filter(
        Q(pk=report.owner_id)
        | Q(pk__in=others)
        | Q(report_shares__report=report)
        | Q(security_profile__report_shares__report=report, is_active=True)
    )
    return list(
        users.exclude(username=SYSTEM_USERNAME)
        .select_related("security_profile")
        .order_by("last_name", "first_name", "pk")
        .distinct()
    )


def _explain(*, user: User, report: Report) -> str:
    """Return why the user gets no e-mail of the report; empty if they do."""
    if not user.is_active:
        return "The account is not active."
    if user.has_ended:
        return "The account has ended."
    if not user.email:
        return "There is no e-mail address."
    try:
        open_stored(user=user, uid=report.uid)
    except AccessRefusedError:
        return "The security profile does not allow to read reports."
    except UnknownReportError:
        return "The report is not shared with the user."
    return ""


def _explain_rows(*, report: Report, runner: User, configuration: ReportConfiguration) -> str:
    """Return why nothing is to be seen with the rights of the runner; empty if something may be."""
    if runner.pk == report.owner_id and is_orphaned(report):
        return f"It runs as its owner {report.owner}, who has left."
    about = read_type(report.report_type)
    for name in filter(None, (about.primary, about.related)):
        if find_source(user=runner, object_name=name, configuration=configuration) is None:
            return f"The security profile of {runner} does not allow to read what the report is about."
    return ""
