"""Certificates with which the Vault logs in by JWT bearer: made here, told of before they end, renewed with overlap.

The CRM gets the certificate; the private key stays in the Vault, encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.db import transaction

from connections.choices import GrantFlow
from connections.models import ConnectionAuthorization
from connections.secret_origins import find_origin
from ctms.audit.services import save_record
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

KEY_BITS: Final = 2048
VALID_DAYS: Final = 730
WARNING_DAYS: Final = 30
_LONGEST_COMMON_NAME: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateState:
    """A certificate in words for pages: `fingerprint` is SHA-256 in hexadecimal digits."""

    pem: str
    fingerprint: str
    ends_at: datetime
    is_next: bool

    @property
    def days_left(self) -> int:
        """Return how many whole days are left; negative after the end."""
        return (self.ends_at - get_now()).days

    @property
    def ends_soon(self) -> bool:
        """Whether it is time to renew it."""
        return self.days_left < WARNING_DAYS


def create_certificate(*, authorization: ConnectionAuthorization, actor: Actor) -> None:
    """Make a key pair and a self-signed certificate, and store them for the organisation in use.

    A certificate of the same organisation stays in use until a log-in with the new one has succeeded.
    """
    private_key, certificate = _make_pair(common_name=authorization.name)
    with transaction.atomic():
        stored = ConnectionAuthorization.objects.select_for_update().get(pk=authorization.pk)
        origin = find_origin(stored)
        if stored.certificate and stored.certificate_origin == origin:
            stored.next_private_key, stored.next_certificate = private_key, certificate
        else:
            stored.private_key, stored.certificate = private_key, certificate
            stored.next_private_key = stored.next_certificate = ""
        stored.certificate_origin = origin
        stored.certificate_created_at, stored.certificate_created_by = get_now(), actor.user
        save_record(record=stored, actor=actor)
    authorization.refresh_from_db()


def retire_previous_certificate(*, authorization: ConnectionAuthorization, proven: str, actor: Actor) -> bool:
    """Let the next certificate replace the one before it, after a log-in with it; return whether it did.

    `proven` is the PEM text of the certificate that logged in: one that was created since is not taken for it.
    """
    with transaction.atomic():
        stored = ConnectionAuthorization.objects.select_for_update().get(pk=authorization.pk)
        if not proven or stored.next_certificate != proven:
            return False
        stored.private_key, stored.certificate = stored.next_private_key, stored.next_certificate
        stored.next_private_key = stored.next_certificate = ""
        save_record(record=stored, actor=actor)
    authorization.refresh_from_db()
    return True


def list_certificates(authorization: ConnectionAuthorization) -> list[CertificateState]:
    """Return the certificate in use and then the next one, as far as there are any."""
    states = []
    for pem, is_next in ((authorization.certificate, False), (authorization.next_certificate, True)):
        if pem:
            loaded = x509.load_pem_x509_certificate(pem.encode())
            states.append(
                CertificateState(
                    pem=pem,
                    fingerprint=loaded.fingerprint(hashes.SHA256()).hex(),
                    ends_at=loaded.not_valid_after_utc,
                    is_next=is_next,
                )
            )
    return states


def find_ending_certificate(authorization: ConnectionAuthorization) -> CertificateState | None:
    """Return the certificate in use if it ends soon or has ended, else None."""
    return next((each for each in list_certificates(authorization) if not each.is_next and each.ends_soon), None)


def warn_of_ending(authorization: ConnectionAuthorization | None) -> str:
    """Return that the certificate ends soon or has ended, if log-ins take it; else nothing."""
    if authorization is None or authorization.grant_flow != GrantFlow.JWT_BEARER:
        return ""
    certificate = find_ending_certificate(authorization)
    if certificate is None:
        return ""
    verb = "ended" if certificate.days_left < 0 else "ends"
    return f"The certificate of {authorization.name} {verb} on {certificate.ends_at:%Y-%m-%d}."


def _make_pair(*, common_name: str) -> tuple[str, str]:
    """Return private key and certificate as PEM texts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_LONGEST_COMMON_NAME]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Clinical Vault"),
        ]
    )
    now = get_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # the CRM's clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
