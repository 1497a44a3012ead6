from django.db import migrations

from ctms.core.trigrams import AddTrigramIndex


class Migration(migrations.Migration):
    dependencies = [("activities", "0003_indexes_of_lists"), ("clinical", "0005_search_by_trigrams")]

    operations = [AddTrigramIndex("activity", "name"), AddTrigramIndex("activity", "subject")]
