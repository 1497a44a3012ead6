"""Adds to the console's audit trail what it filters by study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.contrib.filters.admin import DropdownFilter

from ctms.accounts.policies import list_visible
from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.entry_filters import is_uid
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.writing import get_user
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class EntryStudyFilter(DropdownFilter):
    """Filters audit entries by the study that their record belonged to, among those that the user sees."""

    title = "study"
    parameter_name = "study"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        studies = list_visible(Study.objects.order_by("name"), get_user(request))
        return [(str(uid), name) for uid, name in studies.values_list("uid", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:  # noqa: ARG002  Django's signature
        return queryset.filter(study_uid=self.value()) if is_uid(self.value()) else queryset


@extend_page(AuditEntry)
class EntriesByStudy(AuditEntryAdmin):
    """Adds the filter by study to the audit trail."""

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*super().get_list_filter(request), EntryStudyFilter]
