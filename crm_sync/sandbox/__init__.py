"""A Medical CRM to develop against: a server that clients cannot tell from the real one, with people's pages.

It is a product of its own and knows nothing of the Vault. Start it with ``python manage.py crm_sandbox``; in tests use
:class:`RunningSandbox`; open an organisation's data directly with :class:`Organisation`.
"""

from crm_sync.sandbox.app import create_app
from crm_sync.sandbox.organisation import Organisation
from crm_sync.sandbox.running import RunningSandbox

__all__ = ["Organisation", "RunningSandbox", "create_app"]
