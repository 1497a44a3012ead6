"""What an integration and its rules are compiled to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connections.choices import DeletionMode, FieldRuleKind
from connections.filters import RuleFilter
from crm_sync.engine.rules.identifiers import IdentifierMapping
from crm_sync.engine.rules.paths import RecordPath
from ctms.configuration.registry import ObjectField, VaultObject

if TYPE_CHECKING:
    from django.db import models

    from connections.models import Integration
    from ctms.records.fields.kinds.base import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledField:
    """One active field rule.

    `references` and `end` are its path in the Vault: that of the source if outbound, of the target if inbound.
    """

    kind: FieldRuleKind
    label: str
    source: str
    target: str
    is_required: bool
    constant: str
    picklist_map: dict[str, str]
    reference_object: str
    reference_field: str
    references: tuple[ObjectField, ...] = ()
    end: ObjectField | None = None
    end_kind: Kind | None = None  # the kind of `end`, which says what a CRM gets of its values


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledParent:
    """A reference to a record that another integration of the same connection sends."""

    field: CompiledField
    path: RecordPath  # from the record to its parent
    integration_id: int
    filter_attribute: str  # Yes/No attribute that is true for parents that are sent; empty if all are sent
    conditions: RuleFilter  # filter of the rule that sends the parent
    model: type[models.Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledIntegration:
    """An integration ready to run."""

    integration: Integration
    vault_object: VaultObject
    object_type: str
    filter_attribute: str
    conditions: RuleFilter  # a record is transferred if it fulfils all of them
    crm_object: str
    external_id_field: str
    crm_filter_field: str
    deletion_mode: DeletionMode
    deletion_field: str
    deletion_value: str
    deletion_max_length: int
    allow_duplicates: bool  # save records although a duplicate rule of the CRM warns
    fields: tuple[CompiledField, ...]
    parents: tuple[CompiledParent, ...]
    identifiers: IdentifierMapping | None
    digest: str
    dependencies: tuple[RecordPath, ...]
    callback: CompiledField | None  # the rule that hands the call-back session over, if there is one; not in `fields`
    person_field: CompiledField | None  # the rule that matches a person to an account, if there is one
