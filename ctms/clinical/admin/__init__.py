"""The console pages of studies, of users' assignments to them, and of what a user may do."""

from ctms.clinical.admin.studies import StudyAdmin, StudyAssignmentAdmin
from ctms.clinical.admin.user_access import UserAccess

__all__ = ["StudyAdmin", "StudyAssignmentAdmin", "UserAccess"]
