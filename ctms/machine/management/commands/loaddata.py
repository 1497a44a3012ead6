"""`manage.py loaddata`, which production refuses."""

from django.core.management.commands.loaddata import Command as Original

from ctms.machine.refused_commands import refuse_in_production

Command = refuse_in_production(
    Original,
    remedy="It writes rows past validation, permissions and the audit trail. Import records in the Vault, or restore a "
    "backup into an empty database.",
)
