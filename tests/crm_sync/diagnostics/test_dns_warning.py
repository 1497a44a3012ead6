"""The look-up of a host name while an admin waits, and the reasons that it returns."""

from __future__ import annotations

import socket
from threading import Event
from typing import Any

import pytest

from crm_sync.diagnostics.dns_warning import explain_unreachable_name


def answer(*addresses: str) -> Any:
    def resolve(*_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    return resolve


def know_no_name(*_: Any) -> list[Any]:
    """Answer as the name service does; that of this machine may be slow, or have no network."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_public_address_needs_no_word() -> None:
    assert explain_unreachable_name("na.my.salesforce.com", resolve=answer("93.184.216.34")) == ""


def test_a_name_that_no_server_knows_is_said_with_what_to_look_at() -> None:
    assert explain_unreachable_name("na.invalid", resolve=know_no_name) == (
        "na.invalid has no address: the name service of this machine does not know it. Transfers fail until it does; "
        "check the URL for a typing error."
    )


def test_an_address_that_no_crm_may_have_is_said() -> None:
    explained = explain_unreachable_name("na.my.salesforce.com", resolve=answer("93.184.216.34", "10.0.0.1"))
    assert explained.startswith("na.my.salesforce.com leads to the address 10.0.0.1, which is not one that a CRM may")


def test_a_sandbox_is_not_looked_up(settings: Any) -> None:
    settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": "http://127.0.0.1:9"}
    assert explain_unreachable_name("na.crm.test") == ""


def test_a_name_server_that_does_not_answer_keeps_nobody_waiting() -> None:
    over = Event()

    def never(*_: Any) -> list[Any]:
        over.wait(60)
        return []

    explained = explain_unreachable_name("na.my.salesforce.com", seconds=0.05, resolve=never)
    over.set()
    assert "could not be looked up within 0.05 seconds" in explained


@pytest.mark.parametrize("error", [OSError("no network"), UnicodeError("label too long")])
def test_no_error_of_the_resolver_is_an_error_of_the_page(error: Exception) -> None:
    def fail(*_: Any) -> list[Any]:
        raise error

    assert "has no address" in explain_unreachable_name("na.my.salesforce.com", resolve=fail)
