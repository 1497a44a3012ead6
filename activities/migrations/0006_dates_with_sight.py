"""The index of activities by date holds what says who sees them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activities", "0005_activities_have_owners")]

    operations = [
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(
                fields=["-date", "-id", "study", "created_by", "object_type"], name="activity_by_date_and_sight"
            ),
        ),
        migrations.RemoveIndex(model_name="activity", name="activity_by_date"),
    ]
