"""Whose activities the home page shows, and the addresses of lists that show the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.clinical.models import Study, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object, open_related
from ctms.records.addresses import get_object_url
from ctms.records.conditions.mine import ME, MINE, MINE_HERE, OWNER
from ctms.records.lists.filters import read_filters
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, count_capped

Filters = Mapping[str, str | list[str]]

ACTIVE: Filters = {"status__v": RecordStatus.ACTIVE.value}
# As the delivered view *Overdue at my sites* writes it, so that its list bears this name.
OVERDUE: Filters = {"complete__v": "false", "date__v__within": "past"}
OF_MY_STUDIES: Filters = {"study__v": MINE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A number of records, and the list that shows exactly these. `text` ends in "+" where counting stopped."""

    number: int
    text: str
    url: str


def build_list_url(object_name: str, filters: Filters, *, sort: str = "") -> str:
    """Return the address of the list of an object with these filters and this order."""
    parameters = {**filters, "sort": sort} if sort else filters
    return f"{get_object_url('record_list', object_name)}?{urlencode(parameters, doseq=True)}"


def limit(*, access: ObjectAccess, filters: Filters) -> QuerySet[Any]:
    """Return the records that the list with these filters shows."""
    asked = QueryDict(urlencode(filters, doseq=True))
    return read_filters(access=access, parameters=asked).limit(access.list_records())


def count(records: QuerySet[Any], *, url: str) -> Counted:
    """Count the records, which the list at `url` shows, up to the number that lists count to."""
    number = count_capped(records)
    return Counted(number=number, text=f"{COUNT_CAP:,}+" if number > COUNT_CAP else f"{number:,}", url=url)


def owns_site(user: User) -> bool:
    """Whether a site that the user sees belongs to the user."""
    return list_visible(StudySite.objects.filter(owner=user), user).exists()


@dataclass(kw_only=True)
class MyActivities:
    """The Active activities that are a user's: owned, or at a site that the user owns.

    They are those of the user's assigned studies instead if the user owns nothing yet.
    """

    access: ObjectAccess

    @cached_property
    def today(self) -> dt.date:
        """Today's date in the time zone of the request, which is the user's; the filters of lists ask for the same."""
        return timezone.localdate()

    @cached_property
    def sites(self) -> ObjectAccess | None:
        """The user's access to study sites; None without one."""
        return open_related(access=self.access, object_name=StudySite.object_name)

    @cached_property
    def owns_site(self) -> bool:
        return self.sites is not None and owns_site(self.access.user)

    @cached_property
    def filters(self) -> Filters:
        """The filters of the list that shows the same activities."""
        # The owner of a site sees what is there only with the site itself.
        mine: Filters = dict(MINE_HERE) if self.sites is not None else {OWNER: ME}
        if self.owns_site or limit(access=self.access, filters={**mine, **ACTIVE}).exists():
            return mine
        studies = open_related(access=self.access, object_name=Study.object_name)
        return OF_MY_STUDIES if studies is not None else {OWNER: ME}

    @property
    def is_of_studies(self) -> bool:
        return self.filters == OF_MY_STUDIES

    @cached_property
    def _all(self) -> QuerySet[Any]:
        return limit(access=self.access, filters={**self.filters, **ACTIVE})

    def list_records(self, filters: Filters) -> QuerySet[Any]:
        """Return those of the activities that fulfil these filters."""
        asked = QueryDict(urlencode(filters, doseq=True))
        return read_filters(access=self.access, parameters=asked).limit(self._all)

    def build_url(self, filters: Filters, *, sort: str = "date__v") -> str:
        """Return the address of the list that shows those of the activities that fulfil these filters."""
        return build_list_url(Activity.object_name, {**self.filters, **ACTIVE, **filters}, sort=sort)


def open_activities(user: User) -> ObjectAccess | None:
    """Return the user's access to activities; None for users who may read none."""
    try:
        return open_object(user=user, object_name=Activity.object_name)
    except AccessRefusedError:
        return None
