"""The charts of the home page: completed contacts by month, channel and study. Each bar leads to the list it counts."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncMonth
from django.utils import formats

from activities.home.whose import Filters, MyActivities, open_activities
from ctms.accounts.models import User
from ctms.clinical.models import Study
from ctms.core.charts import Chart, ChartKind, Series
from ctms.records.access import open_related
from ctms.records.pages.home import HomeRequest
from ctms.reports.engine.limits import limit_time
from ctms.reports.errors import ReportTooSlowError

MONTHS = 6
MOST_STUDIES = 10
_SECONDS = 5.0
_LABEL = "Contacts"
_COMPLETE: Filters = {"complete__v": "true"}


def may_have_charts(user: User) -> bool:
    """Whether the user may read activities."""
    return open_activities(user) is not None


def build_charts(request: HomeRequest) -> dict[str, Any] | None:
    """Return the panel's context: the charts of what is complete in the last six calendar months until today."""
    access = open_activities(request.user)
    if access is None:
        return None
    mine = MyActivities(access=access)
    months = _list_months(mine.today)
    span: Filters = {**_COMPLETE, "date__v__from": months[0].isoformat(), "date__v__to": mine.today.isoformat()}
    try:
        with limit_time(_SECONDS):
            counts = _count(mine, span)
    except ReportTooSlowError:
        return {"charts": [], "is_too_slow": True, "url": mine.build_url(span, sort="-date__v")}
    charts = [
        _draw_months(mine, months=months, counts=counts["month"]),
        _draw_channels(mine, span=span, counts=counts["channel"]),
        _draw_studies(mine, span=span, counts=counts["study"]),
    ]
    return {
        "charts": [each for each in charts if each is not None],
        "is_empty": not counts["month"],
        "is_of_studies": mine.is_of_studies,
        "since": months[0],
        "url": mine.build_url(span, sort="-date__v"),
    }


def _list_months(today: dt.date) -> list[dt.date]:
    """Return the first days of the last months, the present one last."""
    number = today.year * 12 + today.month - 1
    return [dt.date(each // 12, each % 12 + 1, 1) for each in range(number - MONTHS + 1, number + 1)]


def _count(mine: MyActivities, span: Filters) -> dict[str, Counter[Any]]:
    """Count the activities by month, channel and study in one statement."""
    grouped = (
        mine.list_records(span)
        .order_by()
        .annotate(month=TruncMonth("date"))
        .values_list("month", "channel", "study")
        .annotate(number=Count("pk"))
    )
    counts: dict[str, Counter[Any]] = {name: Counter() for name in ("month", "channel", "study")}
    for month, channel, study, number in grouped:
        counts["month"][month] += number
        counts["channel"][channel] += number
        counts["study"][study] += number
    return counts


def _draw_months(mine: MyActivities, *, months: Sequence[dt.date], counts: Mapping[dt.date, int]) -> Chart:
    ends = [*(each - dt.timedelta(days=1) for each in months[1:]), mine.today]
    links = [
        _link(mine, {"date__v__from": first.isoformat(), "date__v__to": last.isoformat()})
        for first, last in zip(months, ends, strict=True)
    ]
    return _draw(
        title="By month",
        categories=[formats.date_format(each, "M Y") for each in months],
        values=[counts.get(each, 0) for each in months],
        links=links,
        ordered=True,
    )


def _draw_channels(mine: MyActivities, *, span: Filters, counts: Mapping[str, int]) -> Chart:
    shape = mine.access.shape
    labels = dict(shape.list_choices(shape.fields["channel__v"]))
    shown = [each for each in labels if counts.get(each)]
    return _draw(
        title="By channel",
        categories=[labels[each] for each in shown],
        values=[counts[each] for each in shown],
        links=[_link(mine, {**span, "channel__v": each}) for each in shown],
    )


def _draw_studies(mine: MyActivities, *, span: Filters, counts: Counter[int | None]) -> Chart | None:
    """Draw the studies with the most contacts that the user sees; None for users who may read no studies."""
    opened = open_related(access=mine.access, object_name=Study.object_name)
    if opened is None:
        return None
    most = [(key, number) for key, number in counts.most_common() if key is not None]
    found = {each.pk: each for each in opened.list_records().filter(pk__in=[key for key, _ in most[:MOST_STUDIES]])}
    shown = [(found[key], number) for key, number in most if key in found]
    categories = [str(study) for study, _ in shown]
    values = [number for _, number in shown]
    links = [_link(mine, {**span, "study__v": str(study.uid)}) for study, _ in shown]
    if counts[None]:
        categories.append("No study")
        values.append(counts[None])
        links.append(_link(mine, {**span, "study__v__empty": "true"}))
    title = "By study" if len(most) <= MOST_STUDIES else f"By study: the {MOST_STUDIES} with the most"
    return _draw(title=title, categories=categories, values=values, links=links)


def _link(mine: MyActivities, filters: Filters) -> str:
    return mine.build_url({**_COMPLETE, **filters}, sort="-date__v")


def _draw(
    *, title: str, categories: Sequence[str], values: Sequence[int], links: Sequence[str], ordered: bool = False
) -> Chart:
    return Chart(
        kind=ChartKind.BAR,
        title=title,
        categories=tuple(categories),
        series=(Series(label="", values=tuple(values), links=tuple(links)),),
        value_label=_LABEL,
        ordered=ordered,
    )
