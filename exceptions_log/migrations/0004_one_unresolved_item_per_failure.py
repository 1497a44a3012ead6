from django.db import migrations, models
from django.db.models import Q

HAS_ONE_SCOPE = Q(integration__isnull=False, job__isnull=True) | Q(integration__isnull=True, job__isnull=False)


class Migration(migrations.Migration):
    dependencies = [("exceptions_log", "0003_keep_one_item_per_failure")]

    operations = [
        migrations.RemoveField(model_name="exceptionmessage", name="is_draft"),
        migrations.AddIndex(
            model_name="exceptionitem",
            index=models.Index(
                condition=Q(("dismissed_at__isnull", False), ("resolved_at__isnull", True)),
                fields=["record_uid"],
                name="dismissal_in_force",
            ),
        ),
        migrations.AddIndex(
            model_name="exceptionitem",
            index=models.Index(fields=["resolved_at"], name="exception_item_resolved"),
        ),
        migrations.AddConstraint(
            model_name="exceptionitem",
            constraint=models.UniqueConstraint(
                condition=Q(("resolved_at__isnull", True)),
                fields=("integration", "key"),
                name="one_unresolved_item_per_integration",
            ),
        ),
        migrations.AddConstraint(
            model_name="exceptionitem",
            constraint=models.UniqueConstraint(
                condition=Q(("resolved_at__isnull", True)), fields=("job", "key"), name="one_unresolved_item_per_job"
            ),
        ),
        migrations.AddConstraint(
            model_name="exceptionitem",
            constraint=models.CheckConstraint(condition=HAS_ONE_SCOPE, name="item_is_of_an_integration_or_a_job"),
        ),
    ]
