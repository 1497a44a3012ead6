"""The console pages of studies, assignments and service accounts, what users may do and did, and entries by study."""

from ctms.clinical.admin.entries import EntriesByStudy
from ctms.clinical.admin.hand_over import UserHandOver
from ctms.clinical.admin.page_views import PageViewAdmin
from ctms.clinical.admin.service_accounts import ServiceAccounts
from ctms.clinical.admin.studies import StudyAdmin, StudyAssignmentAdmin
from ctms.clinical.admin.user_access import UserAccess

__all__ = [
    "EntriesByStudy",
    "PageViewAdmin",
    "ServiceAccounts",
    "StudyAdmin",
    "StudyAssignmentAdmin",
    "UserAccess",
    "UserHandOver",
]
