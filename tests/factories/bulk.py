"""Creates hundreds or thousands of records, with a few statements for each batch."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.audit.services import create_records
from ctms.clinical.choices import PersonType
from ctms.clinical.models import Person, StudyCountry, StudySite
from tests.factories.base import build_admin_actor

_FIRST_DAY = dt.date(2026, 1, 1)
_DAYS = 200


def create_people(count: int, *, prefix: str = "BULK", **values: Any) -> list[Person]:
    """Create people with the external ids `<prefix>-000000`, `<prefix>-000001`, ..."""
    people = [
        Person(
            **{
                "object_type": PersonType.PERSON,
                "first_name": "Petra",
                "last_name": f"{prefix} {number:06d}",
                "email": f"{prefix.lower()}-{number:06d}@example.org",
                "external_id": f"{prefix}-{number:06d}",
                **values,
            }
        )
        for number in range(count)
    ]
    return create_records(records=people, actor=build_admin_actor())


def create_sites(count: int, *, study_country: StudyCountry, **values: Any) -> list[StudySite]:
    """Create sites of one study country, numbered from 5000."""
    sites = [
        StudySite(
            **{
                "study": study_country.study,
                "study_country": study_country,
                "name": str(5000 + number),
                "site_name": f"Hospital {5000 + number}",
                **values,
            }
        )
        for number in range(count)
    ]
    return create_records(records=sites, actor=build_admin_actor())


def create_activities(count: int, *, people: Sequence[Person] | None = None, **values: Any) -> list[Activity]:
    """Create Clinical Activities with the people in turn (ten new ones by default), over all channels and 200 days.

    `values` are the same in all of them, such as `site=...`.
    """
    actor = build_admin_actor()
    chosen = people if people is not None else create_people(10, prefix="CONTACT")
    channels = itertools.cycle(Channel)
    activities = [
        Activity(
            **{
                "object_type": ActivityType.CLINICAL,
                "person": person,
                "date": _FIRST_DAY + dt.timedelta(days=number % _DAYS),
                "channel": next(channels),
                "complete": number % 2 == 0,
                "subject": f"Activity {number}",
                "from_text": actor.user.display_contact,
                **values,
            }
        )
        for number, person in zip(range(count), itertools.cycle(chosen))
    ]
    return create_records(records=activities, actor=actor)
