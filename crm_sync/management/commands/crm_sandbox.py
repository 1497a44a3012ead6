"""`manage.py crm_sandbox`: serve one or more CRM organisations to develop against."""

from crm_sync.management.extras import load_command

Command = load_command(module="crm_sync.sandbox.command", extra="sandbox")
