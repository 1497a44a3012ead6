"""The audit trail and the users in the admin; `base` is what every other admin is built on."""

from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.users import UserAdmin

__all__ = ["AuditEntryAdmin", "UserAdmin"]
