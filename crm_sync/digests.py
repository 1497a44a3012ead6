"""Whether the rules of an integration are still those by which its records were transferred last."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from connections.models import FieldRule, Integration
    from crm_sync.plans import IdentifierMapping, ParentPlan


def digest_rules(
    *,
    integration: Integration,
    active: list[FieldRule],
    parents: tuple[ParentPlan, ...],
    identifiers: IdentifierMapping | None,
) -> str:
    """Changes whenever the same records would make other payloads: then every record is looked at again."""
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
    # What decides which records go, and which of their references go with them. Named only where there is a filter, so
    # that rules without one keep the digest that they had.
    filters = {parent.field.target: [each.as_stored() for each in parent.conditions] for parent in parents}
    if not integration.is_inbound and (rule.conditions or any(filters.values())):
        described["filters"] = {"": rule.conditions} | filters
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
