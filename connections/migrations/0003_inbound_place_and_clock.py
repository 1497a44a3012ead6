"""Where an inbound integration is, by the CRM's own clock."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0002_bookmark"),
    ]

    operations = [
        migrations.AddField(
            model_name="integrationprogress",
            name="crm_clock",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="integrationprogress",
            name="crm_clock_read_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="integrationprogress",
            name="deletions_until",
            field=models.DateTimeField(help_text="time up to which deletions were received", null=True),
        ),
        migrations.AddField(
            model_name="integrationprogress",
            name="received_until",
            field=models.DateTimeField(help_text="SystemModstamp that an unfinished run came to", null=True),
        ),
        migrations.AlterField(
            model_name="integrationprogress",
            name="watermark",
            field=models.DateTimeField(help_text="SystemModstamp up to which everything was received", null=True),
        ),
    ]
