"""Users have neither groups nor permissions of their own: these granted nothing, and could be mistaken for grants."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_page_views")]

    operations = [
        migrations.RemoveField(model_name="user", name="groups"),
        migrations.RemoveField(model_name="user", name="user_permissions"),
    ]
