"""E-mail: an admin sends a test to their own address, and the page shows what happened and what to do."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from ctms.accounts.mail import MailError, describe_mail_error, list_mail_settings, send_mail
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/admin/jobs/jobdefinition/test-e-mail/"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def smtp(settings: Any) -> Iterator[Any]:
    """Configure a mail server that does not exist, at a port that nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "vault", "canary-7e11"
        yield settings


def test_the_test_mail_goes_to_the_own_address_alone(client: Client) -> None:
    user = log_in_admin(client)
    user.email = "ada@example.org"
    user.save()
    assert "Send a test e-mail to ada@example.org" in client.get(PAGE).content.decode()
    assert mail.outbox == []
    response = client.post(PAGE, follow=True)
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]
    assert list_messages(response) == [
        "The test e-mail to ada@example.org was handed over: kept in the memory of this process."
    ]


def test_a_server_that_does_not_listen_is_named_with_what_to_do_and_never_the_password(
    client: Client, smtp: Any
) -> None:
    user = log_in_admin(client)
    user.email = "ada@example.org"
    user.save()
    response = client.post(PAGE, follow=True)
    assert list_messages(response) == [
        (
            f"The e-mail was not sent (ConnectionRefusedError; to the mail server 127.0.0.1, port {smtp.EMAIL_PORT}). "
            "Nobody listens there. Start the mail server, or correct host and port in EMAIL_URL."
        )
    ]
    page = response.content.decode()
    assert "canary-7e11" not in page
    assert "vault" in page


def test_a_server_that_says_nothing_keeps_nobody_waiting(smtp: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        smtp.EMAIL_PORT, smtp.EMAIL_TIMEOUT = silent.getsockname()[1], 0.2
        with pytest.raises(MailError, match="The server did not answer as a mail server does"):
            send_mail(subject="Test", text="Test", to=["ada@example.org"])


def test_an_admin_without_an_address_is_told_where_to_enter_one(client: Client) -> None:
    user = log_in_admin(client)
    user.email = ""
    user.save()
    assert "You have no e-mail address" in client.get(PAGE).content.decode()
    response = client.post(PAGE, follow=True)
    assert list_messages(response) == ["You have no e-mail address. Enter one on your record under Settings > Users."]


def test_who_does_not_manage_jobs_sends_none(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:edit"])
    client.force_login(UserFactory.create(is_staff=True, email="eve@example.org", security_profile=profile))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE).status_code == 403
    assert mail.outbox == []


def test_mail_has_a_timeout_in_every_installation(settings: Any) -> None:
    assert settings.EMAIL_TIMEOUT == 10
    settings.EMAIL_BACKEND = SMTP
    assert ("Timeout", "10 seconds") in list_mail_settings()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (smtplib.SMTPAuthenticationError(535, b"canary"), "(SMTPAuthenticationError, code 535; "),
        (smtplib.SMTPAuthenticationError(535, b"canary"), "The server refused user or password."),
        (smtplib.SMTPSenderRefused(550, b"canary", "x"), "Set DEFAULT_FROM_EMAIL"),
        (smtplib.SMTPRecipientsRefused({"x": (550, b"canary")}), "The server refused the recipient."),
        (smtplib.SMTPNotSupportedError("canary"), "perhaps it has no STARTTLS"),
        (smtplib.SMTPServerDisconnected("canary"), "did not answer as a mail server does"),
        (ssl.SSLError("canary"), "No secure connection came about."),
        (socket.gaierror("canary"), "No server of that name is known."),
        (TimeoutError("canary"), "did not answer as a mail server does"),
        (PermissionError("canary"), "cannot be written to"),
        (RuntimeError("canary"), "Check EMAIL_URL, and the log of the mail server."),
    ],
)
def test_each_kind_of_failure_has_its_remedy_and_keeps_the_servers_words_out(error: Exception, told: str) -> None:
    text = describe_mail_error(error)
    assert told in text
    assert "canary" not in text
