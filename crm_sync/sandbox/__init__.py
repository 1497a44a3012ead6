"""A Medical CRM to develop against: a server with the real CRM's API, and web pages for people.

It is a product of its own and imports nothing from the Vault. Start it with `python manage.py crm_sandbox`; in tests
use `RunningSandbox`; open an organisation's data directly with `Organisation`.

Rooms: `data` stores organisations, `soql` runs queries, `api` answers the REST API, `pages` draws the web pages and
`serving` speaks HTTP. `service` joins them for one organisation; `misbehaviour` and `control` make calls fail on
request.
"""

from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.serving.app import create_app
from crm_sync.sandbox.serving.running import RunningSandbox

__all__ = ["Organisation", "RunningSandbox", "create_app"]
