"""What admins configure: object types with fields and actions, custom fields, page layouts, application settings."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from ctms.configuration.account_identifiers import find_account_problem
from ctms.configuration.choices import SectionKind
from ctms.configuration.field_options import LONGEST_UNIQUE, MOST_DECIMALS, list_option_problems
from ctms.configuration.kinds import DEFAULT_KIND, find_custom_kind, list_custom_choices
from ctms.configuration.picklists import find_values_problem, read_picklist, store_picklist
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel

# What a reference is to unless an admin chooses another object.
DEFAULT_TARGET = "person__sys"
validate_custom_api_name = RegexValidator(
    r"^[a-z][a-z0-9_]{0,60}__c\Z", "Use small letters, digits and underscores, ending in __c, e.g. favourite_colour__c."
)


class ObjectType(AuditedModel):
    """An object type of an object in this Vault. No new records can have an inactive type."""

    object_name = "admin:configuration"

    of_object = models.CharField("object", max_length=80, help_text="API name of the object")
    api_name = models.CharField("API name", max_length=80)
    label = models.CharField(max_length=128)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.ACTIVE)

    class Meta:
        ordering = ("of_object", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("of_object", "api_name"), name="object_type_once_per_object"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.of_object})"


class ConfiguredObject(ObjectType):
    """A registered object as a model, which Django admin needs for its pages and URLs. It is never stored."""

    class Meta:
        proxy = True
        verbose_name = "object"
        verbose_name_plural = "objects"

    def __str__(self) -> str:
        return self.label


class ObjectTypeField(AuditedModel):
    """An admin's decision whether a field is on an object type, and whether it is required there.

    A field without a row is on the type, unless it is among the object's `unassigned_fields`.
    """

    object_name = "admin:configuration"

    object_type = models.ForeignKey(ObjectType, on_delete=models.PROTECT, related_name="fields")
    field_name = models.CharField("field", max_length=80, help_text="API name of the field")
    is_assigned = models.BooleanField("assigned", default=True)
    is_required = models.BooleanField("required", default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("object_type", "field_name"), name="field_once_per_object_type"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type}: {self.field_name}"


class ObjectTypeAction(AuditedModel):
    """An action that an admin has assigned to an object type. Actions without a row are not offered."""

    object_name = "admin:configuration"

    object_type = models.ForeignKey(ObjectType, on_delete=models.PROTECT, related_name="actions")
    action_name = models.CharField("action", max_length=80, help_text="API name of the action")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("object_type", "action_name"), name="action_once_per_object_type"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type}: {self.action_name}"


class CustomField(AuditedModel):
    """A field that an admin has added to an object. Its values are stored in the records' `custom_fields`."""

    object_name = "admin:configuration"

    of_object = models.CharField("object", max_length=80, help_text="API name of the object")
    api_name = models.CharField("API name", max_length=64, validators=[validate_custom_api_name])
    label = models.CharField(max_length=128)
    # By which labels are compared: in any case, on either database.
    label_key = models.CharField(max_length=256, editable=False, default="")
    kind = models.CharField(max_length=20, choices=list_custom_choices, default=DEFAULT_KIND)
    help_text = models.CharField(max_length=255, blank=True, default="")
    is_required = models.BooleanField("required", default=False)
    is_unique = models.BooleanField("unique", default=False)
    # As the records' JSON would hold it.
    default_value = models.JSONField("default", null=True, blank=True)
    max_length = models.PositiveIntegerField("length", null=True, blank=True)
    decimals = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(MOST_DECIMALS)])
    least = models.DecimalField("smallest value", max_digits=15, decimal_places=6, null=True, blank=True)
    greatest = models.DecimalField("largest value", max_digits=15, decimal_places=6, null=True, blank=True)
    reference_object = models.CharField(
        "refers to", max_length=80, blank=True, default="", help_text="API name of the object"
    )
    picklist_values = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.ACTIVE)

    bookkeeping_fields = AuditedModel.bookkeeping_fields | {"label_key"}

    class Meta:
        ordering = ("of_object", "api_name")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("of_object", "api_name"), name="custom_field_once_per_object"),
            models.UniqueConstraint(
                fields=("of_object", "label_key"),
                name="custom_field_labelled_once",
                violation_error_message="Label: another custom field of this object has it, active or not. Choose "
                "another, because people could not tell the two apart.",
            ),
            models.CheckConstraint(condition=Q(api_name__endswith="__c"), name="custom_field_ends_in_c"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.of_object}.{self.api_name})"

    def prepare_for_save(self) -> None:
        super().prepare_for_save()
        self.label_key = self.label.casefold()[:256]
        if not self.reference_object and self._refers():
            self.reference_object = DEFAULT_TARGET
        self.picklist_values = store_picklist(read_picklist(self.picklist_values))

    def _refers(self) -> bool:
        return self.kind in dict(list_custom_choices()) and find_custom_kind(self.kind).refers_to_records

    def clean(self) -> None:
        super().clean()
        if self.kind not in dict(list_custom_choices()):
            return  # which the field itself refuses
        problems = list_option_problems(self)
        if problem := find_values_problem(read_picklist(self.picklist_values)):
            problems["picklist_values"] = problem
        if problem := find_custom_kind(self.kind).find_choices_problem(
            [each.label for each in read_picklist(self.picklist_values)]
        ):
            problems["picklist_values"] = problem
        if problems:
            raise ValidationError(problems)


