"""Which hosts the Vault talks to: the allow-list for every URL that an admin enters or that a CRM names.

Nothing here resolves a name; ``transport`` checks the address when the socket opens.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from crm_sync.errors import ConfigurationError

HTTPS_PORT: Final = 443
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_NEXT_PATH = re.compile(r"/services/data/[A-Za-z0-9._~/-]+(\?[A-Za-z0-9._~/=&%+-]*)?")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class HostRules:
    """The hosts that may be talked to.

    ``allowed_suffixes`` are matched by whole labels (``salesforce.com`` admits ``na.my.salesforce.com`` and itself, not
    ``evilsalesforce.com``). ``sandbox_origins`` maps exact reserved hosts (``https://na.crm.test``) to a local process
    (``http://127.0.0.1:8101``). Raises ConfigurationError for a mapping that is anything else.
    """

    allowed_suffixes: tuple[str, ...]
    sandbox_origins: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a mapping that could lead a real host astray or a sandbox off this machine."""
        for reserved, origin in self.sandbox_origins.items():
            _check_sandbox_origin(reserved=reserved, origin=origin)

    def check_origin(self, url: str) -> str:
        """Return ``https://host`` of a Connection URL.

        Raises ConfigurationError unless it is https on the standard port, a plain host name on the allow-list or mapped
        to a sandbox, and nothing else: no user, path, query or fragment.
        """
        parts = _split(url)
        host = _get_host(parts)
        if parts.scheme != "https":
            raise _refuse(url_host=host, reason="the address must begin with https://")
        if parts.port not in {None, HTTPS_PORT}:
            raise _refuse(url_host=host, reason="only the standard port of https is allowed")
        if parts.username is not None or parts.password is not None:
            raise _refuse(url_host=host, reason="the address must not hold a user name or password")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise _refuse(url_host=host, reason="the address must end after the host name")
        origin = f"https://{host}"
        if origin not in self.sandbox_origins:
            self._check_allowed(host)
        return origin

    def check_instance_url(self, url: str, *, logged_in_at: str) -> str:
        """Return the origin at which the CRM says its API is, as checked as the one typed by the admin.

        ``logged_in_at`` is the origin of the log-in. A sandbox may name the local address it is reached at.
        """
        if self.find_sandbox(logged_in_at) == url.rstrip("/"):
            return logged_in_at
        return self.check_origin(url)

    def find_sandbox(self, origin: str) -> str | None:
        """Return the local origin that ``origin`` is mapped to, or None for a real host."""
        target = self.sandbox_origins.get(origin)
        return None if target is None else target.rstrip("/")

    def check_next_path(self, url: str, *, origin: str) -> str:
        """Return path and query of ``nextRecordsUrl``, which must lie under ``/services/data/`` of the same host."""
        path = url
        for own_origin in (origin, self.find_sandbox(origin)):
            if own_origin is not None:
                path = path.removeprefix(own_origin)
        if not _NEXT_PATH.fullmatch(path) or ".." in path or "//" in path:
            raise _refuse(url_host=origin.removeprefix("https://"), reason="its next page lies outside its own API")
        return path

    def _check_allowed(self, host: str) -> None:
        suffixes: Sequence[str] = [suffix.lower().strip(".") for suffix in self.allowed_suffixes]
        if not any(suffix and (host == suffix or host.endswith(f".{suffix}")) for suffix in suffixes):
            raise _refuse(
                url_host=host,
                reason="the host is not on the allow-list",
                remedy="Correct the Connection URL, or have the operator add the domain to the allowed CRM hosts.",
            )


def _split(url: str) -> SplitResult:
    # urlsplit() drops tabs and newlines and keeps backslashes: both have been used to hide a host.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refuse(url_host="The CRM address", reason="it holds characters that no address has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None:
        raise _refuse(url_host="The CRM address", reason="it cannot be read as an address")
    return parts


def _get_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if not _HOST.fullmatch(host):
        # The last label of a name never begins with a digit, so every IPv4 form (decimal, octal, hex, short) ends here.
        raise _refuse(url_host=host or "The CRM address", reason="a full host name is needed, not an IP address")
    return host


def _check_sandbox_origin(*, reserved: str, origin: str) -> None:
    if _get_host(_split(reserved)).rpartition(".")[2] != "test" or reserved != f"https://{_get_host(_split(reserved))}":
        message = f"Sandbox origins: {reserved!r} is not https:// and a host under the reserved domain .test."
        raise ConfigurationError(message, remedy="Correct the setting CRM_SANDBOX_ORIGINS.")
    target = _split(origin)
    if target.scheme not in {"http", "https"} or not is_loopback(target.hostname or "") or target.path not in {"", "/"}:
        message = f"Sandbox origins: {reserved!r} leads to {origin!r}, which is not an address of this machine."
        raise ConfigurationError(message, remedy="Correct the setting CRM_SANDBOX_ORIGINS.")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine by name or literal address."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(*, url_host: str, reason: str, remedy: str = "Correct the Connection URL.") -> ConfigurationError:
    return ConfigurationError(f"{url_host} is refused: {reason}.", remedy=remedy)
