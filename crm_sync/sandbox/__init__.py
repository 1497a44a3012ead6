"""A Medical CRM to develop against: a server with the real CRM's API, and web pages for people.

It is a product of its own and imports nothing from the Vault, nor Django. Start it with `crm-sandbox`, or in the Vault
with `python manage.py crm_sandbox`; in tests use `RunningSandbox`, or the fixture `crm_sandbox` of `pytest_plugin`;
open an organisation's data directly with `Organisation`.

Rooms: `data` stores organisations, `soql` runs queries, `api` answers the REST API, `pages` draws the web pages and
`serving` speaks HTTP. `service` joins them for one organisation; `misbehaviour` and `control` make calls fail on
request.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_sync.sandbox.data.organisation import Organisation
    from crm_sync.sandbox.data.schema_files import read_schema
    from crm_sync.sandbox.serving.app import create_app
    from crm_sync.sandbox.serving.running import RunningSandbox

__all__ = ["Organisation", "RunningSandbox", "create_app", "read_schema"]

_HOMES = {
    "Organisation": "data.organisation",
    "RunningSandbox": "serving.running",
    "create_app": "serving.app",
    "read_schema": "data.schema_files",
}


def __getattr__(name: str) -> Any:
    """Return what the package offers, imported when it is first asked for.

    pytest imports the package in every run where the plugin is installed; runs without a sandbox do not wait for it.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
