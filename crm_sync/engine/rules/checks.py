"""Refuse rules that cannot be followed: each raises ConfigurationError naming the rule and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.callbacks import explain_no_callback
from connections.fieldchecks import find_filling_problem, find_source_problem, find_target_problem
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.rules.compiled import CompiledField
from ctms.configuration.registry import VaultObject

if TYPE_CHECKING:
    from connections.models import Integration


def check_targets(*, integration: Integration, vault_object: VaultObject, fields: tuple[CompiledField, ...]) -> None:
    """Raise ConfigurationError if the target of a field rule is not a stored field of the object."""
    own = {model_field.name for model_field in vault_object.model._meta.concrete_fields}
    for rule in fields:
        if rule.references or rule.end is None or rule.end.attribute not in own:
            raise ConfigurationError(
                f"The field rule “{rule.label}” of {integration.name} fills {rule.target!r}, which is no field of "
                f"{vault_object.label} that can be filled.",
                remedy="Choose another target under Connections > Integration Rules.",
            )


def check_fields(*, integration: Integration, vault_object: VaultObject, fields: tuple[CompiledField, ...]) -> None:
    """Raise ConfigurationError if a field rule fills what is not its own, or cannot be converted.

    Rules are checked when they are typed, but what surrounds them may have changed since.
    """
    key = integration.rule.crm_external_id_field
    if not integration.is_inbound and key.lower() == integration.rule.deletion_field.lower():
        raise ConfigurationError(
            f"The integration rule of {integration.name} shows deletions in {key}, by which the transfer finds its "
            "records, so nothing was transferred.",
            remedy="Name another deletion field under Connections > Integration Rules.",
        )
    for number, rule in enumerate(fields):
        if integration.is_inbound:
            problem = find_filling_problem(rule, end=rule.end, model=vault_object.model) if rule.end else ""
        else:
            problem = find_target_problem(rule, external_id_field=key, others=fields[:number])
            problem = problem or (
                find_source_problem(rule, references=rule.references, end=rule.end) if rule.end else ""
            )
        if problem:
            raise ConfigurationError(
                f"The field rule “{rule.label}” of {integration.name} cannot be followed, so nothing was transferred. "
                f"{problem}",
                remedy="It is under Connections > Integration Rules; Restore standard rules brings back the delivered "
                "ones.",
            )


def check_callback(*, integration: Integration, callback: CompiledField) -> None:
    """Raise ConfigurationError if the rule fills the deletion field, or is required and nothing can be handed over."""
    if callback.target.lower() == integration.rule.deletion_field.lower():
        raise ConfigurationError(
            f"The integration rule of {integration.name} shows deletions in {callback.target}, which the field rule "
            f"“{callback.label}” fills with the call-back session, so nothing was transferred.",
            remedy="Name another field under Connections > Integration Rules.",
        )
    if callback.is_required and (reason := explain_no_callback(integration.connection)):
        raise ConfigurationError(
            f"The field rule “{callback.label}” of {integration.name} is required, but no call-back session can be "
            f"handed over, so nothing was transferred. {reason}",
            remedy="Do so, or make the field rule optional under Connections > Integration Rules.",
        )
