"""Study countries that are called by their code are called by their country: `AR` becomes Argentina.

And study communications are called so everywhere.
"""

from typing import Any

from django.db import migrations, models

from ctms.core.text.territories import get_countries


def name_countries(apps: Any, schema_editor: Any) -> None:
    """Rename in one statement. The records keep their versions, so that nothing is transferred for it."""
    del schema_editor
    country: Any = apps.get_model("clinical", "StudyCountry")
    # Django's own query set: names that the Vault builds are no change by anybody.
    coded: Any = models.QuerySet(country).filter(name=models.F("country"))
    codes = set(coded.order_by().values_list("country", flat=True).distinct())
    names = [
        models.When(country=code, then=models.Value(get_countries()[code])) for code in codes & set(get_countries())
    ]
    if names:
        coded.update(name=models.Case(*names, default=models.F("name")))


class Migration(migrations.Migration):
    dependencies = [("clinical", "0009_persons_are_users")]

    operations = [
        migrations.AlterModelOptions(
            name="studycommunicationlog",
            options={
                "ordering": ("-date", "-id"),
                "verbose_name": "study communication",
                "verbose_name_plural": "study communications",
            },
        ),
        migrations.RunPython(name_countries, migrations.RunPython.noop),
    ]
