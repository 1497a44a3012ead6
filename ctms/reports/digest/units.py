"""Whose daily digest is due, by the clock of the database alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Q

from ctms.accounts.middleware import find_zone
from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.core.clock import get_database_now
from ctms.core.zones import find_moment
from ctms.jobs.models import JobDefinition
from ctms.jobs.registry import JobUnit
from ctms.reports.choices import MailState
from ctms.reports.models import DigestMail

DIGEST_JOB_KEY = "daily_digest"
UNIT = JobUnit(key="all", label="")
# Days of all users' calendars at one moment lie within these of the day in UTC.
_AROUND = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDigest:
    """A user whose digest of a day is due; `mail` is its row, if it was tried before."""

    user: User
    day: dt.date
    mail: DigestMail | None


def list_due_units() -> list[JobUnit]:
    """Return the unit of the job if the digest of anybody is due now. Runs three statements at most."""
    return [UNIT] if list_due(now=get_database_now()) else []


def list_due(*, now: dt.datetime) -> list[DueDigest]:
    """Return the digests of today, by each user's calendar, that are due and neither sent nor given up.

    Due is what has come since the job was delivered: a Vault that gets the job at noon sends none of the morning.
    Runs three statements at most.
    """
    since = JobDefinition.objects.filter(key=DIGEST_JOB_KEY).values_list("created_at", flat=True).first()
    planned = [(user, day) for user in _list_users() if (day := find_due_day(user=user, now=now, since=since))]
    if not planned:
        return []
    today = now.astimezone(dt.UTC).date()
    mails = DigestMail.objects.filter(day__range=(today - _AROUND, today + _AROUND))
    known = {(each.user_id, each.day): each for each in mails}
    due = [DueDigest(user=user, day=day, mail=known.get((user.pk, day))) for user, day in planned]
    return [each for each in due if each.mail is None or is_waiting(each.mail, now=now)]


def find_due_day(*, user: User, now: dt.datetime, since: dt.datetime | None) -> dt.date | None:
    """Return today by the user's calendar, if its digest is due by now; None before its hour."""
    if user.digest_hour is None:
        return None
    zone = find_zone(user.time_zone) or ZoneInfo("UTC")
    day = now.astimezone(zone).date()
    moment = find_moment(day=day, time=dt.time(user.digest_hour), zone=zone)
    return day if moment <= now and (since is None or moment > since) else None


def is_waiting(mail: DigestMail, *, now: dt.datetime) -> bool:
    """Whether there is something to do about a digest: its worker died, or it failed and is to be tried again."""
    if mail.state == MailState.SENDING:
        return True
    return mail.state == MailState.FAILED and mail.next_try_at is not None and mail.next_try_at <= now


def _list_users() -> list[User]:
    """Return the users who may log in, have an e-mail address and want the digest."""
    users = User.objects.filter(is_active=True, digest_hour__isnull=False).exclude(
        Q(email="") | Q(username=SYSTEM_USERNAME)
    )
    return [each for each in users.select_related("security_profile").order_by("pk") if not each.has_ended]
