"""The console's pages of the audit trail, users, their feeds and tokens, and the base classes of all other pages.

`base` has the classes for audited records, `readonly` those for rows that only the application writes. `pages` lets
apps add to each other's pages, `writing` turns requests into audited writes, and `theme` types Unfold's classes.
"""

from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.failed_log_ins import FailedLogInAdmin
from ctms.audit.admin.feeds import CalendarFeedAdmin
from ctms.audit.admin.redactions import AuditRedactionAdmin
from ctms.audit.admin.second_factors import SecondFactorAdmin
from ctms.audit.admin.tokens import ApiTokenAdmin
from ctms.audit.admin.users import UserAdmin

__all__ = [
    "ApiTokenAdmin",
    "AuditEntryAdmin",
    "AuditRedactionAdmin",
    "CalendarFeedAdmin",
    "FailedLogInAdmin",
    "SecondFactorAdmin",
    "UserAdmin",
]
