"""User exceptions in the admin, read only; `crm_sync` adds the actions that retry and dismiss them."""

from exceptions_log.admin.items import ExceptionItemAdmin
from exceptions_log.admin.messages import ExceptionMessageAdmin

__all__ = ["ExceptionItemAdmin", "ExceptionMessageAdmin"]
