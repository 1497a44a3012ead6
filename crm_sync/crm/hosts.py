"""The allow-list of CRM hosts, for every URL that an admin enters or that a CRM names.

Nothing here resolves a name; `safe_transport` checks the address when the socket opens.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from crm_sync.crm.errors import ConfigurationError

HTTPS_PORT: Final = 443
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]+(\?[A-Za-z0-9._~/=&%+-]*)?")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class HostRules:
    """The hosts that the Vault may call.

    `allowed_suffixes` are matched by whole labels: `salesforce.com` admits itself and `na.my.salesforce.com`, not
    `evilsalesforce.com`. `sandbox_origins` maps a reserved origin such as `https://na.crm.test` to a local process such
    as `http://127.0.0.1:8101`. Raises ConfigurationError for any other mapping.
    """

    allowed_suffixes: tuple[str, ...]
    sandbox_origins: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a mapping of a real host, or one that leads to another machine."""
        for reserved, origin in self.sandbox_origins.items():
            _check_sandbox_origin(reserved=reserved, origin=origin)

    def check_origin(self, url: str) -> str:
        """Return `https://host` of a Connection URL.

        Raises ConfigurationError unless the URL is https on the standard port, without user, path, query and fragment,
        and its host is on the allow-list or mapped to a sandbox.
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
        """Return the origin of the API that the CRM names, after the checks of `check_origin`.

        `logged_in_at` is the origin of the log-in. A sandbox may name the local address at which it is reached; the
        origin of the log-in is returned then.
        """
        if self.find_sandbox(logged_in_at) == url.rstrip("/"):
            return logged_in_at
        return self.check_origin(url)

    def find_sandbox(self, origin: str) -> str | None:
        """Return the local origin that `origin` is mapped to, or None for a real host."""
        target = self.sandbox_origins.get(origin)
        return None if target is None else target.rstrip("/")

    def check_next_path(self, url: str, *, origin: str, root: str) -> str:
        """Return path and query of the address of a next page, which must begin with `root` on the same host.

        Raises ConfigurationError if they are not.
        """
        path = url
        for own_origin in (origin, self.find_sandbox(origin)):
            if own_origin is not None:
                path = path.removeprefix(own_origin)
        if not path.startswith(root) or path == root or not _PATH.fullmatch(path) or ".." in path or "//" in path:
            raise ConfigurationError(
                f"{origin.removeprefix('https://')} names a next page that lies outside its own API"
                f"{_describe_foreign_host(path)}, so nothing was read from there.",
                remedy="Look for what alters the CRM's answers on the way, such as a proxy; if the other host is the "
                "CRM's own, enter it as Connection URL.",
            )
        return path

    def _check_allowed(self, host: str) -> None:
        suffixes: Sequence[str] = [suffix.lower().strip(".") for suffix in self.allowed_suffixes]
        if not any(suffix and (host == suffix or host.endswith(f".{suffix}")) for suffix in suffixes):
            raise _refuse(
                url_host=host,
                reason="the host is not on the allow-list",
                remedy="Correct the Connection URL, or have the operator add the domain to the allowed CRM hosts.",
            )


def _describe_foreign_host(url: str) -> str:
    """Return the host of an unusable address in words, if it has one that may stand in a message."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
    return f" ({host})" if _HOST.fullmatch(host) else ""


def _split(url: str) -> SplitResult:
    # urlsplit() drops tabs and newlines and keeps backslashes; attackers use both to hide a host.
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
        # The last label of a host name never begins with a digit, so every form of an IPv4 address is refused here.
        raise _refuse(url_host=host or "The CRM address", reason="a full host name is needed, not an IP address")
    return host


def _check_sandbox_origin(*, reserved: str, origin: str) -> None:
    if _get_host(_split(reserved)).rpartition(".")[2] != "test" or reserved != f"https://{_get_host(_split(reserved))}":
        raise ConfigurationError(
            f"Sandbox origins: {reserved!r} is not https:// and a host under the reserved domain .test.",
            remedy="Correct the setting CRM_SANDBOX_ORIGINS.",
        )
    target = _split(origin)
    if target.scheme not in {"http", "https"} or not is_loopback(target.hostname or "") or target.path not in {"", "/"}:
        raise ConfigurationError(
            f"Sandbox origins: {reserved!r} leads to {origin!r}, which is not an address of this machine.",
            remedy="Correct the setting CRM_SANDBOX_ORIGINS.",
        )


def is_loopback(host: str) -> bool:
    """Return whether `host` is a name or an address of this machine's loopback."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(*, url_host: str, reason: str, remedy: str = "Correct the Connection URL.") -> ConfigurationError:
    return ConfigurationError(f"{url_host} is refused: {reason}.", remedy=remedy)
