"""What a client needs to know before its first call: who logs in, and within which bounds it works."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from crm_sync.errors import ConfigurationError

Flow = Literal["password", "client_credentials"]

_API_VERSION: Final = re.compile(r"v[0-9]{2,3}\.[0-9]")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The log-in of one connection; ``username`` and ``password`` matter to the password flow only.

    Nothing but the flow shows in ``repr()``.
    """

    flow: Flow
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)

    def build_form(self) -> dict[str, str]:
        """Return the fields of the token request."""
        form = {"grant_type": self.flow, "client_id": self.consumer_key, "client_secret": self.consumer_secret}
        if self.flow == "password":
            form |= {"username": self.username, "password": self.password}
        return form

    def list_secrets(self) -> list[str]:
        """Return every value that must appear nowhere."""
        return [secret for secret in (self.password, self.consumer_secret, self.consumer_key) if secret]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The bounds a client works within; every duration in seconds.

    ``max_attempts`` counts the first try of a call; ``retry_budget_seconds`` bounds the waiting of the client's whole
    life, which is one run. ``quota_share`` is the part of the organisation's API calls after which the client stops.
    ``ca_bundle`` is a file of certificate authorities that replaces the usual ones.
    Raises ConfigurationError for values that no client can work with.
    """

    api_version: str = "v60.0"
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_attempts: int = 6
    retry_budget_seconds: float = 300.0
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 60.0
    quota_share: float = 0.9
    allowed_host_suffixes: tuple[str, ...] = ()
    sandbox_origins: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: str | None = None
    pool_size: int = 4

    def __post_init__(self) -> None:
        """Refuse what would make calls without bounds, or none at all."""
        problems = {
            "api_version": not _API_VERSION.fullmatch(self.api_version),
            "connect_timeout": self.connect_timeout <= 0,
            "read_timeout": self.read_timeout <= 0,
            "max_attempts": self.max_attempts < 1,
            "quota_share": not 0 < self.quota_share <= 1,
            "pool_size": self.pool_size < 1,
        }
        for name in (name for name, is_wrong in problems.items() if is_wrong):
            message = f"{name} cannot be {getattr(self, name)!r}."
            raise ConfigurationError(message, remedy="Correct the API version of the connection or the CRM settings.")
