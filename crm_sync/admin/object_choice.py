"""*Edit rule*: a CRM object is described as soon as it is chosen, so that its fields can be chosen next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path

from connections import pickers
from connections.models import IntegrationRule
from connections.models.integrations import validate_crm_name
from crm_sync.crm.errors import CrmError
from crm_sync.diagnostics.description_refresh import describe_now
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.writing import get_user

if TYPE_CHECKING:
    from connections.crmdescription import DescribedObject

_LONGEST = 80


@extend_page(IntegrationRule)
class ObjectChoicePage(AuditedModelAdmin):
    """Adds the address that `crm_object_choice.js` asks. It calls the CRM, so it is a POST; no rule is written."""

    class Media:
        js = ("crm_object_choice.js",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.describe_view)
        own = path("<path:object_id>/describe/", view, name="connections_integrationrule_describe")
        return [own, *super().get_urls()]

    def describe_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Describe the object that is being chosen, and answer with the choices for the fields beside it."""
        rule = self.get_object(request, object_id)
        if rule is None or not self.has_change_permission(request, rule):
            raise PermissionDenied("This rule does not exist, or you may not change it.")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        name = request.POST.get("crm_object", "").strip()
        try:
            validate_crm_name(name)
        except ValidationError as error:
            return _tell(" ".join(error.messages))
        if len(name) > _LONGEST:
            return _tell(f"Names of CRM objects have at most {_LONGEST} characters.")
        connection, is_inbound = rule.integration.connection, rule.integration.is_inbound
        try:
            described = describe_now(
                connection=connection, name=name, user=get_user(request), with_references=is_inbound
            )
        except CrmError as error:
            return _tell(f"{error} The rule can be saved all the same: names are typed, and checked later.")
        if described is None:
            return _tell(
                f"The CRM has no object {name}, or the CRM user may not see it. Choose another, or correct it."
            )
        return JsonResponse(
            {
                "is_known": True,
                "told": f"{described.label or described.name} has {len(described.fields)} fields, as the CRM has just "
                "described it.",
                "choices": _list_choices(described, is_inbound=is_inbound),
            }
        )


def _tell(text: str) -> JsonResponse:
    return JsonResponse({"is_known": False, "told": text, "choices": {}})


def _list_choices(described: DescribedObject, *, is_inbound: bool) -> dict[str, Any]:
    """Return the choices of each input that names a field of the object."""
    if is_inbound:
        return {"crm_filter_field": pickers.list_checkbox_choices(described)}
    return {
        "crm_external_id_field": pickers.list_external_id_choices(described),
        "deletion_field": pickers.list_text_choices(described),
    }
