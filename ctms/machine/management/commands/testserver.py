"""`manage.py testserver`, which production refuses."""

from django.core.management.commands.testserver import Command as Original

from ctms.machine.refused_commands import refuse_in_production

Command = refuse_in_production(
    Original,
    remedy="It serves a database of test data. Start the web server: gunicorn ctms.wsgi.",
)
