"""Texts are searched without accents and case, and sorted as people look them up."""

from django.db import migrations, models

from ctms.core.text.expressions import collate
from ctms.core.text.operations import AddFoldedIndex, CreateTextSupport


class Migration(migrations.Migration):
    dependencies = [("clinical", "0004_numbers_alike")]

    operations = [
        CreateTextSupport(),
        AddFoldedIndex("study", "name"),
        AddFoldedIndex("study", "study_name"),
        AddFoldedIndex("study", "sponsor"),
        AddFoldedIndex("studycountry", "name"),
        AddFoldedIndex("studysite", "name"),
        AddFoldedIndex("studysite", "site_name"),
        AddFoldedIndex("studysite", "city"),
        AddFoldedIndex("person", "name"),
        AddFoldedIndex("person", "email"),
        AddFoldedIndex("person", "npi"),
        AddFoldedIndex("studyperson", "name"),
        AddFoldedIndex("monitoringevent", "name"),
        AddFoldedIndex("monitoringeventparticipant", "name"),
        AddFoldedIndex("studycommunicationlog", "name"),
        AddFoldedIndex("studycommunicationlog", "subject"),
        AddFoldedIndex("studycommunicationcontact", "name"),
        AddFoldedIndex("person", "phone"),
        AddFoldedIndex("person", "person_identifier"),
        migrations.RemoveIndex(model_name="studycountry", name="study_country_list"),
        migrations.AddIndex(
            model_name="studycountry", index=models.Index(collate("name"), "id", name="study_country_list")
        ),
        migrations.RemoveIndex(model_name="studysite", name="site_list"),
        migrations.AddIndex(model_name="studysite", index=models.Index(collate("name"), "id", name="site_list")),
        migrations.RemoveIndex(model_name="studyperson", name="study_person_list"),
        migrations.AddIndex(
            model_name="studyperson", index=models.Index(collate("name"), "id", name="study_person_list")
        ),
        migrations.RemoveIndex(model_name="person", name="person_list"),
        migrations.AddIndex(model_name="person", index=models.Index(collate("name"), "id", name="person_list")),
        migrations.RemoveIndex(model_name="monitoringeventparticipant", name="participant_list"),
        migrations.AddIndex(
            model_name="monitoringeventparticipant", index=models.Index(collate("name"), "id", name="participant_list")
        ),
        migrations.RemoveIndex(model_name="studycommunicationcontact", name="contact_list"),
        migrations.AddIndex(
            model_name="studycommunicationcontact", index=models.Index(collate("name"), "id", name="contact_list")
        ),
    ]
