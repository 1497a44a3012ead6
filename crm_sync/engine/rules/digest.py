"""Tell rules that bring about other payloads from those that do not."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from connections.filters import RuleFilter
from crm_sync.engine.rules.compiled import CompiledParent
from crm_sync.engine.rules.identifiers import IdentifierMapping

if TYPE_CHECKING:
    from connections.models import FieldRule, Integration


def digest_rules(
    *,
    integration: Integration,
    active: list[FieldRule],
    conditions: RuleFilter,
    parents: tuple[CompiledParent, ...],
    identifiers: IdentifierMapping | None,
) -> str:
    """Return a digest that changes when the same records would have other payloads; all are then looked at again."""
    rule = integration.rule
    described: dict[str, Any] = {
        "rule": [
            *(rule.vault_object, rule.vault_object_type, rule.vault_filter_field, rule.crm_object),
            *(rule.crm_external_id_field, rule.crm_filter_field),
            *(rule.deletion_mode, rule.deletion_field, rule.deletion_value, rule.deletion_max_length),
        ],
        "links": settings.VAULT_BASE_URL,
        "fields": [
            [f.kind, f.source, f.target, f.constant, f.picklist_map, f.reference_object, f.reference_field]
            for f in active
        ],
        "parents": [parent.field.target for parent in parents],
        "identifiers": identifiers.key if identifiers else "",
    }
    # Filters decide which records and which references are sent. They are added only where there are any, so that rules
    # without a filter keep the digest that they had before there were filters.
    filters = {parent.field.target: parent.conditions.as_stored() for parent in parents}
    if not integration.is_inbound and (rule.conditions or any(filters.values())):
        described["filters"] = {"": rule.conditions} | filters
    # Records begin and cease to fulfil a period that is relative to today without being changed.
    days = [*conditions.list_days(), *(day for parent in parents for day in parent.conditions.list_days())]
    if days:
        described["days"] = days
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
