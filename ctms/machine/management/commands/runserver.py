"""`manage.py runserver`, which production refuses."""

from whitenoise.runserver_nostatic.management.commands.runserver import Command as Original

from ctms.machine.refused_commands import refuse_in_production

Command = refuse_in_production(
    Original,
    remedy="It is no server for production. Start gunicorn ctms.wsgi.",
)
