"""Which changes of records need a reason, as admins say: the rules that the audited writer asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctms.audit.reasons import register_reason_rules
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import load_configuration

if TYPE_CHECKING:
    from django.db import models


def register_rules() -> None:
    """Let the audited writer ask for reasons. Called once, from `AppConfig.ready()`."""
    register_reason_rules(list_reasoned_attributes)


def list_reasoned_attributes(model: type[models.Model]) -> dict[str, str]:
    """Return attribute, or API name of a custom field, → label of what needs a reason. Takes one statement."""
    vault_object = get_object_of_model(model)
    if vault_object is None or vault_object.is_setup:
        return {}
    configuration = load_configuration()
    fields = configuration.get(vault_object.api_name).fields
    return {
        name if not name or fields[name].is_custom else fields[name].attribute: label
        for name, label in configuration.list_reasoned(vault_object.api_name).items()
    }
