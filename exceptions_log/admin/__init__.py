"""User exceptions in the admin: read, never created by hand. What the transfer can do with them is on its floor."""

from exceptions_log.admin.items import ExceptionItemAdmin
from exceptions_log.admin.messages import ExceptionMessageAdmin

__all__ = ["ExceptionItemAdmin", "ExceptionMessageAdmin"]
