from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("records", "0006_undo_operations")]

    operations = [
        migrations.AlterField(
            model_name="operationproblem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("error", "Error"),
                    ("warning", "Warning"),
                    ("lost_zeros", "Leading zeros"),
                    ("alike", "Like another record"),
                    ("used", "Uses another record"),
                ],
                default="error",
                max_length=20,
            ),
        ),
    ]
