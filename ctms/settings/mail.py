"""E-mail, and who gets the head of the audit trail. The backend is set by each installation."""

from __future__ import annotations

from ctms.settings.environment import env
from ctms.settings.values import parse_mailbox, parse_sender

EMAIL_TIMEOUT = 10  # seconds; a server that does not answer must not keep a request waiting
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.read("DEFAULT_FROM_EMAIL", parse_sender, default="CTMS Vault <vault@localhost>")

# Who gets the head of the audit trail's chain from the job Verify Audit Trail, to keep it outside the database.
AUDIT_ANCHOR_RECIPIENTS = env.items("AUDIT_ANCHOR_RECIPIENTS", parse_mailbox)
# A head of that chain: what is before it was looked into, and the job verifies only what follows. Empty: all.
AUDIT_VERIFIED_UP_TO = env.text("AUDIT_VERIFIED_UP_TO")
