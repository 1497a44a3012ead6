"""The transfer in the admin: what it remembers, and connections with what can be done to them."""

from crm_sync.admin.connections import TransferringConnectionAdmin
from crm_sync.admin.memory import AccountMatchAdmin, IntegrationRunAdmin, TransferLinkAdmin

__all__ = ["AccountMatchAdmin", "IntegrationRunAdmin", "TransferLinkAdmin", "TransferringConnectionAdmin"]
