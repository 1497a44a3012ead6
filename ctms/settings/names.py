"""What the Vault is called, and where users reach it."""

from __future__ import annotations

from ctms.settings.environment import env
from ctms.settings.values import parse_web_address

VAULT_NAME = env.text("VAULT_NAME", default="CTMS Vault")
# Where users reach the Vault; CRM records link back to it.
VAULT_BASE_URL = env.read("VAULT_BASE_URL", parse_web_address, default="http://127.0.0.1:8000")
# What this installation is called, outside of its database: where it differs from what the database was told, the
# database is a copy. In production, the address unless it is given.
VAULT_INSTANCE = env.text("VAULT_INSTANCE", default="")
