"""Entries know the transaction that wrote them; those from before get the number of this migration's."""

from django.db import migrations, models

import ctms.audit.models


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_refuse_changes")]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="transaction_number",
            field=models.BigIntegerField(db_default=ctms.audit.models.TransactionNumber(), editable=False),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["transaction_number"], name="audit_transaction"),
        ),
    ]
