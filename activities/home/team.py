"""The team view for study managers: what is open and overdue in their studies, by owner."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone

from activities.home.whose import ACTIVE, OF_MY_STUDIES, OVERDUE, Filters, build_list_url, limit, open_activities
from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.assignments import list_current
from ctms.clinical.choices import AssignmentRole
from ctms.clinical.models import Study
from ctms.records.access import open_related
from ctms.records.conditions.mine import OWNER
from ctms.records.pages.home import HomeRequest

MOST_OWNERS = 50
_OPEN: Filters = {"complete__v": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRow:
    """What a user of the team has open. Each number leads to the list of what it counts."""

    name: str
    overdue: int
    overdue_url: str
    oldest: dt.date | None
    week: int
    week_url: str
    open: int
    open_url: str


def may_see_team(user: User) -> bool:
    """Whether the user manages a study: is assigned to one as a study manager, and may read studies and activities."""
    access = open_activities(user)
    if access is None or open_related(access=access, object_name=Study.object_name) is None:
        return False
    return list_current(user).filter(role=AssignmentRole.STUDY_MANAGER).exists()


def build_team(request: HomeRequest) -> dict[str, Any] | None:
    """Return the panel's context: a row for each owner of open activities of the user's assigned studies.

    Who has the most overdue comes first.
    """
    access = open_activities(request.user)
    if access is None:
        return None
    today = timezone.localdate()
    week_end = today + dt.timedelta(days=6)
    late, soon = Q(date__lt=today), Q(date__gte=today, date__lte=week_end)
    rows = list(
        limit(access=access, filters={**OF_MY_STUDIES, **ACTIVE, **_OPEN})
        .order_by()
        .values("owner__username", "owner__first_name", "owner__last_name")
        .annotate(
            overdue=Count("pk", filter=late),
            week=Count("pk", filter=soon),
            open=Count("pk"),
            oldest=Min("date", filter=late),
        )
        .order_by("-overdue", "-open", "owner__last_name", "owner__username")[: MOST_OWNERS + 1]
    )
    week: Filters = {"date__v__from": today.isoformat(), "date__v__to": week_end.isoformat()}
    return {
        "rows": [_build_row(each, week=week) for each in rows[:MOST_OWNERS]],
        "has_more": len(rows) > MOST_OWNERS,
        "most": MOST_OWNERS,
        "overdue_url": _link(OVERDUE),
        "open_url": _link(_OPEN),
    }


def _build_row(found: dict[str, Any], *, week: Filters) -> OwnerRow:
    username = found["owner__username"]
    whose: Filters = {OWNER: username} if username else {f"{OWNER}__empty": "true"}
    name = f"{found['owner__first_name']} {found['owner__last_name']}".strip() if username else "Without an owner"
    return OwnerRow(
        name=name or username,
        overdue=found["overdue"],
        overdue_url=_link({**OVERDUE, **whose}),
        oldest=found["oldest"],
        week=found["week"],
        week_url=_link({**_OPEN, **week, **whose}),
        open=found["open"],
        open_url=_link({**_OPEN, **whose}),
    )


def _link(filters: Filters) -> str:
    return build_list_url(Activity.object_name, {**OF_MY_STUDIES, **ACTIVE, **filters}, sort="date__v")
