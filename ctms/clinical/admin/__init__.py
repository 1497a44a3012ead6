"""The console pages of studies, of users' assignments to them, and of what users may do and looked at."""

from ctms.clinical.admin.page_views import PageViewAdmin
from ctms.clinical.admin.studies import StudyAdmin, StudyAssignmentAdmin
from ctms.clinical.admin.user_access import UserAccess

__all__ = ["PageViewAdmin", "StudyAdmin", "StudyAssignmentAdmin", "UserAccess"]
