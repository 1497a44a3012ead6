"""The rows of the console: those that the user sees by their study, as on the study teams' pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from ctms.accounts.policies import has_limit, list_visible
from ctms.audit.admin.writing import get_user

if TYPE_CHECKING:
    from django.contrib import admin
    from django.db.models.fields.related import RelatedField
    from django.http import HttpRequest

    _Base = admin.options.BaseModelAdmin[Any]
else:
    _Base = object


class VisibleRowsMixin(_Base):
    """Limits rows, and the choices of references, to what the user sees; setup models without a limit stay whole."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return _limit(super().get_queryset(request), request)

    def get_field_queryset(
        self, db: str | None, db_field: RelatedField[Any, Any], request: HttpRequest
    ) -> models.QuerySet[Any] | None:
        queryset = super().get_field_queryset(db, db_field, request)
        related = db_field.remote_field.model
        if not has_limit(related):
            return queryset
        return _limit(related._default_manager.all() if queryset is None else queryset, request)


def _limit(rows: models.QuerySet[Any], request: HttpRequest) -> models.QuerySet[Any]:
    return list_visible(rows, get_user(request)) if has_limit(rows.model) else rows
