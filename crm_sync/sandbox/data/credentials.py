"""The accounts that may log in to an organisation: users with passwords, and connected apps with keys and secrets."""

import secrets
from dataclasses import dataclass, field

FLOWS = ("password", "client_credentials", "refresh_token")


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """A user who may log in. Clients may append `security_token` to the password."""

    id: str
    username: str
    password: str = field(repr=False)
    security_token: str = field(repr=False)
    first_name: str
    last_name: str
    email: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A connected app.

    `flows` are the grant types it permits. `run_as` is the username for `client_credentials` and `refresh_token`.
    """

    label: str
    client_id: str
    client_secret: str = field(repr=False)
    flows: tuple[str, ...]
    run_as: str
    refresh_token: str = field(repr=False)


def generate_password() -> str:
    """Return a password of 17 letters and digits and an exclamation mark."""
    return f"{secrets.token_urlsafe(13)[:17].replace('-', 'x').replace('_', 'y')}!"


def generate_security_token() -> str:
    """Return a security token of 24 letters and digits, like those that the CRM mails."""
    return secrets.token_hex(12)


def generate_client_id() -> str:
    """Return a consumer key in the CRM's usual form: 85 characters beginning with `3MVG9`."""
    return f"3MVG9{secrets.token_hex(40)}"


def generate_client_secret() -> str:
    """Return a consumer secret: 64 hexadecimal digits."""
    return secrets.token_hex(32).upper()
