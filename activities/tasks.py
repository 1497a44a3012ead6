"""The Celery task of contact dates."""

from __future__ import annotations

from celery import shared_task

from activities.contacts.writing import move_on, write_contacts
from ctms.core.standing import read_standing


@shared_task(name="activities.write_contacts", ignore_result=True, soft_time_limit=50, time_limit=58)
def write_contact_dates() -> None:
    """Write the contact dates that a process left when it died, and those that a new day makes others.

    Beat sends this task every minute. What it would write during maintenance is written after it.
    """
    if read_standing().is_read_only:
        return
    write_contacts()
    move_on()
