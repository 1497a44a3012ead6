from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="savedview", options={"base_manager_name": "objects", "ordering": ("name", "id")}
        ),
    ]
