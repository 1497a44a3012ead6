"""Base classes of admin pages over audited records: they write through `ctms.audit.services` alone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db import models, transaction
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from ctms.accounts.policies import ACTIONS_BY_DJANGO, allows_object_type, has_permission, list_permitted_types
from ctms.audit.actors import Actor
from ctms.audit.admin.lookups import ListedLookupsMixin
from ctms.audit.admin.readonly import CountedChangeList
from ctms.audit.admin.theme import ChangeList, ModelAdmin, TabularInline
from ctms.audit.admin.visibility import VisibleRowsMixin
from ctms.audit.admin.writing import (
    SaveRefusedError,
    build_actor,
    build_audit_trail_url,
    get_expected_version,
    get_user,
    save_child,
    try_write,
)
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.audit.forms import AuditedModelForm
from ctms.audit.selectors import list_dependants
from ctms.audit.services import delete_record, save_record
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from django import forms

    _FormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _FormSet = BaseInlineFormSet

RECORDS_PER_DELETION = 1000


class NamedRowsFormSet(_FormSet):
    """Rows whose inputs are named by their column and their row: the head of a table is no label."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        row = "new row" if index is None else f"row {index + 1}"
        for name, field in form.fields.items():
            label = capfirst(str(field.label or name))
            field.widget.attrs.setdefault("aria-label", f"{label}, {row}")


