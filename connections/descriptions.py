"""Keep what organisations say of their objects, and note what has changed since the last time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q

from connections.choices import DescribedAspect, DescriptionOrigin, FieldRuleKind, IntegrationKind
from connections.crmdescription import DescribedObject, read_json
from connections.models import (
    CrmFieldChange,
    CrmObjectDescription,
    CrmObjectList,
    FieldRule,
    IntegrationRule,
)
from connections.models.descriptions import read_known_objects
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import QuerySet

    from connections.crmdescription import DescribedField
    from connections.models import Connection
    from ctms.accounts.models import User

ACCOUNT = "Account"  # where no field rule names another object
_SHOWN_VALUES = 20
_FEW = 3


def list_named_objects(connection: Connection) -> list[str]:
    """Return the CRM objects that the rules of a connection name, without those that differ in case alone.

    Those through whose references an inbound field rule reads are among them, as far as these were described.
    """
    rules = IntegrationRule.objects.filter(integration__connection=connection)
    references = FieldRule.objects.filter(rule__integration__connection=connection).exclude(reference_object="")
    names = [*rules.values_list("crm_object", flat=True), *references.values_list("reference_object", flat=True)]
    names = [*list_account_objects(connection), *names, *_list_objects_on_paths(connection)]
    return sorted({name.lower(): name for name in reversed(names)}.values())


def _list_objects_on_paths(connection: Connection) -> list[str]:
    """Return the objects to which the sources of inbound field rules lead, such as that of `Trial__r.Name`."""
    paths = FieldRule.objects.filter(rule__integration__connection=connection, source__contains=".")
    led = paths.filter(rule__integration__kind=IntegrationKind.CALL_INBOUND)
    found: list[str] = []
    known = read_known_objects(connection) if (rows := list(led.values_list("rule__crm_object", "source"))) else None
    for name, source in rows:
        here = [name]
        for step in source.split(".")[:-1]:
            described = [known.find(each) for each in here] if known is not None else []
            here = [to for each in described if each is not None for to in each.list_led_to(step)]
            found += here
    return found


def list_referred_objects(described: DescribedObject, *, most: int) -> list[str]:
    """Return the objects to which an object refers, its custom references first; `most` at most.

    References to many objects, such as the owner of anything, are left out.
    """
    references = [each for each in described.fields.values() if each.relationship and len(each.refers_to) <= _FEW]
    references.sort(key=lambda each: (not each.relationship.endswith("__r"), each.name.casefold()))
    names = {name.lower(): name for each in reversed(references) for name in reversed(each.refers_to)}
    return list(reversed(names.values()))[:most]


def list_account_objects(connection: Connection) -> list[str]:
    """Return the CRM objects in which a connection finds the accounts of persons."""
    rules = FieldRule.objects.filter(
        rule__integration__connection=connection, kind=FieldRuleKind.PERSON_ACCOUNT, status=RecordStatus.ACTIVE
    )
    return sorted(set(rules.values_list("reference_object", flat=True))) or [ACCOUNT]


def store_object_list(*, connection: Connection, labels: Mapping[str, str]) -> None:
    """Keep the labels of an organisation's objects, by name."""
    CrmObjectList.objects.update_or_create(
        connection=connection, defaults={"labels": dict(labels), "listed_at": get_now()}
    )


def store_description(
    *,
    connection: Connection,
    name: str,
    described: DescribedObject | None,
    origin: DescriptionOrigin,
    user: User | None = None,
) -> list[CrmFieldChange]:
    """Keep an object's description, or that it has none any more (None); return what has changed.

    An object that never was described and is not now leaves nothing.
    """
    with transaction.atomic():
        now = get_now()
        if described is not None:
            CrmObjectDescription.objects.bulk_create(
                [
                    CrmObjectDescription(
                        connection=connection,
                        name=name,
                        content=described.as_json(),
                        described_at=now,
                        origin=origin,
                        described_by=user,
                    )
                ],
                ignore_conflicts=True,
            )
        rows = CrmObjectDescription.objects.select_for_update()
        row = rows.filter(connection=connection, name__iexact=name).first()
        if row is None:
            return []
        changes = list(_compare(row=row, described=described))
        row.is_missing = described is None
        if described is not None:
            row.content = described.as_json()
        row.described_at, row.origin, row.described_by = now, origin, user
        row.save()
        for change in changes:
            change.description, change.noticed_at = row, now
        return CrmFieldChange.objects.bulk_create(changes)


