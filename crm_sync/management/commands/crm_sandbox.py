"""`manage.py crm_sandbox`: serve one or more CRM organisations to develop against."""

from django.conf import settings

from crm_sync.management.extras import load_program

Command = load_program(
    module="crm_sync.sandbox.command", extra="sandbox", data_dir=settings.BASE_DIR / "var" / "crm_sandbox"
)
