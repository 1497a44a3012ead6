"""Credentials and limits with which a client of a CRM is made."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.exchanges import Exchange

Flow = Literal["password", "client_credentials", "jwt_bearer"]

_API_VERSION: Final = re.compile(r"v[0-9]{2,3}\.[0-9]")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate, as PEM texts; `repr()` shows neither."""

    private_key: str = field(repr=False)
    certificate: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The log-in of one connection.

    The password flow uses `username` and `password`. JWT bearer uses `username` and `key_pairs`, which are tried in
    their order; `audience` is the origin that is asked for the token, empty for that of the connection.
    `repr()` shows the flow alone.
    """

    flow: Flow
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    key_pairs: tuple[KeyPair, ...] = field(default=(), repr=False)
    audience: str = field(default="", repr=False)

    def build_form(self) -> dict[str, str]:
        """Return the fields of the token request, save for JWT bearer."""
        form = {"grant_type": self.flow, "client_id": self.consumer_key, "client_secret": self.consumer_secret}
        if self.flow == "password":
            form |= {"username": self.username, "password": self.password}
        return form

    def list_secrets(self) -> list[str]:
        """Return every value that no message, log or page may show."""
        keys = [pair.private_key for pair in self.key_pairs]
        return [secret for secret in (self.password, self.consumer_secret, self.consumer_key, *keys) if secret]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The limits of a client; every duration is in seconds.

    `max_attempts` counts the first try of a call too. `retry_budget_seconds` limits all the waiting of one client,
    which lives for one run. The client stops once `quota_share` of the organisation's API calls are used.
    `name` is that of the connection, for the log.
    `ca_bundle` is a file of certificate authorities that replaces the default ones. `watch` is shown every call that is
    made with a token, without secrets, from the thread that makes it. In a rehearsal the calls that write are shown to
    it and not sent; their records are answered as accepted.
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
    watch: Callable[[Exchange], None] | None = None
    is_rehearsal: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Raise ConfigurationError for values that would make no calls, or calls without a limit."""
        problems = {
            "api_version": not _API_VERSION.fullmatch(self.api_version),
            "connect_timeout": self.connect_timeout <= 0,
            "read_timeout": self.read_timeout <= 0,
            "max_attempts": self.max_attempts < 1,
            "quota_share": not 0 < self.quota_share <= 1,
            "pool_size": self.pool_size < 1,
        }
        for name in (name for name, is_wrong in problems.items() if is_wrong):
            raise ConfigurationError(
                f"{name} cannot be {getattr(self, name)!r}.",
                remedy="Correct the API version of the connection or the CRM settings.",
            )
