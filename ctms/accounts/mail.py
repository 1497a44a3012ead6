"""Sends e-mail through Django's settings, and describes where it goes and why it could not be sent."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from ctms.core.errors import VaultError
from ctms.core.standing import HeldError, require_sending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctms.accounts.models import User

_LONGEST_SUBJECT = 180


class MailError(VaultError):
    """An e-mail was not accepted by the backend or server; the message says why and what to do.

    `is_unclear` says that the server may have accepted it all the same: it was reached, and then did not answer.
    """

    def __init__(self, message: str, *, is_unclear: bool = False) -> None:
        super().__init__(message)
        self.is_unclear = is_unclear


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that is sent along."""

    name: str
    content: bytes
    kind: str  # its MIME type


def send_mail(
    *,
    subject: str,
    text: str,
    to: Sequence[str],
    html: str = "",
    attachments: Sequence[Attachment] = (),
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send one e-mail, with `html` as another form of the same text. The subject is cut to one short line.

    Raises MailError if it is not accepted, also if the server does not answer in time, and where nothing may leave.
    """
    try:
        require_sending("The e-mail")
    except HeldError as error:
        raise MailError(str(error)) from None
    message = EmailMultiAlternatives(
        subject=_tidy_subject(f"[{settings.VAULT_NAME}] {subject}"),
        body=text,
        to=list(to),
        headers=dict(headers or {}),
    )
    if html:
        message.attach_alternative(html, "text/html")
    for each in attachments:
        message.attach(each.name, each.content, each.kind)
    connection = None
    try:
        backend = get_connection()
        backend.open()
        message.connection = connection = backend
        sent = message.send()
    except Exception as error:  # backends raise what they like, and the settings may name one that does not exist
        # A server that refuses says so; one that fell silent may have taken it.
        silence = (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError)
        is_unclear = connection is not None and isinstance(error, silence)
        raise MailError(describe_mail_error(error), is_unclear=is_unclear) from error
    finally:
        if connection is not None:
            with contextlib.suppress(OSError):  # the server has said already what became of the e-mail
                connection.close()
    if not sent:
        raise MailError("The e-mail backend took no message. Check EMAIL_URL.")


def _tidy_subject(text: str) -> str:
    """Return the text on one line, without what would begin another header or is not shown."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"


def send_test_mail(user: User) -> str:
    """Send a test e-mail to the user's own address; return a sentence saying where it went. Raises MailError."""
    if not user.email:
        raise MailError("You have no e-mail address. Enter one on your record under Settings > Users.")
    send_mail(
        subject="Test e-mail",
        text=f"This is the test e-mail that {user} asked for at {settings.VAULT_BASE_URL}. E-mail works.\n",
        to=[user.email],
    )
    return f"The test e-mail to {user.email} was handed over: {describe_backend()}."


def describe_backend() -> str:
    """Return where e-mail goes, in words and without the password."""
    name = settings.EMAIL_BACKEND.removesuffix(".EmailBackend").rpartition(".")[2]
    if name == "smtp":
        return f"to the mail server {settings.EMAIL_HOST}, port {settings.EMAIL_PORT}"
    places = {
        "filebased": f"written to a file in {getattr(settings, 'EMAIL_FILE_PATH', None)}",
        "console": "printed to the log of this process",
        "locmem": "kept in the memory of this process",
        "dummy": "thrown away",
    }
    return places.get(name, f"to {settings.EMAIL_BACKEND}")


def list_mail_settings() -> list[tuple[str, str]]:
    """Return the settings that e-mail is sent with, as (name, value), without the password."""
    rows = [("Where e-mail goes", describe_backend()), ("From", settings.DEFAULT_FROM_EMAIL)]
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        security = "TLS" if settings.EMAIL_USE_SSL else "STARTTLS" if settings.EMAIL_USE_TLS else "none"
        rows += [
            ("User", settings.EMAIL_HOST_USER or "none: the server takes mail without a log-in"),
            ("Encryption", security),
            ("Timeout", f"{settings.EMAIL_TIMEOUT} seconds"),
        ]
    return rows


def describe_mail_error(error: BaseException) -> str:
    """Return what went wrong and what to do. The server's own message is left out: it may quote what was sent."""
    place = describe_backend()
    code = getattr(error, "smtp_code", None)
    kind = f"{type(error).__name__}{f', code {code}' if code else ''}"
    for kinds, remedy in _REMEDIES:
        if isinstance(error, kinds):
            return f"The e-mail was not sent ({kind}; {place}). {remedy}"
    return f"The e-mail was not sent ({kind}; {place}). Check EMAIL_URL, and the log of the mail server."


# The first match counts, so subclasses come before their base classes.
_REMEDIES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (smtplib.SMTPAuthenticationError,),
        "The server refused user or password. Correct them in EMAIL_URL and restart.",
    ),
    (
        (smtplib.SMTPNotSupportedError,),
        "The server does not know what EMAIL_URL asks for: perhaps it has no STARTTLS or no log-in on that port.",
    ),
    (
        (smtplib.SMTPSenderRefused,),
        "The server does not let this sender send. Set DEFAULT_FROM_EMAIL to an address that it knows.",
    ),
    (
        (smtplib.SMTPRecipientsRefused,),
        "The server refused the recipient. Check the address, and that the server relays mail for this host.",
    ),
    (
        (ssl.SSLError,),
        "No secure connection came about. Check that the port in EMAIL_URL takes TLS, and the server's certificate.",
    ),
    (
        (socket.gaierror,),
        "No server of that name is known. Correct the host in EMAIL_URL, or the name service.",
    ),
    (
        (ConnectionRefusedError,),
        "Nobody listens there. Start the mail server, or correct host and port in EMAIL_URL.",
    ),
    (
        (TimeoutError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError),
        "The server did not answer as a mail server does. Check host, port and encryption in EMAIL_URL, and firewalls.",
    ),
    (
        (PermissionError, FileNotFoundError, NotADirectoryError),
        "The folder of the e-mails cannot be written to. Give the user of this process the right to.",
    ),
)
