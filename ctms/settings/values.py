"""How single values of the environment are read. Each function raises ValueError with a remedy."""

from __future__ import annotations

import ipaddress
import re
from email.utils import parseaddr
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ctms.settings.environment import split

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\Z", re.IGNORECASE)
_MAILBOX: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\Z")
_SHORTEST_SECRET: Final = 50
_FEWEST_CHARACTERS: Final = 10
_PLACEHOLDERS: Final = ("changeme", "change-me", "change_me", "secret", "password", "example", "insecure", "replace")
# Domains under which anybody can have one: `co.uk`, `com.au`.
_SHARED_DOMAIN: Final = re.compile(r"(ac|co|com|edu|gov|gouv|net|ne|or|org)\.[a-z]{2}\Z")


def is_host(text: str) -> bool:
    """Whether a text is the name of a host, an IPv4 address, or an IPv6 address in brackets."""
    if text.startswith("[") and text.endswith("]"):
        try:
            ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            return False
        return True
    return len(text) < 254 and all(_LABEL.match(label) for label in text.split("."))  # noqa: PLR2004  as of RFC 1035


def parse_allowed_hosts(text: str) -> list[str]:
    """Return the hosts under which the Vault is reached; at least one."""
    found = [_parse_allowed_host(part) for part in split(text)]
    if not found:
        raise ValueError("It is empty. Name the hosts under which the Vault is reached, e.g. vault.example.org.")
    return found


def _parse_allowed_host(text: str) -> str:
    """Return a host under which the Vault is reached; one that begins with a dot stands for all below it."""
    if "*" in text:
        raise ValueError(
            "Name the hosts: with *, links in e-mails could lead anywhere. .example.org stands for all below."
        )
    if "://" in text or "/" in text:
        raise ValueError("Write host names alone, without https:// and path, e.g. vault.example.org.")
    name = text.removeprefix(".")
    if not is_host(name):
        raise ValueError("Write host names, without port, with commas between, e.g. vault.example.org.")
    if text.startswith(".") and "." not in name:
        raise ValueError("Name a domain of your own: this stands for every host of a whole top-level domain.")
    return text.lower()


def parse_https_address(text: str) -> str:
    """Return an address of a server that begins with https, without slashes at its end."""
    return _parse_address(text.strip(), schemes=("https",)).rstrip("/")


def parse_web_address(text: str) -> str:
    """Return an address that begins with http or https, without slashes at its end."""
    return _parse_address(text.strip(), schemes=("https", "http")).rstrip("/")


def get_host(address: str) -> str:
    """Return the host of an address, as ALLOWED_HOSTS would name it."""
    host = urlsplit(address).hostname or ""
    return f"[{host}]" if ":" in host else host


def parse_issuer(text: str) -> str:
    """Return the address of an OpenID Connect provider as it is written: what it signs names the very same."""
    return _parse_address(text.strip(), schemes=("https", "http"))


def parse_origin(text: str) -> str:
    """Return an origin: scheme, host (`*.` stands for all below), port; nothing behind it."""
    bare = text.replace("://*.", "://", 1)
    if _parse_address(bare, schemes=("https",)).rstrip("/").count("/") > 2:  # noqa: PLR2004  those of https://
        raise ValueError("Write an origin, without a path, e.g. https://vault.example.org.")
    return text.rstrip("/")


def _parse_address(text: str, *, schemes: tuple[str, ...]) -> str:
    example = f"Write an address such as {schemes[0]}://vault.example.org."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"Host and port cannot be read. {example}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"It must begin with {' or '.join(f'{each}://' for each in schemes)}. {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"Leave user and password out. {example}")
    host = parts.hostname or ""
    if not is_host(f"[{host}]" if ":" in host else host) or port == 0 or any(each.isspace() for each in text):
        raise ValueError(f"It names no host. {example}")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError(f"Leave out what follows ? or #. {example}")
    return text


def parse_host_suffixes(text: str) -> list[str]:
    """Return the domains below which a connection may be; at least one."""
    found = [_parse_host_suffix(part) for part in split(text)]
    if not found:
        raise ValueError(
            "It is empty, so that no CRM could be reached: unset it, or name domains, e.g. salesforce.com."
        )
    return found