class UniqueValue(models.Model):
    """A value of a unique custom field, and the record that has it: two records cannot get the same, even at once."""

    field = models.ForeignKey(CustomField, on_delete=models.CASCADE, related_name="unique_values")
    value = models.CharField(max_length=LONGEST_UNIQUE)
    record_uid = models.UUIDField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("field", "value"), name="unique_value_once_per_field"),
            models.UniqueConstraint(fields=("field", "record_uid"), name="one_unique_value_per_record"),
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.value}"


class ReasonRule(AuditedModel):
    """Users have to say why they change a field; without a field name, why they change or delete a record at all."""

    object_name = "admin:configuration"

    of_object = models.CharField("object", max_length=80, help_text="API name of the object")
    field_name = models.CharField(
        "field", max_length=80, blank=True, default="", help_text="API name of the field; empty: all, and deletion"
    )

    class Meta:
        verbose_name = "reason for change"
        verbose_name_plural = "reasons for change"
        ordering = ("of_object", "field_name")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("of_object", "field_name"),
                name="reason_once_per_field",
                violation_error_message="The reason for this change is asked for already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.of_object}.{self.field_name or '*'}"


class PageLayout(AuditedModel):
    """The layout of an object's record pages, or of those of one object type."""

    object_name = "admin:configuration"

    of_object = models.CharField("object", max_length=80, help_text="API name of the object")
    object_type = models.CharField(max_length=80, blank=True, default="", help_text="empty: every object type")
    name = models.CharField(max_length=128)
    # Goes up with every change of the sections, which are rows of their own, so that the layout's version goes up, too.
    revision = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ("of_object", "object_type")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("of_object", "object_type"), name="one_layout_per_object_type"),
        ]

    def __str__(self) -> str:
        return self.name


class LayoutSection(AuditedModel):
    """A section of fields or of related records. `items` are the API names of its fields or columns, in order."""

    object_name = "admin:configuration"

    layout = models.ForeignKey(PageLayout, on_delete=models.PROTECT, related_name="sections")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20, choices=SectionKind.choices, default=SectionKind.FIELDS)
    title = models.CharField(max_length=128)
    related_object = models.CharField(max_length=80, blank=True, default="")
    related_field = models.CharField(
        max_length=80, blank=True, default="", help_text="field of the related object that refers to this one"
    )
    items = models.JSONField("fields or columns", default=list, blank=True)
    prevent_creation = models.BooleanField("prevent record creation", default=False)

    class Meta:
        ordering = ("layout", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("layout", "position"), name="one_section_per_position", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(
                condition=(Q(kind=SectionKind.RELATED) & ~Q(related_object="") & ~Q(related_field=""))
                | (Q(kind=SectionKind.FIELDS) & Q(related_object="")),
                name="related_section_names_its_object",
                violation_error_message="Related object: a section of related records names their object and the field "
                "that refers to this one, a section of fields names none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.layout}: {self.title}"


class DeliveredField(models.Model):
    """A delivered field that was put on the stored layouts of its object once; an admin may have removed it since."""

    of_object = models.CharField("object", max_length=80)
    field_name = models.CharField("field", max_length=80)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("of_object", "field_name"), name="field_delivered_once"),
        ]

    def __str__(self) -> str:
        return f"{self.of_object}.{self.field_name}"


class ApplicationSettings(AuditedModel):
    """The application settings (*Admin > Settings > Application Settings*). There is only one row."""

    object_name = "admin:settings"

    enable_global_crm_mapping = models.BooleanField("Enable Global CRM Connection Identifier Mapping", default=False)
    clinical_person_identifier = models.CharField(
        "Clinical Person Identifier",
        max_length=80,
        blank=True,
        default="",
        help_text="API name of the Person field that identifies a person, e.g. external_id__v. Case-sensitive, unique.",
    )
    crm_account_identifier = models.CharField(
        "CRM Account Identifier",
        max_length=80,
        blank=True,
        default="",
        help_text="API name of the Account field with the same value, e.g. External_ID_vod__c. Case-sensitive, unique.",
    )
    singleton = models.BooleanField(default=True, unique=True, editable=False)

    class Meta:
        verbose_name = "application settings"
        verbose_name_plural = "application settings"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(singleton=True), name="one_row_of_application_settings"),
        ]

    def __str__(self) -> str:
        return "Application settings"

    def clean(self) -> None:
        """Raise ValidationError for an account field that cannot identify; what is stored already may stay."""
        super().clean()
        stored = ApplicationSettings.objects.first()
        was = (stored.enable_global_crm_mapping, stored.crm_account_identifier) if stored is not None else None
        if not self.enable_global_crm_mapping or was == (True, self.crm_account_identifier):
            return
        if problem := find_account_problem(self.crm_account_identifier):
            raise ValidationError({"crm_account_identifier": problem})
