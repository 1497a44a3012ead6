"""Limits wrong passwords: of one username from one address, and of all usernames from one address.

A lock never names a user alone: somebody elsewhere who knows the username of an admin cannot lock the admin out. Every
attempt is a row before its password is checked, so attempts at the same moment count each other and none slips through.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import unicodedata

from django.conf import settings
from django.db.models import Q, QuerySet
from django.dispatch import Signal

from ctms.accounts.models import FailedLogIn
from ctms.core.clock import format_time, get_now
from ctms.core.rate_limits import TooManyRequestsError

# Sent with `failure` and `until` when a wrong password was the last that is allowed for now.
log_in_locked = Signal()

_IPV6_NETWORK = 64  # bits; a household or a server has at least a network of this size, and may use all its addresses


class LockedOutError(TooManyRequestsError):
    """Too many wrong passwords; no password is checked until `until`."""

    def __init__(self, *, until: dt.datetime, whose: str) -> None:
        seconds = max(1, int((until - get_now()).total_seconds()) + 1)
        minutes = -(-seconds // 60)
        super().__init__(
            f"Too many wrong passwords {whose}. Try again at {format_time(until)}, in {minutes} "
            f"minute{'' if minutes == 1 else 's'}. An admin of your Vault can unlock it at once.",
            seconds=seconds,
        )


def begin_attempt(*, username: str, address: str) -> FailedLogIn:
    """Count an attempt to log in before its password is checked, and return it.

    Call `forget_failures` if the password was right, else `note_failure`. Raises LockedOutError if the password may not
    be checked now; that attempt does not count.
    """
    now = get_now()
    FailedLogIn.objects.filter(at__lte=now - _get_window()).delete()
    attempt = FailedLogIn.objects.create(
        username=normalise_username(username), address=normalise_address(address), at=now
    )
    try:
        _require_unlocked(attempt)
    except LockedOutError:
        attempt.delete()
        raise
    return attempt


def note_failure(attempt: FailedLogIn) -> None:
    """Keep the attempt, whose password was wrong, and say so if no other is allowed for now."""
    others = _list_failures(attempt)
    same = others.filter(username=attempt.username)
    for failures, most, username in (
        (same, settings.LOGIN_FAILURES, attempt.username),
        (others, settings.LOGIN_FAILURES_PER_ADDRESS, "anybody"),
    ):
        if failures.count() == most:
            locked = FailedLogIn(username=username, address=attempt.address, at=attempt.at)
            log_in_locked.send(sender=FailedLogIn, failure=locked, until=failures[most - 1].at + _get_window())


def forget_failures(attempt: FailedLogIn) -> None:
    """Forget the wrong passwords of the username and address of the attempt, whose password was right."""
    _list_failures(attempt).filter(username=attempt.username).delete()


def find_failures(*, username: str = "", address: str = "") -> QuerySet[FailedLogIn]:
    """Return the wrong passwords of a username, from an address, or of both."""
    chosen = Q()
    if username:
        chosen &= Q(username=normalise_username(username))
    if address:
        chosen &= Q(address=normalise_address(address))
    return FailedLogIn.objects.filter(chosen)


def normalise_username(username: str) -> str:
    """Return a username as it is counted: another spelling must not begin to count anew."""
    return unicodedata.normalize("NFKC", username).casefold().replace("\0", "").strip()[:150]


def normalise_address(address: str) -> str:
    """Return an address as it is counted: of IPv6 its network, e.g. `2001:db8:0:1::/64`."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:50]
    if parsed.version == 4:  # noqa: PLR2004  the version of the protocol
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))


def _require_unlocked(attempt: FailedLogIn) -> None:
    others = list(_list_failures(attempt).exclude(pk=attempt.pk)[: settings.LOGIN_FAILURES_PER_ADDRESS])
    same = [each for each in others if each.username == attempt.username]
    for failures, most, whose in (
        (same, settings.LOGIN_FAILURES, "for this username from your address"),
        (others, settings.LOGIN_FAILURES_PER_ADDRESS, "from your address"),
    ):
        if len(failures) >= most:
            raise LockedOutError(until=failures[most - 1].at + _get_window(), whose=whose)


def _list_failures(attempt: FailedLogIn) -> QuerySet[FailedLogIn]:
    """Return what counts of the address of an attempt, newest first."""
    return FailedLogIn.objects.filter(address=attempt.address, at__gt=get_now() - _get_window()).order_by("-at", "-id")


def _get_window() -> dt.timedelta:
    return dt.timedelta(minutes=settings.LOGIN_LOCKOUT_MINUTES)
