"""Tells people by e-mail that a job is overdue: once, even if several dispatches notice it at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.core.clock import get_database_now
from ctms.core.standing import read_standing
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobClock, JobDefinition
from ctms.jobs.schedules import describe_schedule
from ctms.jobs.selectors import OverdueJob, list_overdue_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger(__name__)


def notify_overdue_jobs() -> int:
    """Send one e-mail for each job that became overdue; return how many were sent. A recovered job may be told again.

    A lease sees to it that only one of several dispatches sends. If sending fails, or the process dies, the next
    dispatch tries again. A copy of a Vault tells nobody.
    """
    if not read_standing().may_send:
        return 0
    told = dict(JobClock.objects.filter(notified_at__isnull=False).values_list("pk", "notified_at"))
    overdue = list_overdue_jobs()
    still = {job.clock.pk for job in overdue}
    for pk, notified_at in told.items():
        if pk not in still:
            JobClock.objects.filter(pk=pk, notified_at=notified_at).update(notified_at=None)
    return sum(_notify(job) for job in overdue if job.clock.notified_at is None)


def list_recipients(definition: JobDefinition) -> list[str]:
    """Return the addresses of all users who may manage jobs and of the job's owner, each once."""
    admins = (
        User.objects.filter(is_active=True)
        .filter(Q(is_superuser=True) | Q(security_profile__isnull=False))
        .exclude(email="")
        .select_related("security_profile")
        .order_by("pk")
    )
    addresses = [user.email for user in admins if has_permission(user=user, permission=JobDefinition.object_name)]
    owner = definition.owner
    if owner is not None and owner.is_active and not owner.has_ended and owner.email:
        addresses.append(owner.email)
    return list({address.casefold(): address for address in addresses}.values())


def _notify(job: OverdueJob) -> bool:
    recipients = list_recipients(job.definition)
    if not recipients:
        return False
    lease = acquire_lease(key=f"overdue:{job.definition.key}", run=None)
    if lease is None:
        return False
    try:
        # The process that held the lease before may have sent it since the jobs were listed.
        unsent = JobClock.objects.filter(pk=job.clock.pk, notified_at__isnull=True)
        if not unsent.exists():
            return False
        send_mail(subject=f"{job.definition} is overdue", text=_write_text(job), to=recipients)
        with transaction.atomic():
            lease.renew()
            unsent.update(notified_at=get_database_now())
    except MailError as error:
        log.warning("overdue_mail_not_sent", job=job.definition.key, error=str(error))
        return False
    except LeaseLostError:
        log.warning("overdue_mail_sent_late", job=job.definition.key)
        return True
    finally:
        lease.release()
    log.info("overdue_mail_sent", job=job.definition.key, recipients=len(recipients))
    return True


def _write_text(job: OverdueJob) -> str:
    page = reverse("admin:jobs_jobdefinition_change", args=(job.definition.pk,))
    lines: Sequence[str] = (
        job.sentence,
        "",
        f"Schedule: {describe_schedule(job.definition)}.",
        f"The job: {settings.VAULT_BASE_URL.rstrip('/')}{page}",
        "",
        "There is no other e-mail about this before the job has succeeded. Its owner and the admins of jobs get it.",
        "",
    )
    return "\n".join(lines)
