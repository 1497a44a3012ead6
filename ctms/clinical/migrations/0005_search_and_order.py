"""Texts are searched without accents and case, and sorted as people look them up."""

from django.db import migrations, models

from ctms.core.text.expressions import collate
from ctms.core.text.operations import AddFoldedIndex, CreateTextSupport, DropTrigramIndex


class Migration(migrations.Migration):
    dependencies = [("clinical", "0004_numbers_alike")]

    operations = [
        CreateTextSupport(),
        DropTrigramIndex("study", "name"),
        AddFoldedIndex("study", "name"),
        DropTrigramIndex("study", "study_name"),
        AddFoldedIndex("study", "study_name"),
        DropTrigramIndex("study", "sponsor"),
        AddFoldedIndex("study", "sponsor"),
        DropTrigramIndex("studycountry", "name"),
        AddFoldedIndex("studycountry", "name"),
        DropTrigramIndex("studysite", "name"),
        AddFoldedIndex("studysite", "name"),
        DropTrigramIndex("studysite", "site_name"),
        AddFoldedIndex("studysite", "site_name"),
        DropTrigramIndex("studysite", "city"),
        AddFoldedIndex("studysite", "city"),
        DropTrigramIndex("person", "name"),
        AddFoldedIndex("person", "name"),
        DropTrigramIndex("person", "email"),
        AddFoldedIndex("person", "email"),
        DropTrigramIndex("person", "npi"),
        AddFoldedIndex("person", "npi"),
        DropTrigramIndex("studyperson", "name"),
        AddFoldedIndex("studyperson", "name"),
        DropTrigramIndex("monitoringevent", "name"),
        AddFoldedIndex("monitoringevent", "name"),
        DropTrigramIndex("monitoringeventparticipant", "name"),
        AddFoldedIndex("monitoringeventparticipant", "name"),
        DropTrigramIndex("studycommunicationlog", "name"),
        AddFoldedIndex("studycommunicationlog", "name"),
        DropTrigramIndex("studycommunicationlog", "subject"),
        AddFoldedIndex("studycommunicationlog", "subject"),
        DropTrigramIndex("studycommunicationcontact", "name"),
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