class AuditedTabularInline(VisibleRowsMixin, TabularInline):
    """A table of child records in their parent's form, one record in each row."""

    form = AuditedModelForm
    formset = NamedRowsFormSet
    extra = 0

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the declared fields and, if the user may edit, the hidden field that holds the version."""
        fields = [name for name in super().get_fields(request, obj) if name != "read_version"]
        return [*fields, "read_version"] if self.has_change_permission(request, obj) else fields

    def get_formset(
        self, request: HttpRequest, obj: Any = None, **kwargs: Any
    ) -> type[BaseInlineFormSet[Any, Any, Any]]:
        formset: type[BaseInlineFormSet[Any, Any, Any]] = super().get_formset(request, obj, **kwargs)
        formset.form.refusals = getattr(request, "refusals", {})
        return formset


class AuditedModelAdmin(ListedLookupsMixin, VisibleRowsMixin, ModelAdmin):
    """The admin page of an audited record. It saves through the audited writer and shows its refusals in the form."""

    form: Any = AuditedModelForm
    actions: Any = ("delete_selected",)
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    # Whether Save of a new record shows the record, which has the next steps on its page, instead of the list.
    stay_after_add: ClassVar[bool] = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return CountedChangeList

    # -- What may be seen and done --------------------------------------------------------------------
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(request, "view", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._allows(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(request, "delete", obj)

    def _allows(self, request: HttpRequest, action: str, obj: Any) -> bool:
        user = get_user(request)
        if not user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}"):
            return False
        # Unfold passes the primary key where Django passes the record.
        object_type = getattr(obj, "object_type", "") if isinstance(obj, models.Model) else ""
        return not isinstance(object_type, str) or allows_object_type(
            user=user, object_name=self.model.object_name, object_type=object_type, action=ACTIONS_BY_DJANGO[action]
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Return the records that the user sees, of the object types that the user may read."""
        queryset: models.QuerySet[Any] = super().get_queryset(request)
        permitted = list_permitted_types(user=get_user(request), object_name=self.model.object_name)
        if permitted is None:
            return queryset
        return queryset.filter(object_type__in=permitted) if permitted else queryset.none()

    # -- Saving ---------------------------------------------------------------------------------------
    def write_record(self, *, record: Any, form: Any, actor: Actor) -> None:
        """Save one record. Override where a service does more than save it."""
        save_record(record=record, actor=actor, expected_version=get_expected_version(form))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001  Django's signature
        refusal = try_write(lambda: self.write_record(record=obj, form=form, actor=build_actor(request)))
        if refusal is not None:
            raise SaveRefusedError({form.prefix: refusal})

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: ARG002, FBT001  Django's signature
        actor = build_actor(request)
        changed = {id(record) for record in formset.save(commit=False)}
        for record in formset.deleted_objects:
            refusal = try_write(partial(delete_record, record=record, actor=actor))
            if refusal is not None:
                raise SaveRefusedError({form.prefix: refusal})
        written = [(child, partial(save_child, form=child, actor=actor)) for child in formset.forms]
        refusals = {child.prefix: try_write(write) for child, write in written if id(child.instance) in changed}
        refused = {prefix: refusal for prefix, refusal in refusals.items() if refusal is not None}
        if refused:
            raise SaveRefusedError(refused)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show and save the form; if the save is refused, nothing is written and the form shows the reasons."""
        context = {"audit_trail_url": self._get_audit_trail_url(request, object_id), **(extra_context or {})}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except SaveRefusedError as refused:
            request.refusals = refused.refusals  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, context)

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> type[forms.ModelForm[Any]]:
        form: type[forms.ModelForm[Any]] = super().get_form(request, obj, change, **kwargs)
        form.refusals = getattr(request, "refusals", {})  # type: ignore[attr-defined]
        return form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields without the version, which the template renders as a hidden field."""
        return [name for name in super().get_fields(request, obj) if name != "read_version"]

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        if self.stay_after_add and self.has_view_permission(request, obj):
            return HttpResponseRedirect(self.get_change_url(obj))
        return super().response_post_save_add(request, obj)

    def get_change_url(self, record: models.Model) -> str:
        """Return the address of the record's page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(record.pk,))

    # -- Deleting -------------------------------------------------------------------------------------
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_record(record=obj, actor=build_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        actor = build_actor(request)
        with transaction.atomic():
            for record in queryset:
                delete_record(record=record, actor=actor)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Ask and delete; if the deletion is refused, go back to the record and show the reason."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except VaultError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(unquote(object_id),))
            )

    @admin.action(permissions=["delete"], description="Delete selected %(verbose_name_plural)s")
    def delete_selected(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        """Delete all selected records or, if one deletion is refused, none."""
        if queryset.count() > RECORDS_PER_DELETION:
            self.message_user(
                request, f"Select at most {RECORDS_PER_DELETION:,} records to delete at once.", messages.ERROR
            )
            return None
        try:
            asked = delete_selected(self, request, queryset)
        except VaultError as error:
            self.message_user(request, f"Nothing was deleted. {error}", messages.ERROR)
            return None
        if asked is not None and asked.context_data is not None:
            asked.context_data["title"] = f"Delete {self.opts.verbose_name_plural}"
        return asked

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Return what is deleted with the records and what prevents it, as counts: there may be thousands of rows."""
        records = list(objs)
        dependants = list_dependants(records)
        plural = str(self.opts.verbose_name_plural)
        lacking = {plural for record in records if not self.has_delete_permission(request, record)}
        protecting = [f"{count:,} {label}" for label, count in dependants.protecting.items()]
        counts = {plural: len(records), **dependants.going_along}
        return [str(record) for record in records], counts, lacking, protecting

    # -- The audit trail is the history ---------------------------------------------------------------
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: the audited writer has written an audit entry."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: the audited writer has written an audit entry."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        """Do nothing: the audited writer writes an audit entry for each deletion."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Redirect to the record's entries in the audit trail."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return HttpResponseRedirect(build_audit_trail_url(record))

    def _get_audit_trail_url(self, request: HttpRequest, object_id: str | None) -> str:
        if object_id is None or not has_permission(user=get_user(request), permission=AUDIT_PERMISSION):
            return ""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_history", args=(object_id,))

    # -- Actions --------------------------------------------------------------------------------------
    def show_action(
        self,
        request: HttpRequest,
        *,
        record: models.Model,
        title: str,
        form: forms.Form,
        submit_label: str,
        explanation: str = "",
    ) -> HttpResponse:
        """Return the page that asks before an action: its form, an explanation, and a link back to the record."""
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(record),
            "opts": self.opts,
            "original": record,
            "form": form,
            "explanation": explanation,
            "submit_label": submit_label,
            "cancel_url": self.get_change_url(record),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/action_form.html", context)
