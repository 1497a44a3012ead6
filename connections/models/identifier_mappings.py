"""How a connection matches persons and accounts."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from connections.choices import FieldRuleKind
from connections.mappingchecks import check_account_identifier, refuse
from connections.models.connections import Connection
from connections.models.descriptions import read_known_objects
from connections.models.integrations import FieldRule
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel


class CrmConnectionIdentifierMapping(AuditedModel):
    """How one connection matches persons and accounts; each field overrides that of Application Settings."""

    object_name = "crm_connection_identifier_mapping__v"

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="identifier_mapping")
    clinical_person_identifier = models.CharField(
        "Clinical Person Identifier",
        max_length=80,
        blank=True,
        default="",
        help_text="API name of a Person field; empty: the one of Application Settings",
    )
    crm_account_identifier = models.CharField(
        "CRM Account Identifier", max_length=80, help_text="API name of the Account field in this organisation"
    )

    class Meta:
        verbose_name = "CRM connection identifier mapping"
        verbose_name_plural = "CRM connection identifier mappings"

    def __str__(self) -> str:
        return f"{self.connection}: {self.crm_account_identifier}"

    def clean(self) -> None:
        """Raise ValidationError for an identifier that cannot identify; what is stored already may stay."""
        super().clean()
        stored = CrmConnectionIdentifierMapping.objects.filter(pk=self.pk).first() if self.pk else None
        if stored is not None and stored.crm_account_identifier == self.crm_account_identifier:
            return
        rules = FieldRule.objects.filter(
            rule__integration__connection=self.connection,
            kind=FieldRuleKind.PERSON_ACCOUNT,
            status=RecordStatus.ACTIVE,
        )
        known = read_known_objects(self.connection)
        findings = check_account_identifier(
            name=self.crm_account_identifier,
            account_objects=sorted(set(rules.values_list("reference_object", flat=True))),
            known=known,
        )
        if problem := refuse(findings, known=known):
            raise ValidationError({"crm_account_identifier": problem})
