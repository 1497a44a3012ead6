from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("records", "0003_operation_basis")]

    operations = [
        migrations.AddField(
            model_name="operationproblem",
            name="kind",
            field=models.CharField(
                choices=[("error", "Error"), ("warning", "Warning"), ("lost_zeros", "Leading zeros")],
                default="error",
                max_length=20,
            ),
        ),
    ]