def _parse_host_suffix(text: str) -> str:
    """Return a domain below which every host may be named: at least two labels, and none that all the world shares."""
    domain = text.lower()
    if not is_host(domain) or domain.startswith("[") or "*" in domain:
        raise ValueError("Write domains, with commas between and without * or https://, e.g. salesforce.com,veeva.com.")
    if "." not in domain or _SHARED_DOMAIN.match(domain) or domain.replace(".", "").isdecimal():
        raise ValueError(
            "Write domains of the CRM's vendor, e.g. salesforce.com: everybody can have a host in this one."
        )
    return domain


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the addresses of a proxy: one, or a network."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{error}. Name addresses or networks, e.g. 10.0.0.5 or 10.1.0.0/24, separated by commas."
        ) from None
    if network.prefixlen == 0:
        raise ValueError("Name the proxies alone: this is every address, so that anybody could make up theirs.")
    return network


def parse_web_origin(text: str) -> str:
    """Return the origin of a web application, as browsers send it, e.g. `https://app.example.org`."""
    parts = urlsplit(text)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if text != text.lower() or text != f"{parts.scheme}://{parts.netloc}" or not parts.hostname or "@" in parts.netloc:
        raise ValueError(
            "Write origins as browsers send them, in small letters: scheme, host and, if it is not the usual one, "
            "port, without a path, e.g. https://app.example.org. There are no wildcards."
        )
    if "*" in text or not (parts.scheme == "https" or (parts.scheme == "http" and is_local)):
        raise ValueError("Name each origin, with https; http is for localhost alone. There are no wildcards.")
    if parts.port == {"https": 443, "http": 80}[parts.scheme]:
        raise ValueError("Leave out the usual port, as browsers do.")
    return text


def parse_mailbox(text: str) -> str:
    """Return an e-mail address."""
    if not _MAILBOX.match(text) or not is_host(text.rpartition("@")[2]):
        raise ValueError("Write e-mail addresses, with commas between, e.g. quality@example.org.")
    return text


def parse_sender(text: str) -> str:
    """Return an e-mail address that may have a name before it."""
    name, address = parseaddr(text)
    is_whole = text.strip() in (address, f"<{address}>") or bool(name)
    if not is_whole or not _MAILBOX.match(address) or "\n" in text or not is_host(address.rpartition("@")[2]):
        raise ValueError("Write an e-mail address, e.g. CTMS Vault <vault@example.org>.")
    return text.strip()


def parse_secret_key(text: str) -> str:
    """Return the key that signs sessions, if it cannot be guessed."""
    how = 'Make one with python -c "import secrets; print(secrets.token_urlsafe(64))".'
    if len(text) < _SHORTEST_SECRET:
        raise ValueError(f"It is too short: give at least {_SHORTEST_SECRET} random characters. {how}")
    if is_guessable(text):
        raise ValueError(f"It is a default, or easy to guess. {how}")
    return text


def is_guessable(text: str) -> bool:
    """Whether a secret has few different characters, a placeholder's words, repeats itself, or goes by the alphabet."""
    plain = text.lower()
    if len(set(text)) < _FEWEST_CHARACTERS or any(word in plain for word in _PLACEHOLDERS):
        return True
    if plain in (plain + plain)[1:-1]:  # it is made of a shorter text
        return True
    steps = [abs(ord(after) - ord(before)) for before, after in pairwise(plain)]
    return sum(step <= 1 for step in steps) * 2 > len(steps)


def parse_token(text: str) -> str:
    """Return a token that opens an address of the Vault, if it cannot be guessed."""
    if len(text) < 32 or is_guessable(text) or not text.isascii() or any(each.isspace() for each in text):  # noqa: PLR2004  128 bits as hexadecimal digits
        raise ValueError("Give at least 32 random letters and digits, e.g. of openssl rand -hex 32.")
    return text


def parse_api_version(text: str) -> str:
    """Return a version of the CRM's API."""
    if not re.fullmatch(r"v[0-9]{2,3}\.0", text.strip()):
        raise ValueError("Write v and a version, such as v60.0.")
    return text.strip()


def parse_origins(text: str) -> dict[str, str]:
    """Return origins of CRM sandboxes by host, from `host=origin,host=origin`."""
    found = {}
    for part in text.split(","):
        host, separator, origin = part.strip().partition("=")
        if not separator or not is_host(host):
            raise ValueError("Write host=origin, with commas between, e.g. na.crm.test=http://127.0.0.1:8101.")
        found[host] = parse_web_address(origin)
    return found


def parse_folder(text: str) -> Path:
    """Return a folder, or the path of one that can be made."""
    path = Path(text.strip()).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError("This is a file. Name a folder.")
    return path
