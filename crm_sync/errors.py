"""What can go wrong between the Vault and a CRM, as one family that says how far the failure reaches.

``CrmError`` itself is one request that the CRM refused for its content; the subclasses end more than that:

===========================  =======================================================================
``ConfigurationError``       ends the integration: a name, a permission or an address must be corrected
``AuthenticationError``      ends the connection's run: nobody is logged in
``ConnectivityError``        ends the connection's run: the CRM did not answer within all retries
``LimitError``               stops the run cleanly; it resumes when the CRM counts afresh
``QueryLocatorExpired``      the caller starts the query again from its watermark
===========================  =======================================================================

No error carries a secret, a header, a body or a query, neither in its text nor in its cause or context.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

ErrorType = Literal["authentication", "configuration", "connectivity", "limit", "rejected"]


class CrmError(Exception):
    """A failure that an admin can read and act on.

    ``message`` says what happened, ``remedy`` what to do about it, ``str()`` both. ``code`` is the CRM's own error code
    (``INVALID_FIELD``), empty where the failure is not the CRM's. ``error_type`` is the family it is filed under.
    """

    error_type: ClassVar[ErrorType] = "rejected"
    default_remedy: ClassVar[str] = "Correct what the CRM names; the next run sends the record again."

    def __init__(self, message: str, *, code: str = "", remedy: str = "") -> None:
        """Keep the parts; ``remedy`` defaults to the one of the class."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy or self.default_remedy

    def __str__(self) -> str:
        """Return what happened and what to do, in that order."""
        return f"{self.message} {self.remedy}"


class AuthenticationError(CrmError):
    """The CRM refused the log-in, or took the session away twice in one call."""

    error_type = "authentication"
    default_remedy = "Check the user name, password and connected app details of the connection."


class ConfigurationError(CrmError):
    """Something set up here or in the CRM is wrong and stays wrong until somebody corrects it."""

    error_type = "configuration"
    default_remedy = "Correct the connection, its integration rules or the permissions of the CRM user."


class ConnectivityError(CrmError):
    """The CRM could not be reached or gave no usable answer within all attempts or the run's waiting time."""

    error_type = "connectivity"
    default_remedy = "Check that the CRM is available; the next run continues where this one stopped."


class LimitError(CrmError):
    """The CRM's API calls are used up, or the share of them that this connection may use."""

    error_type = "limit"
    default_remedy = "The next run continues where this one stopped; raise the limit if this happens often."


class QueryLocatorExpired(CrmError):  # noqa: N818 - an expected turn of events that callers handle, named as the CRM names it
    """The CRM no longer knows the place at which a query's next page starts."""

    error_type = "connectivity"
    default_remedy = "The query is started again from the last record that was processed."


@dataclass(frozen=True, slots=True)
class RowError:
    """One reason for which the CRM refused one record: its code, its words, and the fields it names."""

    code: str
    message: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one record of a batch; ``crm_id`` is empty when the CRM gave none."""

    crm_id: str
    success: bool
    created: bool
    errors: tuple[RowError, ...]
