from django.db.models import TextChoices

AUDIT_PERMISSION = "admin:audit"  # to read the audit trail


class AuditAction(TextChoices):
    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    RESTORED = "restored", "Restored"
    LOGGED_IN = "logged_in", "Logged in"
    LOGGED_OUT = "logged_out", "Logged out"
    LOGIN_FAILED = "login_failed", "Log-in failed"
    EXPORTED = "exported", "Exported"
    EVENT = "event", "Event"


class RedactionState(TextChoices):
    REQUESTED = "requested", "Requested"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
