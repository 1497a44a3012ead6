"""Integrations of a connection, with the rules that say what goes where; the transfer knows no other CRM names."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from connections.choices import DeletionMode, FieldRuleKind, IntegrationKind
from connections.models.connections import Connection
from ctms.core.models import VaultRecord

validate_crm_name = RegexValidator(
    r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*\Z", "Use the API name in the CRM: letters, digits, underscores."
)


class Integration(VaultRecord):
    """One flow of records over a connection, with how far it has come."""

    object_name = "integration__sys"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="integrations")
    kind = models.CharField(max_length=40, choices=IntegrationKind.choices)

    class Meta:
        verbose_name = "integration"
        verbose_name_plural = "integrations"
        ordering = ("connection", "kind")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("connection", "kind"), name="integration_once_per_connection"),
        ]

    @property
    def is_inbound(self) -> bool:
        """Whether records come from the CRM."""
        return self.kind == IntegrationKind.CALL_INBOUND


class IntegrationProgress(models.Model):
    """How far an integration has come: kept by the transfer itself, so not a change that an admin made."""

    integration = models.OneToOneField(Integration, on_delete=models.CASCADE, related_name="progress")
    last_successful_run_at = models.DateTimeField("last successful run time", null=True)
    watermark = models.DateTimeField(null=True, help_text="greatest SystemModstamp received")
    organisation_id = models.CharField(
        max_length=15, blank=True, default="", help_text="of the CRM organisation that records are linked to"
    )
    rules_digest = models.CharField(max_length=64, blank=True, default="")
    # True from a run's start to its clean end: what was sent by a run that died may or may not have arrived.
    outcome_unknown = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "integration progress"

    def __str__(self) -> str:
        return f"{self.integration}: {self.last_successful_run_at or 'never'}"


class IntegrationRule(VaultRecord):
    """Which object of the Vault goes to, or comes from, which object of the CRM."""

    object_name = "integration_rule__sys"

    integration = models.OneToOneField(Integration, on_delete=models.PROTECT, related_name="rule")
    vault_object = models.CharField(max_length=80, help_text="API name")
    vault_object_type = models.CharField(max_length=80, blank=True, default="", help_text="empty: all")
    vault_filter_field = models.CharField(
        max_length=80, blank=True, default="", help_text="Yes/No field of the Vault object that must be Yes; empty: all"
    )
    # Each {"field": API name, "operator": FilterOperator, "values": [texts]}; read by connections.filters.
    conditions = models.JSONField("filter", default=list, blank=True, editable=False)
    crm_object = models.CharField("CRM object", max_length=80, validators=[validate_crm_name])
    crm_external_id_field = models.CharField(
        "CRM external id field", max_length=80, blank=True, default="", validators=[validate_crm_name]
    )
    crm_filter_field = models.CharField(
        "CRM filter field",
        max_length=80,
        blank=True,
        default="",
        validators=[validate_crm_name],
        help_text="checkbox of the CRM object that marks what to receive; empty: all",
    )
    deletion_mode = models.CharField(max_length=20, choices=DeletionMode.choices)
    deletion_field = models.CharField(max_length=80, blank=True, default="", validators=[validate_crm_name])
    deletion_value = models.CharField(max_length=80, blank=True, default="")
    deletion_max_length = models.PositiveIntegerField(default=255, help_text="length of the field in the CRM")

    class Meta:
        verbose_name = "integration rule"
        verbose_name_plural = "integration rules"
        ordering = ("integration", "name")


class FieldRule(VaultRecord):
    """How one field is filled. `source` and `target` are API names on the sending and on the receiving side."""

    object_name = "field_rule__sys"

    rule = models.ForeignKey(IntegrationRule, on_delete=models.PROTECT, related_name="field_rules")
    position = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=20, choices=FieldRuleKind.choices, default=FieldRuleKind.COPY)
    source = models.CharField(max_length=160, blank=True, default="", validators=[validate_crm_name])
    target = models.CharField(max_length=160, validators=[validate_crm_name])
    is_required = models.BooleanField("required", default=False)
    constant = models.CharField(max_length=255, blank=True, default="", help_text="for kind Constant")
    picklist_map = models.JSONField(
        default=dict,
        blank=True,
        help_text='for kind Picklist map: {"value here": "value there"}; "*" stands for any other',
    )
    reference_object = models.CharField(
        max_length=80,
        blank=True,
        default="",
        validators=[validate_crm_name],
        help_text="for Person ↔ Account: the account object; for references: the CRM object referred to",
    )
    reference_field = models.CharField(
        max_length=80,
        blank=True,
        default="",
        validators=[validate_crm_name],
        help_text="for references: external id field of the object referred to",
    )

    class Meta:
        verbose_name = "field rule"
        verbose_name_plural = "field rules"
        ordering = ("rule", "position", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("rule", "target"),
                name="target_once_per_rule",
                violation_error_message="Another field rule fills this target field.",
            ),
            models.CheckConstraint(
                condition=Q(kind=FieldRuleKind.CONSTANT) | Q(kind=FieldRuleKind.RECORD_LINK) | ~Q(source=""),
                name="field_rule_has_a_source",
                violation_error_message="Source: name the field to read, unless the kind is Constant or Link to the "
                "record.",
            ),
        ]

    def prepare_for_save(self) -> None:
        self.name = self.build_name()[:128]  # says what the rule does, also after a change
        super().prepare_for_save()

    def build_name(self) -> str:
        return f"{self.source or self.constant or self.get_kind_display()} → {self.target}"

    def clean(self) -> None:
        super().clean()
        if self.kind == FieldRuleKind.REFERENCE and not (self.reference_object and self.reference_field):
            raise ValidationError({"reference_object": "A reference needs the CRM object and its external id field."})
        if self.kind == FieldRuleKind.PERSON_ACCOUNT and not self.reference_object:
            raise ValidationError({"reference_object": "Name the CRM's account object, e.g. Account."})
        if self.kind == FieldRuleKind.PICKLIST and not isinstance(self.picklist_map, dict):
            raise ValidationError({"picklist_map": 'Enter an object of values, e.g. {"phone__v": "Phone_vod"}.'})
        if self.kind == FieldRuleKind.PICKLIST and not self.picklist_map:
            raise ValidationError({"picklist_map": "Map at least one value."})
