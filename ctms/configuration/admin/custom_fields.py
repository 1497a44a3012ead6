"""The console page of custom fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_expected_version, try_write
from ctms.configuration.admin.pages import ObjectFilter, render_page, show_object
from ctms.configuration.custom_fields import read_field
from ctms.configuration.forms import CustomFieldForm, ReplaceValueForm
from ctms.configuration.kinds import find_custom_kind, list_custom_choices
from ctms.configuration.models import CustomField
from ctms.configuration.picklists import read_picklist
from ctms.configuration.services import create_custom_field, delete_custom_field, move_choice, update_custom_field
from ctms.configuration.services.custom_fields import explain_no_deletion
from ctms.configuration.services.kept_values import count_choices, count_holders, count_lacking
from ctms.configuration.tables import build_object_url
from ctms.configuration.uses import Use, list_uses
from ctms.core.choices import RecordStatus
from ctms.core.text.whole_numbers import read_whole_number

# What cannot be changed later: values are stored by it.
_FIXED = ("of_object", "api_name", "kind", "reference_object")


@admin.register(CustomField)
class CustomFieldAdmin(AuditedModelAdmin):
    """A custom field is made inactive; it is deleted only if no record has a value in it."""

    form = CustomFieldForm
    actions = None
    actions_detail = ("show_uses", "replace_value", "deactivate", "activate")
    list_display = ("label", show_object, "api_name", "kind", "is_required", "is_unique", "status")
    list_filter = (ObjectFilter, "kind", "status")
    search_fields = ("label", "api_name")

    class Media:
        js = ("custom_field.js",)

    def get_fieldsets(self, request: HttpRequest, obj: CustomField | None = None) -> Any:  # noqa: ARG002  Django's signature
        names: list[Any] = ["of_object", "label", "api_name", "kind", "reference_object", "picklist_values"]
        rules: list[Any] = ["help_text", ("is_required", "is_unique"), "default_value", "max_length", "decimals"]
        if obj is not None:
            names = [name for name in names if name not in _list_needless(obj)]
            rules = [name for name in rules if name not in _list_needless(obj)]
        bounds = [] if obj is not None and "least" in _list_needless(obj) else [("least", "greatest")]
        return [
            (None, {"fields": [*names, *(["status"] if obj else ["add_to_layouts"])]}),
            ("Its values", {"fields": [*rules, *bounds]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: CustomField | None = None) -> tuple[str, ...]:  # noqa: ARG002  Django's signature
        return (*_FIXED, "status") if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        form: Any = super().get_form(request, obj, change, **kwargs)
        values = form.base_fields.get("picklist_values")
        if values is not None:
            values.widget.counts = count_choices(obj) if obj is not None and obj.picklist_values else {}
        return form

    # -- Saving ---------------------------------------------------------------------------------------
    def write_record(self, *, record: CustomField, form: Any, actor: Actor) -> None:
        expected_version = get_expected_version(form)
        default = form.cleaned_data.get("default_value", "")
        if expected_version is None:
            create_custom_field(
                field=record, actor=actor, add_to_layouts=form.cleaned_data["add_to_layouts"], default=default
            )
        else:
            update_custom_field(field=record, actor=actor, expected_version=expected_version, default=default)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if "is_required" in form.changed_data and obj.is_required and (lacking := count_lacking(obj)):
            text = f"{lacking:,} records have no value in {obj.label}. They can be changed elsewhere without one."
            self.message_user(request, text, messages.WARNING)

    def response_post_save_add(self, request: HttpRequest, obj: CustomField) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_object_url(obj.of_object, "fields"))

    def response_post_save_change(self, request: HttpRequest, obj: CustomField) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_object_url(obj.of_object, "fields"))

    # -- Where it is used -----------------------------------------------------------------------------
    @action(description="Where is this used?", url_path="uses", permissions=["view"], icon="travel_explore")
    def show_uses(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what refers to the field, and how many records have a value in it."""
        row = self._get_field(request, object_id)
        counts = count_choices(row)
        return render_page(
            model_admin=self,
            request=request,
            template="admin/configuration/field_uses.html",
            title="Where is this used?",
            context={
                "original": row,
                "uses": _list_uses(row),
                "holders": _count_holders(row),
                "choices": [(each.label, counts.get(each.api_name, 0)) for each in read_picklist(row.picklist_values)],
                "edit_url": self.get_change_url(row),
            },
        )

    # -- Picklist values ------------------------------------------------------------------------------
    @action(description="Replace a value", url_path="replace", permissions=["change"], icon="swap_horiz")
    def replace_value(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which value takes the place of which, then change the records."""
        row = self._get_field(request, object_id)
        form = ReplaceValueForm(request.POST or None, field=row, counts=count_choices(row))
        if form.is_valid():
            moved = 0

            def move() -> None:
                nonlocal moved
                moved = move_choice(field=row, **form.cleaned_data, actor=build_actor(request))

            refusal = try_write(move)
            if refusal is None:
                text = f"{moved:,} record{' was' if moved == 1 else 's were'} changed."
                self.message_user(request, text, messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(row))
            form.add_error(None, " ".join(refusal.messages))
        return self.show_action(
            request,
            record=row,
            title="Replace a value",
            form=form,
            submit_label="Change the records",
            explanation="Every record with the one value gets the other. The changes stand in the audit trail, and "
            "connections transfer them. The value itself stays; retire or delete it afterwards.",
        )

    # -- Activating, deactivating, deleting -----------------------------------------------------------
    @action(description="Deactivate", url_path="deactivate", permissions=["change"], icon="visibility_off")
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, naming what refers to the field, then make it inactive."""
        row = self._get_field(request, object_id)
        named = "; ".join(f"{use.place} {use.name}" for use in _list_uses(row))
        explanation = (
            f"{row.label} leaves every page, list, file and the API. Its values stay, and come back with it. "
            f"{_count_holders(row)} {f'It is used by: {named}.' if named else 'Nothing refers to it.'}"
        )
        return self._change_status(request, row, RecordStatus.INACTIVE, "Deactivate", explanation)

    @action(description="Activate", url_path="activate", permissions=["change"], icon="visibility")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the field active."""
        row = self._get_field(request, object_id)
        explanation = f"{row.label} comes back to the pages, with the values that records have."
        return self._change_status(request, row, RecordStatus.ACTIVE, "Activate", explanation)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = read_whole_number(str(object_id))
        row = CustomField.objects.filter(pk=key).first() if key is not None else None
        if row is None:
            return []
        needless = {"activate"} if row.status == RecordStatus.ACTIVE else {"deactivate"}
        if not row.picklist_values:
            needless.add("replace_value")
        return [
            each for each in super().get_actions_detail(request, object_id) if not _is_named(each.action_name, needless)
        ]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Ask before the field is deleted; if it cannot be, say why and show where it is used."""
        row = self.get_object(request, unquote(object_id))
        if row is not None and self.has_delete_permission(request, row) and (reason := explain_no_deletion(row)):
            self.message_user(request, reason, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:configuration_customfield_show_uses", args=(row.pk,)))
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: CustomField) -> None:
        delete_custom_field(field=obj, actor=build_actor(request))

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Return the fields and what they are taken off; the service refuses those that something keeps."""
        fields = list(objs)
        _, counts, lacking, _ = super().get_deleted_objects(fields, request)
        told = [f"{use.place} {use.name}: goes on without it" for field in fields for use in _list_uses(field)]
        return [*(str(field) for field in fields), *told], counts, lacking, []

    def _get_field(self, request: HttpRequest, object_id: str) -> CustomField:
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, CustomField):
            raise Http404
        return row

    def _change_status(
        self, request: HttpRequest, row: CustomField, status: RecordStatus, title: str, explanation: str
    ) -> HttpResponse:
        if request.method != "POST":
            return self.show_action(
                request,
                record=row,
                title=f"{title} {row.label}",
                form=forms.Form(),
                submit_label=title,
                explanation=explanation,
            )
        row.status = status
        refusal = try_write(lambda: update_custom_field(field=row, actor=build_actor(request)))
        if refusal is None:
            self.message_user(request, f"{row.label} is {status.label.lower()}.", messages.SUCCESS)
        else:
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
        return HttpResponseRedirect(self.get_change_url(row))


def _list_uses(row: CustomField) -> list[Use]:
    return list_uses(object_name=row.of_object, field=read_field(row))


def _count_holders(row: CustomField) -> str:
    number = count_holders(row)
    return f"{number:,} record{' has' if number == 1 else 's have'} a value in it."


def _list_needless(row: CustomField) -> set[str]:
    """Return the properties that the field's kind does not have."""
    if row.kind not in dict(list_custom_choices()):
        return set()
    kind = find_custom_kind(row.kind)
    needless = {"max_length", "decimals", "least", "greatest", "reference_object"} - kind.options
    return needless if kind.has_choices else needless | {"picklist_values"}


def _is_named(action_name: str, names: set[str]) -> bool:
    return any(action_name.endswith(f"_{name}") or action_name == name for name in names)
