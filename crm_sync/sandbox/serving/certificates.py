"""Certificates for HTTPS on a local sandbox: an authority of its own and a server certificate that it signs."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DEFAULT_HOSTS = ("localhost", "127.0.0.1", "::1", "*.crm.test", "*.salesforce.com", "*.my.salesforce.com")
VALIDITY = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of PEM files: the authority that clients must trust, the server's certificate and its private key."""

    authority: Path
    certificate: Path
    private_key: Path


def write_certificates(directory: Path, *, hosts: Sequence[str] = DEFAULT_HOSTS) -> ServerCertificate:
    """Return certificates for `hosts` in `directory`. Makes new ones when they are missing, due or for other hosts."""
    paths = ServerCertificate(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    if is_usable(paths, hosts=hosts):
        return paths
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CRM sandbox (local tests only)")])
    authority = (
        start_certificate(subject=authority_name, issuer=authority_name, key=authority_key.public_key(), now=now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(make_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        start_certificate(
            subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]),
            issuer=authority_name,
            key=key.public_key(),
            now=now,
        )
        .add_extension(x509.SubjectAlternativeName([name_host(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(make_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    paths.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    paths.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths.private_key.touch(mode=0o600)
    paths.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def is_usable(paths: ServerCertificate, *, hosts: Sequence[str]) -> bool:
    """Whether the files exist, name exactly these hosts and are valid for 30 more days."""
    if not all(path.is_file() for path in (paths.authority, paths.certificate, paths.private_key)):
        return False
    certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        set(names) == {name_host(host) for host in hosts}
        and certificate.not_valid_after_utc > datetime.now(UTC) + RENEW_BEFORE
    )


def start_certificate(
    *, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    """Return a certificate builder with names, key, serial number and dates."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALIDITY)
    )


def make_key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return the key usage of an authority (signing certificates) or of a server (signing handshakes)."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def name_host(host: str) -> x509.GeneralName:
    """Return a host in the form of a certificate: an IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
