"""The transfer in the admin console: lists of its records, and parts of the pages of connections and exceptions."""

from crm_sync.admin import (
    connection_health,
    connection_removal,
    connection_test,
    dns_warning,
    exceptions,
    preview,
    reconciliation,
    transfer_records,
)

__all__ = [
    "connection_health",
    "connection_removal",
    "connection_test",
    "dns_warning",
    "exceptions",
    "preview",
    "reconciliation",
    "transfer_records",
]
