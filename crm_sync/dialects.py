"""The one place that chooses the dialect in which a connection's CRM is spoken to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_sync.salesforce.client_factory import build_client
from crm_sync.salesforce.dialect import SalesforceDialect, build_relationship, is_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.models import Connection
    from crm_sync.crm.dialect import CrmDialect


def open_dialect(*, connection: Connection, on_wait: Callable[[], None] | None = None, **bounds: Any) -> CrmDialect:
    """Return the dialect of a connection, not logged in yet; the parameters are those of `build_client`.

    Raises ConfigurationError if the connection's authorization is incomplete or its URL is not allowed.
    """
    return SalesforceDialect(build_client(connection=connection, on_wait=on_wait, **bounds))


def is_crm_id(text: str, *, connection: Connection) -> bool:  # noqa: ARG001  all connections speak one dialect
    """Whether a text can be the id of a record in the connection's CRM."""
    return is_id(text)


def build_path(reference: str, field_name: str, *, connection: Connection) -> str:  # noqa: ARG001  as above
    """Return the name under which rows of the connection's CRM hold a field of the record that a field refers to."""
    return f"{build_relationship(reference)}.{field_name}"
