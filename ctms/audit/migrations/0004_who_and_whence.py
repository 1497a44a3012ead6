"""Entries say in which role, from where and to which study and connection, and in the words of their day."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_number_transactions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="actor_role",
            field=models.CharField(
                blank=True,
                default="",
                help_text="the user's security profile, as it was called then",
                max_length=128,
                verbose_name="role",
            ),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="address",
            field=models.CharField(
                blank=True,
                default="",
                help_text="empty for jobs and commands",
                max_length=45,
                verbose_name="IP address",
            ),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="connection_uid",
            field=models.UUIDField(
                help_text="whose set-up was changed, or for which a run wrote", null=True, verbose_name="connection"
            ),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="object_label",
            field=models.CharField(
                blank=True, default="", help_text="as the object was called then", max_length=128, verbose_name="object"
            ),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="study_uid",
            field=models.UUIDField(help_text="to which the record belonged then", null=True, verbose_name="study"),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="time_zone",
            field=models.CharField(blank=True, default="", help_text="of the user", max_length=64),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="words",
            field=models.JSONField(default=dict, help_text="field → label, values and names as of then; see words.py"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["actor", "-id"], name="audit_actor"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["object_name", "-id"], name="audit_object"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["action", "-id"], name="audit_action"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("actor_role", ""), _negated=True), fields=["actor_role", "-id"], name="audit_role"
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("address", ""), _negated=True), fields=["address", "-id"], name="audit_address"
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("study_uid__isnull", False)), fields=["study_uid", "-id"], name="audit_study"
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("connection_uid__isnull", False)),
                fields=["connection_uid", "-id"],
                name="audit_connection",
            ),
        ),
    ]
