"""The console pages of studies and assignments, of what users may do and looked at, and of audit entries by study."""

from ctms.clinical.admin.entries import EntriesByStudy
from ctms.clinical.admin.hand_over import UserHandOver
from ctms.clinical.admin.page_views import PageViewAdmin
from ctms.clinical.admin.studies import StudyAdmin, StudyAssignmentAdmin
from ctms.clinical.admin.user_access import UserAccess

__all__ = ["EntriesByStudy", "PageViewAdmin", "StudyAdmin", "StudyAssignmentAdmin", "UserAccess", "UserHandOver"]
