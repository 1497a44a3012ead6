"""The organisation stands with the connection now, in `crm_sync`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connections", "0003_inbound_place_and_clock"), ("crm_sync", "0002_organisations")]

    operations = [migrations.RemoveField(model_name="integrationprogress", name="organisation_id")]
