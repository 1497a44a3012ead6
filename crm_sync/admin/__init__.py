"""The transfer in the admin: what it remembers, and connections and exceptions with what can be done to them."""

from crm_sync.admin.connections import TransferringConnectionAdmin
from crm_sync.admin.exceptions import RetryableItemAdmin, RetryableMessageAdmin
from crm_sync.admin.memory import AccountMatchAdmin, IntegrationRunAdmin, TransferLinkAdmin

__all__ = [
    "AccountMatchAdmin",
    "IntegrationRunAdmin",
    "RetryableItemAdmin",
    "RetryableMessageAdmin",
    "TransferLinkAdmin",
    "TransferringConnectionAdmin",
]
