"""A mail server on this machine that keeps what it takes, and can refuse addresses or fall silent."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from tests.servers import find_free_port


class SmtpSink:
    """What aiosmtpd asks, and the e-mails that it took, in their order."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refused: set[str] = set()
        self.falls_silent = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  aiosmtpd's name
        if address in self.refused:
            return "550 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        if self.falls_silent:
            server.transport.close()
        return "250 OK"

    def take(self) -> list[tuple[str, EmailMessage]]:
        """Return recipient and message of each e-mail taken since the last call, by recipient."""
        found = sorted(zip([to for [to] in self.recipients], self.messages, strict=True), key=lambda pair: pair[0])
        self.messages, self.recipients = [], []
        return found


@contextmanager
def run_smtp_sink(settings: Any) -> Iterator[SmtpSink]:
    """Yield a sink to which Django's settings send all e-mail."""
    with open_smtp_sink() as (sink, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 60
        yield sink


@contextmanager
def open_smtp_sink() -> Iterator[tuple[SmtpSink, int]]:
    """Yield a sink and its port on this machine."""
    sink = SmtpSink()
    port = find_free_port()
    # It names itself, or it would ask the network for its name; and it may take long to answer on a busy machine.
    controller = Controller(sink, hostname="127.0.0.1", port=port, ready_timeout=60, server_hostname="localhost")
    controller.start()
    try:
        yield sink, port
    finally:
        controller.stop()


def read_part(message: EmailMessage, kind: str) -> str:
    """Return the text of the part of that type, `plain` or `html`."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())
