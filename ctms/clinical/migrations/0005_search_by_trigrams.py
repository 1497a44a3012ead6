from django.db import migrations

from ctms.core.trigrams import AddTrigramIndex, TrigramsOfPostgreSQL


class Migration(migrations.Migration):
    dependencies = [("clinical", "0004_indexes_of_lists")]

    operations = [
        TrigramsOfPostgreSQL(),
        AddTrigramIndex("study", "name"),
        AddTrigramIndex("study", "study_name"),
        AddTrigramIndex("study", "sponsor"),
        AddTrigramIndex("studycountry", "name"),
        AddTrigramIndex("studysite", "name"),
        AddTrigramIndex("studysite", "site_name"),
        AddTrigramIndex("studysite", "city"),
        AddTrigramIndex("person", "name"),
        AddTrigramIndex("person", "email"),
        AddTrigramIndex("person", "npi"),
        AddTrigramIndex("studyperson", "name"),
        AddTrigramIndex("monitoringevent", "name"),
        AddTrigramIndex("monitoringeventparticipant", "name"),
        AddTrigramIndex("studycommunicationlog", "name"),
        AddTrigramIndex("studycommunicationlog", "subject"),
        AddTrigramIndex("studycommunicationcontact", "name"),
    ]