def list_unseen_changes(connection: Connection) -> QuerySet[CrmFieldChange]:
    """Return the changes of a connection's descriptions that nobody has marked as seen."""
    changes = CrmFieldChange.objects.filter(description__connection=connection, seen_at=None)
    return changes.select_related("description")


def mark_changes_seen(*, connection: Connection, user: User, up_to: int) -> int:
    """Mark the changes that somebody was shown, whose keys are `up_to` at most; return how many there were."""
    shown = CrmFieldChange.objects.filter(description__connection=connection, seen_at=None, pk__lte=up_to)
    return shown.update(seen_at=get_now(), seen_by=user)


def list_concerned_rules(*, connection: Connection, object_name: str, field: str) -> list[FieldRule | IntegrationRule]:
    """Return the rules of a connection that name a field of a CRM object; with `field` empty, those of the object."""
    rules = IntegrationRule.objects.filter(integration__connection=connection).select_related("integration")
    field_rules = FieldRule.objects.filter(rule__integration__connection=connection).select_related("rule__integration")
    of_object = Q(crm_object__iexact=object_name)
    referring = Q(reference_object__iexact=object_name)
    if not field:
        return [*rules.filter(of_object), *field_rules.filter(referring)]
    own = Q(crm_external_id_field__iexact=field) | Q(crm_filter_field__iexact=field) | Q(deletion_field__iexact=field)
    concerned: list[FieldRule | IntegrationRule] = [*rules.filter(of_object & own)]
    for each in field_rules.filter(Q(rule__crm_object__iexact=object_name) | referring):
        is_inbound = each.rule.integration.is_inbound
        name = (each.source if is_inbound else each.target).lower()
        of_rule = each.rule.crm_object.lower() == object_name.lower()
        refers = each.reference_object.lower() == object_name.lower()
        if (of_rule and name == field.lower()) or (refers and each.reference_field.lower() == field.lower()):
            concerned.append(each)
    return concerned


def _compare(*, row: CrmObjectDescription, described: DescribedObject | None) -> Iterator[CrmFieldChange]:
    if described is None:
        if not row.is_missing:
            yield CrmFieldChange(aspect=DescribedAspect.PRESENCE, before="described", after="no longer described")
        return
    if row.is_missing:
        yield CrmFieldChange(aspect=DescribedAspect.PRESENCE, before="not described", after="described again")
    earlier = read_json(row.content)
    for key, field in earlier.fields.items():
        now = described.fields.get(key)
        if now is None:
            yield CrmFieldChange(
                field=field.name, aspect=DescribedAspect.PRESENCE, before="there", after="gone, or hidden"
            )
        else:
            yield from _compare_field(before=field, after=now)
    for key, field in described.fields.items():
        if key not in earlier.fields:
            text = "there, needs a value" if field.is_needed else "there"
            yield CrmFieldChange(field=field.name, aspect=DescribedAspect.PRESENCE, before="–", after=text)


def _compare_field(*, before: DescribedField, after: DescribedField) -> Iterator[CrmFieldChange]:
    texts = zip(_describe(before), _describe(after), strict=True)
    for (aspect, was), (_, now) in texts:
        if was != now:
            yield CrmFieldChange(field=after.name, aspect=aspect, before=was, after=now)
    if before.allowed != after.allowed:
        told = (_tell_values(before.allowed, other=after.allowed), _tell_values(after.allowed, other=before.allowed))
        yield CrmFieldChange(field=after.name, aspect=DescribedAspect.VALUES, before=told[0], after=told[1])


def _describe(field: DescribedField) -> list[tuple[DescribedAspect, str]]:
    rights = [word for word, has in (("create", field.is_createable), ("change", field.is_updateable)) if has]
    return [
        (DescribedAspect.TYPE, field.type),
        (DescribedAspect.LENGTH, str(field.length)),
        (DescribedAspect.NEEDED, "required" if field.is_needed else "optional"),
        (DescribedAspect.UNIQUE, "unique" if field.is_unique else "not unique"),
        (DescribedAspect.ACCESS, " and ".join(rights) or "read"),
        (DescribedAspect.REFERENCE, ", ".join(field.refers_to) or "nothing"),
    ]


def _tell_values(values: frozenset[str] | None, *, other: frozenset[str] | None) -> str:
    """Return the values that the other side lacks."""
    if values is None:
        return "any value"
    own = sorted(values - (other or frozenset()))
    more = f" and {len(own) - _SHOWN_VALUES} more" if len(own) > _SHOWN_VALUES else ""
    return (", ".join(own[:_SHOWN_VALUES]) or "–") + more
