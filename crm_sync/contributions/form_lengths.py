"""Tell forms which CRMs keep fewer characters of a text field than the Vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Concat

from connections.choices import FieldRuleKind, IntegrationKind
from crm_sync.models import FieldLength
from ctms.core.choices import RecordStatus
from ctms.records.fields.kept_lengths import KeptLength, register_kept_lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connections.models import Connection


def register_form_lengths() -> None:
    """Register what forms tell; called once, when the app is ready."""
    register_kept_lengths(list_kept_lengths)


def list_kept_lengths(object_name: str, object_type: str) -> Iterator[KeptLength]:
    """Yield the known lengths of the fields to which active connections send an object's fields, in one statement."""
    lengths = _list_in_force().filter(
        Q(field_rule__rule__vault_object_type__in=("", object_type)),
        field_rule__rule__vault_object=object_name,
        field_rule__rule__integration__connection__status=RecordStatus.ACTIVE,
    )
    rows = lengths.order_by("field_rule__rule__integration__connection__name", "pk").values_list(
        "field_rule__rule__integration__connection__name", "field_rule__source", "length"
    )
    for keeper, source, length in rows:
        yield KeptLength(keeper=keeper, field_name=source, length=length)


def list_known_lengths(connection: Connection) -> QuerySet[FieldLength]:
    """Return the known lengths of the fields that a connection fills."""
    lengths = _list_in_force().filter(field_rule__rule__integration__connection=connection)
    return lengths.select_related("field_rule__rule__integration").order_by("crm_field")


def _list_in_force() -> QuerySet[FieldLength]:
    """Return the lengths of active outbound rules that still name the field that was described."""
    described = Concat("field_rule__rule__crm_object", Value("."), "field_rule__target")
    return (
        FieldLength.objects.annotate(named=described)
        .filter(
            crm_field=F("named"),
            field_rule__kind=FieldRuleKind.COPY,
            field_rule__status=RecordStatus.ACTIVE,
            field_rule__rule__status=RecordStatus.ACTIVE,
            field_rule__rule__integration__status=RecordStatus.ACTIVE,
        )
        .exclude(field_rule__rule__integration__kind=IntegrationKind.CALL_INBOUND)
    )
