"""The forms of integration rules and field rules."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from connections import pickers
from connections.choices import FieldRuleKind
from connections.models import FieldRule, IntegrationRule
from connections.models.descriptions import read_known_objects
from connections.models.integrations import validate_crm_name
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.registry import UnknownObjectError, get_object_of_model, list_record_objects
from ctms.configuration.snapshot import Configuration, ObjectShape, load_configuration

_Choices = list[tuple[str, Any]]
_UNFILLED = frozenset({"uid__sys", OBJECT_TYPE, "status__v"})


class AddFieldRuleForm(forms.Form):
    """Source and target of a new field rule: Vault fields are chosen from a list, CRM fields are typed."""

    class Media:
        js = ("mapping_check.js",)

    def __init__(
        self, data: Any = None, *, rule: IntegrationRule, kind: FieldRuleKind, configuration: Configuration
    ) -> None:
        super().__init__(data)
        self._kind = kind
        known = read_known_objects(rule.integration.connection)
        described = known.find(rule.crm_object)
        typed = data or {}
        shape = configuration.get(rule.vault_object)
        inbound = rule.integration.is_inbound
        if kind == FieldRuleKind.CONSTANT:
            self.fields["constant"] = forms.CharField(
                label="Value",
                max_length=255,
                widget=UnfoldAdminTextInputWidget,
                help_text="The same for every record.",
            )
        elif kind == FieldRuleKind.CALLBACK_SESSION:
            pass  # it reads no field
        elif inbound:
            self.fields["source"] = _build_crm_field(
                label="Source: CRM field",
                crm_object=rule.crm_object,
                choices=pickers.list_source_choices(described=described, known=known),
                typed=typed.get("source", ""),
            )
        else:
            self.fields["source"] = _build_vault_field(
                label="Source: Vault field",
                choices=list_source_choices(
                    shape=shape, object_type=rule.vault_object_type, configuration=configuration
                ),
            )
        self.fields["target"] = (
            _build_vault_field(
                label="Target: Vault field",
                choices=list_target_choices(shape=shape, object_type=rule.vault_object_type),
            )
            if inbound
            else _build_crm_field(
                label="Target: CRM field",
                crm_object=rule.crm_object,
                choices=pickers.list_target_choices(described),
                typed=typed.get("target", ""),
            )
        )
        _mark_checked(self.fields, rule=rule, kind=kind)

    def read_rule(self) -> dict[str, Any]:
        """Return the values of a valid form as arguments of `add_field_rule`."""
        return {"kind": self._kind, **self.cleaned_data}

    def show_refusal(self, refusal: forms.ValidationError) -> None:
        """Show the errors of the service beside their fields, or at the top."""
        by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
        for name, errors in by_field.items():
            self.add_error(name if name in self.fields else None, forms.ValidationError(errors))


class IntegrationRuleForm(AuditedModelForm):
    """*Edit rule*: which records go where, and how a deletion is shown. Everything is chosen where it is known."""

    class Meta:
        model = IntegrationRule
        exclude = ("external_id",)
        labels: ClassVar = {
            "vault_object": "Vault object",
            "vault_object_type": "Object type",
            "vault_filter_field": "Transferred where Yes",
            "crm_external_id_field": "CRM external ID field",
            "crm_filter_field": "Received where ticked",
            "allow_duplicates": "Save in spite of duplicate warnings",
            "deletion_mode": "A deletion",
            "deletion_field": "Deletion field",
            "deletion_value": "Deletion text",
            "deletion_max_length": "Longest text of the deletion field",
        }
        help_texts: ClassVar = {
            "vault_object": "The records of the Vault that this rule transfers",
            "vault_object_type": "Only records of this type; empty: all",
            "vault_filter_field": "Only records with Yes in this field; empty: all",
            "crm_object": "The object of the CRM organisation",
            "crm_external_id_field": "In it the CRM keeps the Vault's ids: unique, by which records are found again",
            "crm_filter_field": "Checkbox in the CRM that marks what to receive; empty: all",
            "allow_duplicates": "A duplicate rule of the CRM that only warns refuses a record otherwise.",
            "deletion_field": "The CRM field that shows that a record was deleted in the Vault",
            "deletion_value": "What stands there then",
            "deletion_max_length": "In characters; longer texts are cut to make room for the deletion text.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        known = read_known_objects(rule.integration.connection)
        described = known.find(self._get("crm_object"))
        self._offer("crm_object", pickers.list_object_choices(known), is_needed=True)
        self._offer("crm_external_id_field", pickers.list_external_id_choices(described))
        self._offer("crm_filter_field", pickers.list_checkbox_choices(described))
        self._offer("deletion_field", pickers.list_text_choices(described))
        self._choose("vault_object", [(each.api_name, each.title) for each in list_record_objects()])
        with suppress(UnknownObjectError):
            shape = load_configuration().get(self._get("vault_object"))
            types = [(each.api_name, each.label) for each in shape.types.values()]
            yes_no = [
                _build_choice(each)
                for each in shape.fields.values()
                if get_kind(each.kind).is_yes_no and not each.is_computed and not each.is_custom
            ]
            self._choose("vault_object_type", [("", "All"), *types])
            self._choose("vault_filter_field", [("", "All"), *yes_no])

    def _get(self, name: str) -> str:
        typed = self.data.get(self.add_prefix(name)) if self.is_bound else None
        return str(typed if typed is not None else getattr(self.instance, name))

    def _offer(self, name: str, choices: pickers.Choices, *, is_needed: bool = False) -> None:
        if name in self.fields:
            pickers.offer(self.fields[name], choices, value=self._get(name), is_needed=is_needed)

    def _choose(self, name: str, choices: _Choices) -> None:
        """Let a field of the Vault be chosen; one that is no choice any more stays, and is refused on save."""
        if name in self.fields:
            value = self._get(name)
            stale = [] if value in {choice for choice, _ in choices} else [(value, f"{value} (not in the Vault)")]
            self.fields[name].widget = UnfoldAdminSelectWidget(choices=[*stale, *choices])


class FieldRuleForm(AuditedModelForm):
    """A field rule: source and target in the words of their systems."""

    class Meta:
        model = FieldRule
        exclude = ("external_id", "name")
        labels: ClassVar = {
            "constant": "Value",
            "reference_object": "CRM object referred to",
            "reference_field": "Its external ID field",
        }

    class Media:
        js = ("mapping_check.js",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance.rule
        inbound = rule.integration.is_inbound
        known, configuration = read_known_objects(rule.integration.connection), load_configuration()
        described, shape = known.find(rule.crm_object), configuration.get(rule.vault_object)
        people = self._get("kind") == FieldRuleKind.FORMATTED_PERSON
        if inbound:
            sources = pickers.list_source_choices(described=described, known=known, people=people)
            self._offer("source", "Source: CRM field", sources)
            self._choose("target", "Target: Vault field", list_vault_choices(shape=shape, rule=rule))
        else:
            choices = list_source_choices(shape=shape, object_type=rule.vault_object_type, configuration=configuration)
            references = ("References", list_vault_choices(shape=shape, rule=rule, references=True))
            self._choose("source", "Source: Vault field", [*choices, references])
            self._offer("target", "Target: CRM field", pickers.list_target_choices(described))
        self._offer("reference_object", "", pickers.list_object_choices(known))
        referred = known.find(self._get("reference_object"))
        self._offer("reference_field", "", pickers.list_external_id_choices(referred))
        _mark_checked(self.fields, rule=rule, field_rule=self.instance.pk)

    def _get(self, name: str) -> str:
        typed = self.data.get(self.add_prefix(name)) if self.is_bound else None
        return str(typed if typed is not None else getattr(self.instance, name))

    def _offer(self, name: str, label: str, choices: pickers.Choices) -> None:
        if field := self.fields.get(name):
            field.label = label or field.label
            pickers.offer(field, choices, value=self._get(name))

    def _choose(self, name: str, label: str, choices: _Choices) -> None:
        if field := self.fields.get(name):
            offered: set[str] = set()
            value = self._get(name)
            for choice, text in choices:
                offered |= {each for each, _ in text} if isinstance(text, list) else {choice}
            stale = [] if value in offered else [(value, value)]
            field.label, field.widget = label, UnfoldAdminSelect2Widget(choices=[*stale, *choices])


def list_vault_choices(*, shape: ObjectShape, rule: IntegrationRule, references: bool = False) -> _Choices:
    """Return the standard fields of the rule's records; only references, or all."""
    fields = _list_fields(shape=shape, object_type=rule.vault_object_type)
    return [
        _build_choice(each) for each in fields if not each.is_custom and (each.reference is not None or not references)
    ]


