"""The world of the transfer's tests, for tests of what is asked before a transfer."""

from tests.crm_sync.transfer.conftest import quick_retries, sandbox, second_world, world

__all__ = ["quick_retries", "sandbox", "second_world", "world"]
