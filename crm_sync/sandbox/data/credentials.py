"""The accounts that may log in to an organisation: users with passwords, and connected apps with keys and secrets."""

import secrets
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

LEAST_KEY_BITS = 2_048
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FLOWS = ("password", "client_credentials", "refresh_token", JWT_BEARER, "authorization_code", "device")


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

    `flows` are the grant types it permits. `run_as` is the username for `client_credentials` and `refresh_token`, and
    the one user who is pre-authorised for the JWT bearer flow.
    """

    label: str
    client_id: str
    client_secret: str = field(repr=False)
    flows: tuple[str, ...]
    run_as: str
    refresh_token: str = field(repr=False)
    # PEM text of the certificate that checks JSON Web Tokens; empty until one is uploaded.
    certificate: str = field(default="", repr=False)


# The app that the Salesforce CLI logs in with. It has no secret, and only a person can let it in.
COMMAND_LINE_APP = ConnectedApp(
    label="Salesforce CLI",
    client_id="PlatformCLI",
    client_secret="",
    flows=("authorization_code", "device", "refresh_token"),
    run_as="",
    refresh_token="",
)


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


def read_certificate(pem: str) -> str:
    """Return a certificate's PEM text, tidied. Raises ValueError unless it has an RSA key of 2,048 bits or more."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("That is no certificate: upload the .crt file, beginning with BEGIN CERTIFICATE.") from None
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_KEY_BITS:
        raise ValueError(f"The certificate needs an RSA key of at least {LEAST_KEY_BITS:,} bits.")
    return certificate.public_bytes(Encoding.PEM).decode()
