"""From a connection to a client of its organisation: credentials, limits, and refusals with a remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings

from connections.choices import GrantFlow
from connections.secret_origins import list_lacking_secrets
from crm_sync.crm.errors import ConfigurationError
from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from ctms.core.choices import RecordStatus
from ctms.core.errors import EncryptionKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.models import Connection


def build_client(*, connection: Connection, on_wait: Callable[[], None] | None = None, **bounds: Any) -> CrmClient:
    """Make a client for the connection's organisation; `bounds` replace client options of the same name.

    Raises ConfigurationError if the connection's authorization lacks what a log-in takes, or has it for another
    organisation, or if the connection's URL is not allowed.
    """
    authorization = connection.authorization
    if authorization is None:
        raise ConfigurationError(
            f"{connection.name} has no Authorization.", remedy="Choose or create one on the connection."
        )
    if authorization.status != RecordStatus.ACTIVE:
        raise ConfigurationError(
            f"The Authorization {authorization.name} of {connection.name} is Inactive.",
            remedy="Make it Active, or choose another one on the connection.",
        )
    for lacking in list_lacking_secrets(authorization=authorization, url=connection.url):
        raise ConfigurationError(
            f"The Authorization {authorization.name} of {connection.name} {lacking.reason}; nothing was sent.",
            remedy=f"Use its action {lacking.action}.",
        )
    is_password_flow = authorization.grant_flow == GrantFlow.PASSWORD
    try:
        credentials = Credentials(
            flow="password" if is_password_flow else "client_credentials",
            username=authorization.username,
            password=authorization.password.reveal() if is_password_flow else "",
            consumer_key=authorization.consumer_key.reveal(),
            consumer_secret=authorization.consumer_secret.reveal(),
        )
    except EncryptionKeyError as error:
        raise ConfigurationError(
            f"The secrets of {authorization.name} cannot be read: {error}",
            remedy="Restore the key, or enter the secrets again.",
        ) from None
    options = ClientOptions(
        api_version=settings.CRM_API_VERSION,
        connect_timeout=connection.connect_timeout,
        read_timeout=connection.read_timeout,
        max_attempts=settings.CRM_MAX_ATTEMPTS,
        retry_budget_seconds=settings.CRM_RETRY_BUDGET_SECONDS,
        backoff_base_seconds=settings.CRM_BACKOFF_BASE_SECONDS,
        quota_share=connection.quota_percent / 100,
        allowed_host_suffixes=tuple(settings.CRM_ALLOWED_HOST_SUFFIXES),
        sandbox_origins={f"https://{host}": origin for host, origin in settings.CRM_SANDBOX_ORIGINS.items()},
        pool_size=connection.concurrency,
    )
    if bounds:
        options = replace(options, **bounds)
    return CrmClient(base_url=connection.url, credentials=credentials, options=options, on_wait=on_wait)
