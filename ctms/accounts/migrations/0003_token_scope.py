from django.db import migrations, models

_SCOPES = [("read", "Read"), ("write", "Read and write")]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_tracked_users")]

    operations = [
        migrations.AlterModelOptions(
            "apitoken",
            {"base_manager_name": "objects", "ordering": ("-created_at", "-id"), "verbose_name": "API token"},
        ),
        # Tokens that exist go on doing what they could; new ones read unless told otherwise.
        migrations.AddField("apitoken", "scope", models.CharField(choices=_SCOPES, default="write", max_length=10)),
        migrations.AlterField("apitoken", "scope", models.CharField(choices=_SCOPES, default="read", max_length=10)),
        migrations.AddConstraint(
            "apitoken",
            models.CheckConstraint(
                condition=models.Q(("scope__in", ["read", "write"])),
                name="api_token_scope",
                violation_error_message="Scope: choose Read, or Read and write.",
            ),
        ),
    ]
