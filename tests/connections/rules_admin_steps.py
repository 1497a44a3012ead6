"""Steps that the tests of rules page share."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from connections.choices import IntegrationKind
from connections.models import IntegrationRule
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from tests.admin_forms import read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

ACTIVE, INACTIVE = RecordStatus.ACTIVE, RecordStatus.INACTIVE


OUT, SITES, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.SITE_OUTBOUND, IntegrationKind.CALL_INBOUND


def create_rule(kind: IntegrationKind = OUT, name: str = "NA") -> IntegrationRule:
    integration = ConnectionFactory.create(name=name).integrations.get(kind=kind)
    return IntegrationRule.objects.select_related("integration").get(integration=integration)


def get_url(rule: IntegrationRule, page: str = "change") -> str:
    return reverse(f"admin:connections_integrationrule_{page}", args=(rule.pk,))


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


def switch(client: Client, rule: IntegrationRule, record: Any, status: str, **typed: Any) -> Any:
    """Press the button of a row, as the page shows it now."""
    what = {"Integration": "integration", "IntegrationRule": "rule", "FieldRule": "field_rule"}[type(record).__name__]
    values = {"what": what, "key": record.pk, "read_version": record.version, "status": status, **typed}
    return client.post(get_url(rule, "switch"), values)


def add_custom_field(of_object: str = "site__v", **values: Any) -> CustomField:
    field = CustomField(
        **{"of_object": of_object, "api_name": "region__c", "label": "Region", "kind": "text", **values}
    )
    save(field)
    return field


def log_in_with(client: Client, *permissions: str) -> Any:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


def post_filter(client: Client, rule: IntegrationRule, **typed: Any) -> Any:
    page = client.get(get_url(rule, "filter"))
    return client.post(get_url(rule, "filter"), {**read_form(page, form_id="filter_form"), **typed})


def add_condition(client: Client, rule: IntegrationRule, path: str) -> dict[str, Any]:
    """Choose a field and press Add condition; return the form data that the browser would send next."""
    page = post_filter(client, rule, **{"about-top": path, "add": "top"})
    assert page.status_code == 200
    return read_form(page, form_id="filter_form")
