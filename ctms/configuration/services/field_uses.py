"""Where the configuration itself uses a field: layouts, object types, reasons for change, the identifier of persons."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from ctms.configuration.fields import ObjectField
from ctms.configuration.models import ApplicationSettings, LayoutSection, ObjectTypeField, ReasonRule
from ctms.configuration.uses import Use

_IDENTIFIED_OBJECT = "person__sys"


def find_configured_uses(object_name: str, field: ObjectField) -> Iterator[Use]:
    """Yield the rows of the configuration that name the field."""
    yield from _find_in_layouts(object_name, field)
    for row in ObjectTypeField.objects.select_related("object_type").filter(
        object_type__of_object=object_name, field_name=field.api_name
    ):
        url = reverse("admin:configuration_objecttype_change", args=(row.object_type_id,))
        yield Use(place="Object type", name=row.object_type.label, url=url)
    for rule in ReasonRule.objects.filter(of_object=object_name, field_name=field.api_name):
        url = reverse("admin:configuration_reasonrule_change", args=(rule.pk,))
        yield Use(place="Reason for change", name=field.label, url=url)
    for settings in ApplicationSettings.objects.filter(clinical_person_identifier=field.api_name):
        if object_name == _IDENTIFIED_OBJECT:
            url = reverse("admin:configuration_applicationsettings_change", args=(settings.pk,))
            yield Use(place="Application Settings", name="Clinical Person Identifier", url=url, keeps_field=True)


def _find_in_layouts(object_name: str, field: ObjectField) -> Iterator[Use]:
    told = set()
    for section in LayoutSection.objects.select_related("layout"):
        owner = section.related_object or section.layout.of_object
        if owner == object_name and field.api_name in section.items and section.layout_id not in told:
            told.add(section.layout_id)
            url = reverse("admin:configuration_pagelayout_change", args=(section.layout_id,))
            yield Use(place="Page layout", name=section.layout.name, url=url)
