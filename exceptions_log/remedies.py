"""Remedies for failures, by type of error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from exceptions_log.models import ExceptionItem

_REMEDIES = {
    ErrorType.CONFIGURATION: (
        "A rule or a setting of the Vault, or a right of the CRM user, is not as it must be. The error message names "
        "it: correct it under Connections or Application Settings, or ask the admin of the CRM to give the user access."
    ),
    ErrorType.AUTHENTICATION: (
        "The CRM did not let the Vault in. Open the Connection Authorization, use Set Password and Enter Connected App "
        "Details, and see in the CRM that the integration user is active and its connected app allowed."
    ),
    ErrorType.MAPPING: (
        "A value does not fit where it should go, or is missing. Correct it on the record, or change the field rule "
        "that carries it, under Connections > Integration Rules."
    ),
    ErrorType.MATCHING: (
        "Who or what this is on the other side is not clear: there is none, or there are several. Enter the same "
        "identifier on the person in the Vault and on the account in the CRM, letter for letter, and on no other one."
    ),
    ErrorType.REJECTED: (
        "The CRM received the record and refused it. The error message says which field and why: correct the record in "
        "the Vault, or ask the admin of the CRM to change what refuses it."
    ),
    ErrorType.CONNECTIVITY: (
        "The CRM did not answer as it should. Mostly this passes, and the next run goes on by itself. If it lasts, "
        "check the URL of the connection, and ask the admin of the CRM or of your network."
    ),
    ErrorType.LIMIT: (
        "The CRM takes no more calls for now. The next run goes on where this one stopped. If it happens often, ask "
        "the admin of the CRM for more API calls, or raise the share that the connection may use."
    ),
}
_AGAIN = "The next run tries the record again by itself; Retry now does not wait for it."
_LEFT = "The record is left alone until it changes. If what was lacking was put right elsewhere, use Retry now."
_OVER = "Nothing: a later run resolved it. What fails again is a new item."


def describe_remedy(item: ExceptionItem) -> str:
    """Return what the user can do about an item, and what the next run does by itself."""
    if item.is_dismissed:
        return _LEFT
    if not item.is_open:
        return _OVER
    remedy = _REMEDIES[ErrorType(item.error_type)]
    if item.concerns_integration:
        return f"{remedy} Nothing of it is transferred until then."
    return f"{remedy} {_AGAIN}"
