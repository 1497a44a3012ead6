"""From a connection to a client of its organisation: credentials, limits, and refusals with a remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings

from connections.choices import Audience, GrantFlow
from connections.secret_origins import list_lacking_secrets
from crm_sync.crm.errors import ConfigurationError
from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from crm_sync.salesforce.options import KeyPair
from ctms.core.choices import RecordStatus
from ctms.core.errors import EncryptionKeyError
from ctms.core.standing import WHERE_TO_DECIDE, read_standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.models import Connection, ConnectionAuthorization
    from crm_sync.salesforce.options import Flow

_FLOWS: dict[str, Flow] = {
    GrantFlow.PASSWORD: "password",
    GrantFlow.CLIENT_CREDENTIALS: "client_credentials",
    GrantFlow.JWT_BEARER: "jwt_bearer",
}
_LOG_IN_ORIGINS = {Audience.LOGIN: "https://login.salesforce.com", Audience.TEST: "https://test.salesforce.com"}


def build_client(*, connection: Connection, on_wait: Callable[[], None] | None = None, **bounds: Any) -> CrmClient:
    """Make a client for the connection's organisation; `bounds` replace client options of the same name.

    Raises ConfigurationError if the connection's authorization lacks what a log-in takes, or has it for another
    organisation, if the connection has no URL or one that is not allowed, or if this Vault may send nothing.
    """
    standing = read_standing()
    if not standing.may_send:
        raise ConfigurationError(f"{connection.name} was not called. {standing.sentence}", remedy=WHERE_TO_DECIDE)
    if not connection.url:
        raise ConfigurationError(
            f"{connection.name} has no URL yet.",
            remedy="Edit the connection, and enter the URL of the CRM organisation; on Save it becomes Active.",
        )
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
    try:
        credentials = _read_credentials(authorization)
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
        name=connection.name,
    )
    if bounds:
        options = replace(options, **bounds)
    return CrmClient(base_url=connection.url, credentials=credentials, options=options, on_wait=on_wait)


def _read_credentials(authorization: ConnectionAuthorization) -> Credentials:
    """Decrypt what the authorization's flow needs, and nothing else. Raises EncryptionKeyError."""
    flow = _FLOWS[authorization.grant_flow]
    is_jwt = flow == "jwt_bearer"
    pairs = [(authorization.private_key, authorization.certificate)] if is_jwt else []
    if is_jwt and authorization.next_certificate:
        pairs.insert(0, (authorization.next_private_key, authorization.next_certificate))
    return Credentials(
        flow=flow,
        username=authorization.username,
        password=authorization.password.reveal() if flow == "password" else "",
        consumer_key=authorization.consumer_key.reveal(),
        consumer_secret="" if is_jwt else authorization.consumer_secret.reveal(),
        key_pairs=tuple(KeyPair(private_key=key.reveal(), certificate=pem) for key, pem in pairs),
        audience=_LOG_IN_ORIGINS.get(Audience(authorization.audience), "") if is_jwt else "",
    )
