"""Where connections use a field: field rules, filters of integration rules, the identifier of persons."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.urls import reverse

from connections.models import Connection, FieldRule, IntegrationRule
from ctms.configuration.field_paths import names_field
from ctms.configuration.fields import ObjectField
from ctms.configuration.uses import Use

_IDENTIFIED_OBJECT = "person__sys"


def find_connection_uses(object_name: str, field: ObjectField) -> Iterator[Use]:
    """Yield the rules and connections that name the field, and that would fail without it."""
    name = field.api_name
    for rule in IntegrationRule.objects.select_related("integration__connection"):
        filters = [rule.vault_filter_field, json.dumps(rule.conditions)]
        if names_field(texts=filters, start=rule.vault_object, object_name=object_name, api_name=name):
            yield Use(place="Filter of the rule", name=str(rule), url=_get_rule_url(rule), keeps_field=True)
    for each in FieldRule.objects.select_related("rule__integration__connection"):
        text = each.target if each.rule.integration.is_inbound else each.source
        if names_field(texts=[text], start=each.rule.vault_object, object_name=object_name, api_name=name):
            told = f"{each.source} → {each.target} of {each.rule}"
            yield Use(place="Field rule", name=told, url=_get_rule_url(each.rule), keeps_field=True)
    if object_name == _IDENTIFIED_OBJECT:
        for connection in Connection.objects.filter(identifier_mapping__clinical_person_identifier=name):
            url = reverse("admin:connections_connection_change", args=(connection.pk,))
            yield Use(place="Connection", name=connection.name, url=url, keeps_field=True)


def _get_rule_url(rule: IntegrationRule) -> str:
    return reverse("admin:connections_integrationrule_change", args=(rule.pk,))
