"""The page Check Identifiers: statistics of persons' identifiers, and sample look-ups in every CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import path, reverse

from crm_sync.admin.connection_test import ICONS
from crm_sync.diagnostics.identifier_lookup import LOOK_UP_SECONDS, SAMPLE, LookUp, look_up_samples
from crm_sync.diagnostics.identifier_stats import (
    ConnectionMapping,
    IdentifierStatistics,
    Sharing,
    list_fields,
    list_mappings,
    measure_identifier,
)
from ctms.accounts.policies import has_permission, list_permitted_types, list_visible
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import get_user
from ctms.clinical.models import Person

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from ctms.accounts.models import User

SETTINGS = "admin:settings"


class IdentifierCheckAdmin(ReadOnlyModelAdmin):
    """Adds the page to an admin; Application Settings link to it by the name of its URL."""

    def get_urls(self) -> list[URLPattern]:
        check = path("identifiers/", self.admin_site.admin_view(self.check_identifiers), name="identifier_check")
        return [check, *super().get_urls()]

    def check_identifiers(self, request: HttpRequest) -> HttpResponse:
        """Show the counts; with POST, also look up a few persons in every CRM."""
        user = get_user(request)
        if not has_permission(user=user, permission=SETTINGS):
            raise PermissionDenied("Ask an admin for the permission Admin: Settings: Application Settings.")
        visible = _list_visible_persons(user)
        may_look_up = visible is not None and user.has_perm("connections.change_connection")
        mappings = list_mappings()
        found: dict[int, LookUp] = {}
        if request.method == "POST":
            if visible is None or not may_look_up:
                raise PermissionDenied(
                    "Looking persons up takes Manage Connections and the permission to read persons."
                )
            found = look_up_samples(mappings=mappings, persons=visible)
        persons = Person.objects.none() if visible is None else visible
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Check Identifiers",
            "opts": self.opts,
            "statistics": [
                _build_statistics(measure_identifier(field=field, visible=persons)) for field in list_fields(mappings)
            ],
            "shows_persons": visible is not None,
            "connections": [_build_connection(each, look_up=found.get(each.connection.pk)) for each in mappings],
            "may_look_up": may_look_up and any(each.identifiers for each in mappings),
            "has_looked_up": bool(found),
            "sample": SAMPLE,
            "seconds": LOOK_UP_SECONDS,
            "settings_url": reverse("admin:configuration_applicationsettings_changelist"),
        }
        return TemplateResponse(request, "admin/crm_sync/identifier_check.html", context)


def _list_visible_persons(user: User) -> QuerySet[Person] | None:
    """Return the persons whom the user may read and sees by their studies; None if the user may read none."""
    types = list_permitted_types(user=user, object_name=Person.object_name)
    persons = list_visible(Person.objects.all(), user)
    if types is None:
        return persons
    return persons.filter(object_type__in=types) if types else None


def _build_statistics(statistics: IdentifierStatistics) -> dict[str, Any]:
    # Rounded down, so that 100% means all persons.
    share = 100 * statistics.with_value // statistics.persons if statistics.persons else 0
    return {
        "field": statistics.field,
        "facts": [
            ("Persons", f"{statistics.persons:,}"),
            ("With a value", f"{statistics.with_value:,} ({share}%)"),
            ("Without a value", f"{statistics.without_value:,}"),
            ("Same value", _describe_sharing(statistics.exact)),
            ("Same value but for case", _describe_sharing(statistics.but_for_case)),
        ],
        "advice": _advise(statistics),
        "examples": [
            (title, [[_link(person) for person in group] for group in sharing.examples])
            for title, sharing in (("Same value", statistics.exact), ("Same but for case", statistics.but_for_case))
            if sharing.examples
        ],
    }


def _describe_sharing(sharing: Sharing) -> str:
    if not sharing.values:
        return "None"
    return f"{sharing.persons:,} persons share {sharing.values:,} {'value' if sharing.values == 1 else 'values'}"


def _advise(statistics: IdentifierStatistics) -> list[str]:
    label = statistics.field.label
    advice = []
    if statistics.exact.values:
        advice.append(
            f"Persons with the same {label} are matched with no account: correct all but one of each, on the person."
        )
    if statistics.but_for_case.values:
        advice.append(
            f"Some values of {label} differ in case alone. They count as different, but a CRM whose field ignores case "
            "cannot hold both: check them."
        )
    if statistics.without_value:
        advice.append(
            f"Activities of persons without {label} are not transferred: each is a user exception until the value "
            "is entered."
        )
    return advice


def _link(person: Person) -> dict[str, str]:
    return {
        "name": person.name,
        "value": str(getattr(person, "identifier", "")),
        "url": reverse("record", args=(Person.object_name, person.uid)),
    }


def _build_connection(mapping: ConnectionMapping, *, look_up: LookUp | None) -> dict[str, Any]:
    return {
        "mapping": mapping,
        "url": reverse("admin:connections_connection_change", args=(mapping.connection.pk,)),
        "look_up": look_up,
        "icon": ICONS[look_up.state] if look_up else "",
    }
