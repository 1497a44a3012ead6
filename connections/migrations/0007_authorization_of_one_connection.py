import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0006_secrets_belong_to_an_organisation")]

    operations = [
        migrations.AlterField(
            model_name="connection",
            name="authorization",
            field=models.ForeignKey(
                blank=True,
                error_messages={
                    "unique": "Another connection uses this Authorization, and its secrets are sent to that "
                    "organisation alone. Choose or create another one."
                },
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="connections",
                to="connections.connectionauthorization",
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(fields=("authorization",), name="authorization_of_one_connection"),
        ),
    ]
