"""Read integrations and their rules."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, QuerySet, Value, When

from connections.choices import IntegrationKind
from connections.models import FieldRule, Integration, IntegrationRule
from ctms.core.choices import RecordStatus

_INACTIVE_REQUIRED = FieldRule.objects.filter(is_required=True, status=RecordStatus.INACTIVE)


def mark_integrations(integrations: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate integrations with `lacks_required`: a required field rule is inactive, so the integration fails."""
    marked: QuerySet[Any] = integrations.annotate(
        lacks_required=Exists(_INACTIVE_REQUIRED.filter(rule__integration=OuterRef("pk")))
    )
    return marked


def order_integrations(integrations: QuerySet[Any]) -> QuerySet[Any]:
    """Order integrations by connection, then by kind in the order of `IntegrationKind`."""
    places = [When(kind=kind, then=Value(place)) for place, kind in enumerate(IntegrationKind.values)]
    ordered: QuerySet[Any] = integrations.order_by("connection", Case(*places, output_field=IntegerField()))
    return ordered


def mark_rules(rules: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate integration rules with `lacks_required`: one of their required field rules is inactive."""
    marked: QuerySet[Any] = rules.annotate(lacks_required=Exists(_INACTIVE_REQUIRED.filter(rule=OuterRef("pk"))))
    return marked


def find_switched(*, rule: IntegrationRule, what: str, key: str) -> Integration | IntegrationRule | FieldRule | None:
    """Return the record of a switch on a rule's page: its integration, the rule, or a field rule; None if unknown."""
    if what == "integration":
        return rule.integration
    if what == "rule":
        return rule
    return rule.field_rules.filter(pk=key).first() if what == "field_rule" and key.isdecimal() else None
