from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="apitoken", options={"base_manager_name": "objects", "ordering": ("-created_at", "-id")}
        ),
        migrations.AlterModelOptions(
            name="user",
            options={
                "base_manager_name": "objects",
                "ordering": ("last_name", "first_name", "username"),
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.AlterModelManagers(name="user", managers=[]),
        migrations.AddField("user", "version", models.PositiveIntegerField(default=1, editable=False)),
    ]
