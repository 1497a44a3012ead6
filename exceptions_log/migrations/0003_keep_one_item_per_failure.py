"""A failure that lasts is one item: the newest item of each stays, and the copies of earlier runs are resolved."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Substr


def keep_one_item_per_failure(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001  Django's signature
    messages: Any = apps.get_model("exceptions_log", "ExceptionMessage").objects
    items: Any = apps.get_model("exceptions_log", "ExceptionItem").objects
    items.filter(message__is_draft=True).delete()
    messages.filter(is_draft=True).delete()
    message = messages.filter(pk=OuterRef("message"))
    items.update(
        integration=Subquery(message.values("integration")[:1]),
        job=Subquery(message.values("job")[:1]),
        cause=Substr("error_message", 1, 255),
    )
    # So far, `resolved_at` holds when a dismissal lapsed.
    in_force = Q(dismissed_at__isnull=False, resolved_at__isnull=True)
    is_open = Q(dismissed_at__isnull=True, message__status="active__v")
    unresolved = items.filter(in_force | is_open)
    items.exclude(pk__in=unresolved.values("pk")).filter(resolved_at=None).update(resolved_at=F("last_failed_at"))
    # A failure that was dismissed, and then failed anew in another state, has its newest item alone.
    newer = items.filter(resolved_at=None, key=OuterRef("key"), pk__gt=OuterRef("pk")).filter(
        Q(integration=OuterRef("integration")) | Q(job=OuterRef("job"))
    )
    items.filter(Exists(newer), resolved_at=None).update(resolved_at=F("last_failed_at"))
    counts = items.filter(message=OuterRef("pk")).order_by().values("message").annotate(n=Count("pk"))
    messages.filter(items__isnull=False).update(failed_count=Subquery(counts.values("n")[:1]))


class Migration(migrations.Migration):
    dependencies = [("exceptions_log", "0002_failures_and_resolution")]

    operations = [migrations.RunPython(keep_one_item_per_failure, migrations.RunPython.noop, elidable=True)]
