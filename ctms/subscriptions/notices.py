"""Tells the users of subscriptions by e-mail that these were switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from ctms.accounts.mail import MailError, send_mail
from ctms.jobs.choices import RunState
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome
from ctms.subscriptions.models import MOST_NOTICE_TRIES, SwitchOffNotice

if TYPE_CHECKING:
    from django.db.models import QuerySet

PART = "notices"  # key in the run's result


def list_notice_units() -> list[JobUnit]:
    """Return one unit if somebody is still to be told."""
    return [JobUnit(key="all", label="")] if _list_waiting().exists() else []


def send_notices(context: RunContext) -> RunOutcome:
    """Send the e-mails that wait. What was not accepted is tried by later runs, ten times in all.

    An e-mail may come twice, if the process dies between sending it and noting that.
    """
    sent = failed = 0
    for notice in _list_waiting().select_related("subscription__webhook", "subscription__user").order_by("pk"):
        context.lease.stop_if_cancelled()
        problem = _send(notice)
        sent, failed = sent + (not problem), failed + bool(problem)
        with transaction.atomic():
            context.lease.renew()
            # Only if it was not switched on, and off again, meanwhile.
            SwitchOffNotice.objects.filter(pk=notice.pk, at=notice.at).update(
                is_mailed=not problem, problem=problem, attempts=notice.attempts + 1
            )
    return RunOutcome(
        state=RunState.WITH_EXCEPTIONS if failed else RunState.SUCCEEDED,
        message=f"{sent:,} sent, {failed:,} not accepted.",
        result={PART: {"selected": sent + failed, "sent": sent, "failed": failed}},
    )


def _list_waiting() -> QuerySet[SwitchOffNotice]:
    return SwitchOffNotice.objects.filter(is_mailed=False, attempts__lt=MOST_NOTICE_TRIES)


def _send(notice: SwitchOffNotice) -> str:
    """Send one e-mail; return why it was not accepted, or an empty text."""
    subscription = notice.subscription
    if not subscription.user.email:
        return f"{subscription.user} has no e-mail address. Enter one on the user's page."
    page = reverse("admin:subscriptions_recordsubscription_change", args=(subscription.pk,))
    text = (
        f"The subscription {subscription} was switched off, because its receiver did not accept what was sent.\n"
        f"{notice.reason}\n\n"
        "Nothing is lost: what happened since is told when an admin switches it on again.\n\n"
        f"The subscription: {settings.VAULT_BASE_URL.rstrip('/')}{page}\n"
    )
    try:
        send_mail(subject=f"Subscription switched off: {subscription}", text=text, to=[subscription.user.email])
    except MailError as error:
        return str(error)
    return ""
