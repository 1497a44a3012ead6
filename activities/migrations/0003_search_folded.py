"""Activities are searched without accents and case."""

from django.db import migrations

from ctms.core.text.operations import AddFoldedIndex


class Migration(migrations.Migration):
    dependencies = [("activities", "0002_declined_activities"), ("clinical", "0005_search_and_order")]

    operations = [
        AddFoldedIndex("activity", "name"),
        AddFoldedIndex("activity", "subject"),
    ]