def list_source_choices(*, shape: ObjectShape, object_type: str, configuration: Configuration) -> _Choices:
    """Return the choices for a source: the record's stored fields, and those of the records that it refers to.

    Of a custom reference itself, the uid of the record is copied.
    """
    standard: _Choices = []
    custom: _Choices = []
    referred: _Choices = []
    for each in _list_fields(shape=shape, object_type=object_type):
        if each.is_custom:
            custom.append(_build_choice(each))
        elif each.reference is None:
            standard.append(_build_choice(each))
        target = get_object_of_model(each.reference) if each.reference is not None else None
        if target is not None:
            choices = [
                (f"{each.api_name}.{field.api_name}", f"{each.label}: {field.label} ({each.api_name}.{field.api_name})")
                for field in _list_fields(shape=configuration.get(target.api_name), object_type="")
                if field.reference is None or field.is_custom
            ]
            referred.append((f"Of the {target.label}: {each.label}", choices))
    groups = [("Custom fields", custom), ("Standard fields", standard), *referred]
    return [("", "Choose a field"), *((label, choices) for label, choices in groups if choices)]


def list_target_choices(*, shape: ObjectShape, object_type: str) -> _Choices:
    """Return the choices for a target that the CRM fills: standard fields except references."""
    choices = [
        _build_choice(each)
        for each in _list_fields(shape=shape, object_type=object_type)
        if not each.is_custom and not each.is_read_only and each.reference is None
    ]
    return [("", "Choose a field"), *(choice for choice in choices if choice[0] not in _UNFILLED)]


