"""`manage.py makemigrations`, which production refuses."""

from django.core.management.commands.makemigrations import Command as Original

from ctms.machine.refused_commands import refuse_in_production

Command = refuse_in_production(
    Original,
    remedy="Migrations come with the release. Run manage.py migrate.",
)
