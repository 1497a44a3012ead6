"""`manage.py demo`: the whole product on one machine, with demonstration data."""

from crm_sync.management.extras import load_command

Command = load_command(module="crm_sync.demo.command", extra="demo", starts="crm_sync.sandbox.command")
