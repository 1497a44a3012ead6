"""Errors of calls to a CRM; the class says how much of a run the error ends.

- `CrmError` itself: the CRM refused one request for its content; the run goes on.
- `ConfigurationError` ends the integration: a name, a permission or an address must be corrected.
- `AuthenticationError` ends the connection's run: the CRM refused the log-in.
- `ConnectivityError` ends the connection's run: the CRM did not answer within all retries.
- `LimitError` stops the connection's run; a later run goes on once the CRM allows calls again.
- `QueryLocatorExpired`: the caller starts the query again from its watermark.

No error holds a secret, a header, a body or a query, neither in its text nor in its cause or context.
"""

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import ClassVar, Literal

ErrorType = Literal["authentication", "configuration", "connectivity", "limit", "rejected"]


class CrmError(Exception):
    """A failure that an admin can read and act on.

    `message` says what happened, `remedy` what to do about it, `str()` both. `code` is the CRM's own error code such as
    `INVALID_FIELD`, or empty if the CRM sent none. `error_type` is the kind under which User Exceptions lists it.
    """

    error_type: ClassVar[ErrorType] = "rejected"
    default_remedy: ClassVar[str] = "Correct what the CRM names; the next run sends the record again."

    def __init__(self, message: str, *, code: str = "", remedy: str = "") -> None:
        """Set the parts; `remedy` defaults to that of the class."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy or self.default_remedy

    def __str__(self) -> str:
        """Return what happened and what to do, in that order."""
        return f"{self.message} {self.remedy}"


class AuthenticationError(CrmError):
    """The CRM refused the log-in, or ended the session twice during one call."""

    error_type = "authentication"
    default_remedy = "Check the user name, password and connected app details of the connection."


class ConfigurationError(CrmError):
    """The configuration of the Vault or of the CRM is wrong, so a retry would fail until somebody corrects it."""

    error_type = "configuration"
    default_remedy = "Correct the connection, its integration rules or the permissions of the CRM user."


class ConnectivityError(CrmError):
    """The CRM could not be reached or gave no usable answer within all attempts or the run's waiting time."""

    error_type = "connectivity"
    default_remedy = "Check that the CRM is available; the next run continues where this one stopped."


class LimitError(CrmError):
    """The CRM's API calls are used up, or the share that this connection may use."""

    error_type = "limit"
    default_remedy = "The next run continues where this one stopped; raise the limit if this happens often."


class QueryLocatorExpired(CrmError):  # noqa: N818  an expected event that callers handle
    """The CRM no longer knows the place at which a query's next page starts."""

    error_type = "connectivity"
    default_remedy = "The query is started again from the last record that was processed."


class Meaning(StrEnum):
    """What a refusal of a record may mean for the transfer."""

    RECORD_GONE = auto()  # the record is deleted in the CRM
    REFERENCE_GONE = auto()  # a record to which it refers is deleted in the CRM
    REFERENCE_REFUSED = auto()  # a record to which it refers by id is unknown, or hidden from the CRM user
    RULE_OF_THE_CRM = auto()  # a rule of the organisation, which the message explains


@dataclass(frozen=True, slots=True)
class RowError:
    """One reason why the CRM refused a record: code, message, and the fields that it names.

    `meanings` are what it may mean, and `remedy` what to do about it, as far as the dialect knows.
    """

    code: str
    message: str
    fields: tuple[str, ...]
    meanings: frozenset[Meaning] = field(default=frozenset(), compare=False)
    remedy: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RowResult:
    """The CRM's answer for one record of a batch; `crm_id` is empty if the answer has none."""

    crm_id: str
    success: bool
    created: bool
    errors: tuple[RowError, ...]
