"""Sites and study people that exist get the dates of their activities."""

import datetime as dt
from typing import Any

from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest, Least
from django.db.models.lookups import IsNull

_EARLY, _LATE = dt.date.min, dt.date.max


def fill_dates(apps: Any, schema_editor: Any) -> None:
    """Fill the dates in two statements an object. The records keep their versions, so that nothing is transferred."""
    del schema_editor
    today = dt.datetime.now(tz=dt.UTC).date()
    activity: Any = apps.get_model("activities", "Activity")
    place = Q(study=OuterRef("study"))
    for name in ("study_country", "site"):
        place &= Q(**{name: OuterRef(name)}) | Q(IsNull(OuterRef(name), True))  # noqa: FBT003  Django's signature
    of_person = [place & Q(person=OuterRef("person")), place & Q(study_person=OuterRef("pk"))]
    for model, sources in (("StudySite", [Q(site=OuterRef("pk"))]), ("StudyPerson", of_person)):
        _fill(
            records=models.QuerySet(apps.get_model("clinical", model)),
            activities=[activity.objects.filter(source, status="active__v") for source in sources],
            today=today,
        )


def _fill(*, records: Any, activities: list[Any], today: dt.date) -> None:
    done, still_open = Q(complete=True), Q(complete=False)
    past, now_or_later = Q(date__lt=today), Q(date__gte=today)
    records.update(
        last_contact=_find(activities, done & Q(date__lte=today), order="-"),
        next_contact=_find(activities, still_open & now_or_later),
        overdue_since=_find(activities, still_open & past),
    )
    # On the day of the next change the dates are read anew; that of these is found by the first reading, within a
    # minute after the Vault has started.
    later = [Exists(each.filter((still_open & now_or_later) | (done & Q(date__gt=today)))) for each in activities]
    condition = Q(later[0])
    for each in later[1:]:
        condition |= Q(each)
    records.filter(condition).update(contacts_move_on=today)


def _find(activities: list[Any], condition: Q, *, order: str = "") -> Any:
    """Return the first date that fulfils the condition, or the last with `order` "-"."""
    dates = [Subquery(each.filter(condition).order_by(f"{order}date").values("date")[:1]) for each in activities]
    if len(dates) == 1:
        return dates[0]
    # SQLite's greatest of a value and NULL is NULL.
    nothing, choose = (_EARLY, Greatest) if order else (_LATE, Least)
    days = [Coalesce(each, models.Value(nothing, output_field=models.DateField())) for each in dates]
    return models.functions.NullIf(choose(*days), models.Value(nothing, output_field=models.DateField()))


class Migration(migrations.Migration):
    dependencies = [("activities", "0007_contact_dates"), ("clinical", "0008_contact_dates")]

    operations = [migrations.RunPython(fill_dates, migrations.RunPython.noop)]