def _list_fields(*, shape: ObjectShape, object_type: str) -> list[ObjectField]:
    fields = shape.list_type_fields(object_type) if object_type in shape.types else list(shape.fields.values())
    # What is computed or derived changes without a new version, so that the CRM would keep an old value.
    stored = (each for each in fields if not (each.is_computed or each.is_derived))
    return sorted(stored, key=lambda each: each.label.casefold())


def _build_choice(field: ObjectField) -> tuple[str, str]:
    return field.api_name, f"{field.label} ({field.api_name})"


def _build_vault_field(*, label: str, choices: _Choices) -> forms.Field:
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelect2Widget)


def _build_crm_field(*, label: str, crm_object: str, choices: pickers.Choices, typed: str) -> forms.Field:
    field = forms.CharField(
        label=label,
        max_length=160,
        validators=[validate_crm_name],
        help_text=f"Field of {crm_object}" if choices else f"API name in {crm_object}, e.g. Region__c.",
    )
    pickers.offer(field, choices, value=typed)
    return field


def _mark_checked(fields: dict[str, forms.Field], *, rule: IntegrationRule, **known: Any) -> None:
    """Let the page check the rule while it is typed (`mapping_check.js`)."""
    address = reverse("admin:connections_integrationrule_check", args=(rule.pk,))
    fields["target"].widget.attrs |= {"data-mapping-check": f"{address}?{urlencode(known)}"}
