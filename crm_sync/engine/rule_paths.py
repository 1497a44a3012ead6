"""Find the records that a field rule concerns, whether its integration is at work or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connections.fieldpaths import resolve_rule_path
from connections.models import FieldRule
from crm_sync.engine.rules.paths import RecordPath
from ctms.configuration.registry import UnknownFieldError, UnknownObjectError, get_object

if TYPE_CHECKING:
    from connections.choices import FieldRuleKind
    from connections.models import Connection, Integration


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePath:
    """A field rule, its integration, and the path from the integration's records to what the rule leads to."""

    rule: FieldRule
    integration: Integration
    model: Any
    path: RecordPath

    def list_uids(self, keys: list[int]) -> Any:
        """Return the uids of the records that lead to records with these keys, as a subquery."""
        records = self.model._base_manager.alias(led_to=self.path.follow_key())
        return records.filter(led_to__in=keys).values("uid")


def list_rule_paths(*, connection: Connection, kind: FieldRuleKind) -> list[RulePath]:
    """Return the field rules of a kind with their paths, whatever their status.

    One that names what the Vault does not have is left out: when the rule is corrected, everything is looked at.
    """
    rules = FieldRule.objects.filter(rule__integration__connection=connection, kind=kind)
    paths = []
    for rule in rules.select_related("rule__integration"):
        integration = rule.rule.integration
        try:
            vault_object = get_object(rule.rule.vault_object)
            references, end = resolve_rule_path(
                vault_object=vault_object, path=rule.target if integration.is_inbound else rule.source
            )
        except (UnknownFieldError, UnknownObjectError):
            continue
        path = RecordPath.build([*references, end])
        paths.append(RulePath(rule=rule, integration=integration, model=vault_object.model, path=path))
    return paths
