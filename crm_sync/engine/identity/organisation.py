"""The CRM organisation to which a connection leads: checked at each log-in, and claimed before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from connections.models import IntegrationProgress
from crm_sync.crm.errors import ConfigurationError
from crm_sync.models import OrganisationProgress, TransferLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.models import Connection


def refuse_other_organisation(*, connection: Connection, organisation_id: str) -> None:
    """Raise ConfigurationError if the organisation logged in to is not that of this connection.

    A connection that has transferred keeps its organisation. That of another connection, Active or not, is refused,
    because every call would then be received twice.
    """
    if not organisation_id:
        return
    own = OrganisationProgress.objects.filter(connection=connection).exclude(organisation_id=None).first()
    if own is not None and own.organisation_id != organisation_id and _has_transferred(connection):
        raise ConfigurationError(
            f"{connection.name} leads to the CRM organisation {organisation_id}, but its records are in "
            f"{own.organisation_id}.",
            remedy="Correct the URL or the Authorization, or create a new connection for the other organisation.",
        )
    others = OrganisationProgress.objects.filter(organisation_id=organisation_id).exclude(connection=connection)
    if (other := others.select_related("connection").first()) is not None:
        raise ConfigurationError(
            f"{connection.name} leads to the same CRM organisation as {other.connection.name}, so every call would be "
            "received twice.",
            remedy="Correct the URL or the Authorization, or use the other connection; whether it is Inactive does not "
            "matter.",
        )


def find_last_organisation(connection: Connection) -> str:
    """Return the id of the organisation of the last transfer; empty before the first one."""
    own = OrganisationProgress.objects.filter(connection=connection).values_list("organisation_id", flat=True)
    return own.first() or ""


def claim_organisation(*, connection: Connection, organisation_id: str, renew_lease: Callable[[], None]) -> None:
    """Claim the organisation for this connection; of two connections that do so at once, one succeeds.

    Raises ConfigurationError as `refuse_other_organisation` does.
    """
    refuse_other_organisation(connection=connection, organisation_id=organisation_id)
    try:
        with transaction.atomic():
            renew_lease()
            OrganisationProgress.objects.update_or_create(
                connection=connection, defaults={"organisation_id": organisation_id or None}
            )
    except IntegrityError:
        refuse_other_organisation(connection=connection, organisation_id=organisation_id)
        raise


def _has_transferred(connection: Connection) -> bool:
    links = TransferLink.objects.filter(integration__connection=connection).exclude(crm_id="")
    progress = IntegrationProgress.objects.filter(integration__connection=connection)
    return links.exists() or progress.exclude(last_successful_run_at=None).exists()
