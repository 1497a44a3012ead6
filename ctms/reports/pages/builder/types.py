"""What a new report can be about: report types, and each object by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.accounts.models import User
from ctms.core.choices import RecordStatus
from ctms.reports.definition import TypeDefinition, read_type
from ctms.reports.models import ReportType
from ctms.reports.sources import ReportConfiguration, find_source, list_sources, load_report_configuration

_OBJECT = "object:"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChoice:
    """A report type to choose; `stored` is None of an object for which there is none yet."""

    key: str
    label: str
    note: str
    definition: TypeDefinition
    stored: ReportType | None = None


def list_type_choices(user: User) -> list[TypeChoice]:
    """Return the Active report types of which the user may read all objects, then objects that have none."""
    configuration = load_report_configuration()
    types = [
        _build_choice(each, configuration=configuration)
        for each in ReportType.objects.filter(status=RecordStatus.ACTIVE).order_by("name", "pk")
        if _may_read(user=user, definition=read_type(each), configuration=configuration)
    ]
    plain = {each.definition.primary for each in types if not each.definition.related}
    objects = [
        TypeChoice(
            key=build_object_key(each.shape.api_name),
            label=each.vault_object.plural_title,
            note="",
            definition=TypeDefinition(primary=each.shape.api_name),
        )
        for each in list_sources(user=user, configuration=configuration)
        if each.shape.api_name not in plain
    ]
    return [*types, *objects]


def find_type_choice(*, user: User, key: str) -> TypeChoice | None:
    """Return the choice of that key; None if there is none, or the user may not read what it is about.

    An object for which there is a report type meanwhile is found as that.
    """
    choices = list_type_choices(user)
    found = next((each for each in choices if each.key == key), None)
    if found is None and key.startswith(_OBJECT):
        alone = TypeDefinition(primary=key.removeprefix(_OBJECT))
        return next((each for each in choices if each.definition == alone), None)
    return found


def build_object_key(object_name: str) -> str:
    """Return the key of an object by itself."""
    return f"{_OBJECT}{object_name}"


def _build_choice(report_type: ReportType, *, configuration: ReportConfiguration) -> TypeChoice:
    definition = read_type(report_type)
    names = [
        configuration.get(name).vault_object.title for name in filter(None, (definition.primary, definition.related))
    ]
    return TypeChoice(
        key=str(report_type.uid),
        label=report_type.name,
        note=report_type.description or " with ".join(names),
        definition=definition,
        stored=report_type,
    )


def _may_read(*, user: User, definition: TypeDefinition, configuration: ReportConfiguration) -> bool:
    return all(
        find_source(user=user, object_name=name, configuration=configuration) is not None
        for name in filter(None, (definition.primary, definition.related))
    )
