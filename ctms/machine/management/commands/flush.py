"""`manage.py flush`, which production refuses."""

from django.core.management.commands.flush import Command as Original

from ctms.machine.refused_commands import refuse_in_production

Command = refuse_in_production(
    Original,
    remedy="It empties every table. To begin anew, make an empty database, name it in DATABASE_URL, and run migrate.",
)
