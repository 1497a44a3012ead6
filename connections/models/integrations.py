"""Integrations of a connection with their rules, from which the transfer takes all names in the CRM."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from connections.choices import DeletionMode, FieldRuleKind, IntegrationKind
from connections.fieldchecks import find_filling_problem, find_source_problem, find_target_problem
from connections.fieldpaths import resolve_rule_path
from connections.mappingchecks import check_mapping, check_rule, refuse, type_rule
from connections.models.connections import Connection
from connections.models.descriptions import read_known_objects
from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.registry import (
    UnknownFieldError,
    UnknownObjectError,
    get_object,
)
from ctms.core.choices import RecordStatus
from ctms.core.models import VaultRecord

validate_crm_name = RegexValidator(
    r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*\Z", "Use the API name in the CRM: letters, digits, underscores."
)


class Integration(VaultRecord):
    """One direction and kind of records that a connection transfers."""

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
    """How far an integration has come; the transfer writes it, without version and audit trail."""

    integration = models.OneToOneField(Integration, on_delete=models.CASCADE, related_name="progress")
    last_successful_run_at = models.DateTimeField("last successful run time", null=True)
    bookmark = models.TextField(
        blank=True, default="", editable=False, help_text="place in the audit trail up to which everything was sent"
    )
    watermark = models.DateTimeField(null=True, help_text="SystemModstamp up to which everything was received")
    received_until = models.DateTimeField(null=True, help_text="SystemModstamp that an unfinished run came to")
    deletions_until = models.DateTimeField(null=True, help_text="time up to which deletions were received")
    # The CRM's clock at the beginning of the last run, and the Vault's at the same moment.
    crm_clock = models.DateTimeField(null=True)
    crm_clock_read_at = models.DateTimeField(null=True)
    rules_digest = models.CharField(max_length=64, blank=True, default="")
    # True from the start of a run to its success: the CRM may have received records that a failed run sent.
    outcome_unknown = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "integration progress"

    def __str__(self) -> str:
        return f"{self.integration}: {self.last_successful_run_at or 'never'}"


class IntegrationRule(VaultRecord):
    """Which Vault object an integration transfers to or from which CRM object."""

    object_name = "integration_rule__sys"

    integration = models.OneToOneField(Integration, on_delete=models.PROTECT, related_name="rule")
    vault_object = models.CharField(max_length=80, help_text="API name")
    vault_object_type = models.CharField(max_length=80, blank=True, default="", help_text="empty: all")
    vault_filter_field = models.CharField(
        max_length=80, blank=True, default="", help_text="Yes/No field of the Vault object that must be Yes; empty: all"
    )
    # Each {"field": path, "operator": …, "values": [texts]}, or a group; compiled by connections.filters.
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
    allow_duplicates = models.BooleanField(
        default=False,
        help_text="Save records although a duplicate rule of the CRM that only warns would refuse them.",
    )

    class Meta:
        verbose_name = "integration rule"
        verbose_name_plural = "integration rules"
        ordering = ("integration", "name")

    def clean(self) -> None:
        super().clean()
        self._check_vault_side()
        if not self.integration.is_inbound:
            self._check_outbound()
        if self.status == RecordStatus.ACTIVE:
            self._check_crm_side()

    def _check_outbound(self) -> None:
        """Raise ValidationError if the fields that the transfer itself fills are missing, or one and the same."""
        for name in ("crm_external_id_field", "deletion_field"):
            if "." in getattr(self, name):
                raise ValidationError({name: f"Name a field of {self.crm_object} itself, without a dot."})
        key = self.crm_external_id_field.lower()
        if not key or key == "id":
            raise ValidationError(
                {"crm_external_id_field": "Name the external id field in which the CRM keeps the Vault's ids."}
            )
        if self.deletion_field.lower() == key:
            raise ValidationError(
                {"deletion_field": f"The transfer finds its records by {self.deletion_field}: choose another field."}
            )
        active = self.field_rules.filter(status=RecordStatus.ACTIVE) if self.pk else FieldRule.objects.none()
        if taken := active.filter(target__iexact=key).first():
            raise ValidationError(
                {"crm_external_id_field": f"The field rule “{taken}” fills it. Change that one, or name another field."}
            )

    def _check_crm_side(self) -> None:
        """Raise ValidationError if the organisation has described what the rule names, and it cannot work.

        What is stored already is not refused again for it: a switch or a filter can be changed although the CRM has
        changed meanwhile, which the pages tell.
        """
        names = ("crm_object", "crm_external_id_field", "crm_filter_field", "deletion_field", "deletion_value")
        stored = IntegrationRule.objects.filter(pk=self.pk, status=RecordStatus.ACTIVE).values_list(*names).first()
        if stored == tuple(getattr(self, name) for name in names):
            return
        known = read_known_objects(self.integration.connection)
        problems = {
            name: told
            for name, findings in check_rule(rule=self, is_inbound=self.integration.is_inbound, known=known).items()
            if (told := refuse(findings, known=known))
        }
        if problems:
            raise ValidationError(problems)

    def _check_vault_side(self) -> None:
        """Raise ValidationError if the Vault has no such object, type or Yes/No field."""
        try:
            vault_object = get_object(self.vault_object)
        except UnknownObjectError as error:
            raise ValidationError({"vault_object": str(error)}) from None
        types = [each.api_name for each in vault_object.object_types]
        if self.vault_object_type and self.vault_object_type not in types:
            raise ValidationError(
                {"vault_object_type": f"{vault_object.label.capitalize()} has the types {', '.join(types) or 'none'}."}
            )
        if not self.vault_filter_field:
            return
        try:
            field = vault_object.get_field(self.vault_filter_field)
        except UnknownFieldError as error:
            raise ValidationError({"vault_filter_field": str(error)}) from None
        if not get_kind(field.kind).is_yes_no:
            raise ValidationError({"vault_filter_field": f"{field.label} is no Yes/No field. Choose one that is."})


class FieldRule(VaultRecord):
    """How one field is filled: `source` is its API name on the sending side, `target` on the receiving side."""

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
                F("rule"),
                Lower("target"),
                name="target_once_per_rule",
                violation_error_message="Another field rule fills this target field.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=FieldRuleKind.list_without_source()) | ~Q(source=""),
                name="field_rule_has_a_source",
                violation_error_message="Source: name the field to read, unless the kind is Constant, Link to the "
                "record or Call-back session.",
            ),
        ]

    def prepare_for_save(self) -> None:
        self.name = self.build_name()[:128]  # built again at each save, because a change may alter what it says
        super().prepare_for_save()

    def build_name(self) -> str:
        return f"{self.source or self.constant or self.get_kind_display()} → {self.target}"

    def clean(self) -> None:
        super().clean()
        if self.kind == FieldRuleKind.REFERENCE and not (self.reference_object and self.reference_field):
            raise ValidationError({"reference_object": "A reference needs the CRM object and its external id field."})
        if self.kind == FieldRuleKind.PERSON_ACCOUNT and not self.reference_object:
            raise ValidationError({"reference_object": "Name the CRM's account object, e.g. Account."})
        if self.kind == FieldRuleKind.CALLBACK_SESSION and self.source:
            raise ValidationError({"source": "A call-back session is made for each run. Leave the source empty."})
        if self.kind == FieldRuleKind.PICKLIST and not isinstance(self.picklist_map, dict):
            raise ValidationError({"picklist_map": 'Enter an object of values, e.g. {"phone__v": "Phone_vod"}.'})
        if self.kind == FieldRuleKind.PICKLIST and not self.picklist_map:
            raise ValidationError({"picklist_map": "Map at least one value."})
        # A bad rule can always be switched off. An unknown kind is reported beside its field.
        if self.status != RecordStatus.ACTIVE or self.kind not in FieldRuleKind.values:
            return
        self._check_crm_side(self.check_vault_side())

    def check_vault_side(self) -> ObjectField | None:
        """Return the rule's field in the Vault, None if there is none. Raises ValidationError if it cannot be used."""
        return self._check_inbound() if self.rule.integration.is_inbound else self._check_outbound()

    def _check_crm_side(self, end: ObjectField | None) -> None:
        """Raise ValidationError if the organisation has described the field, and the rule cannot work with it."""
        integration = self.rule.integration
        known = read_known_objects(integration.connection)
        findings = check_mapping(
            rule=type_rule(self, end=end),
            crm_object=self.rule.crm_object,
            is_inbound=integration.is_inbound,
            known=known,
        )
        if problem := refuse(findings, known=known):
            raise ValidationError({"source" if integration.is_inbound else "target": problem})

    def _check_inbound(self) -> ObjectField:
        """Return the target in the Vault. Raises ValidationError if the rule cannot fill it."""
        try:
            vault_object = get_object(self.rule.vault_object)
            field = vault_object.get_field(self.target)
        except (UnknownFieldError, UnknownObjectError) as error:
            raise ValidationError({"target": str(error)}) from None
        if problem := find_filling_problem(self, end=field, model=vault_object.model):
            raise ValidationError({"target": problem})
        return field

    def _check_outbound(self) -> ObjectField | None:
        """Return the source in the Vault, None if there is none.

        Raises ValidationError if the rule may not fill its target in the CRM, or cannot read its source.
        """
        others = self.rule.field_rules.filter(status=RecordStatus.ACTIVE).exclude(pk=self.pk)
        others = others.exclude(target=self.target)  # refused by the constraint
        problem = find_target_problem(self, external_id_field=self.rule.crm_external_id_field, others=others)
        if problem:
            raise ValidationError({"target": problem})
        if not self.source:
            return None
        try:
            references, end = resolve_rule_path(vault_object=get_object(self.rule.vault_object), path=self.source)
        except (UnknownFieldError, UnknownObjectError) as error:
            raise ValidationError({"source": str(error)}) from None
        if problem := find_source_problem(self, references=references, end=end):
            raise ValidationError({"source": problem})
        return end
